"""Running a pipeline: in which engine, and what that engine refuses."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, get_args

import polars as pl
from polars.exceptions import PolarsError

from grn.hw.probe import probe
from grn.kit.errors import MissingError, UnsupportedError, UsageError

Engine = Literal["streaming", "in-memory", "gpu"]


def collect(frame: pl.LazyFrame, engine: Engine = "streaming") -> pl.DataFrame:
    """Run a pipeline and return its rows.

    Parameters
    ----------
    frame
        The pipeline.
    engine
        ``streaming``: batch by batch, in memory that does not grow with the data where the pipeline allows
        it. ``in-memory``: Polars' other engine. ``gpu``: cuDF; the whole pipeline runs there, or it is
        refused. Polars alone would go back to the processor without a word, and a timing would be of
        something else.

    Raises
    ------
    MissingError
        ``gpu`` without cuDF, or without a GPU.
    UnsupportedError
        ``gpu`` for a pipeline that cuDF does not run as a whole, or not with this release of Polars; every
        bar builder and every feature with a window of its own is one: they are kernels for the processor.
    UsageError
        An unknown engine.
    """
    if engine not in get_args(Engine):
        raise UsageError("unknown engine", seen=engine, hint=", ".join(get_args(Engine)))
    if engine != "gpu":
        return frame.collect(engine=engine)
    if find_spec("cudf_polars") is None:
        raise MissingError(
            'engine="gpu" needs the package cudf_polars',
            seen=f"polars {pl.__version__}, no cudf_polars",
            hint='engine="streaming"; the cuDF for your CUDA has to take this release of Polars',
        )
    if not probe().gpus:
        raise MissingError('engine="gpu" finds no GPU', seen="none", hint='engine="streaming"')
    if "PYTHON" in frame.explain():
        raise UnsupportedError(
            'engine="gpu" cannot run a step of this pipeline',
            seen="a kernel for the processor: bars, windows, cross-sections, joins as of, labels",
            hint='engine="streaming"; or collect that step first and go on with .lazy() and engine="gpu"',
        )
    try:
        return frame.collect(engine=pl.GPUEngine(raise_on_fail=True))
    except (PolarsError, NotImplementedError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UnsupportedError(
            'engine="gpu" refuses this pipeline', seen=first, hint='engine="streaming" runs it'
        ) from error
