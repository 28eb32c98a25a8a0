from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import polars as pl
import pytest

from grn.hw.probe import probe
from grn.kit.errors import MissingError, UnsupportedError, UsageError
from grn.quant.features import collecting
from grn.quant.features.bars import tick_bars
from grn.quant.features.collecting import collect
from tests.quant.features.markets import published_trades, tape

FRAME = pl.LazyFrame({"x": [1, 2, 3]}).filter(pl.col("x") > 1)


@pytest.mark.parametrize("engine", ["streaming", "in-memory"])
def test_engines_agree(engine: collecting.Engine) -> None:
    """Both engines of the processor give the same rows, for native pipelines and for bars."""
    assert collect(FRAME, engine)["x"].to_list() == [2, 3]
    bars = tick_bars(tape(published_trades()), 9)
    assert collect(bars, engine).equals(bars.collect())


def test_an_unknown_engine() -> None:
    """An engine that does not exist is refused, with those that do."""
    with pytest.raises(UsageError) as caught:
        collect(FRAME, "cuda")  # type: ignore[arg-type]
    assert "gpu" in (caught.value.hint or "")


def test_the_gpu_engine_is_refused_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cuDF the engine is missing, by name, and not replaced by another one."""
    monkeypatch.setattr(collecting, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="cudf_polars") as caught:
        collect(FRAME, "gpu")
    assert 'engine="streaming"' in (caught.value.hint or "")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that there is a GPU, and cuDF for it."""
    monkeypatch.setattr(collecting, "find_spec", lambda name: object())
    machine = replace(probe(), gpus=("a double of a GPU",))
    monkeypatch.setattr(collecting, "probe", lambda: machine)


def test_the_gpu_engine_is_refused_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package and no card the GPU is what is missing."""
    monkeypatch.setattr(collecting, "find_spec", lambda name: object())
    machine = replace(probe(), gpus=())
    monkeypatch.setattr(collecting, "probe", lambda: machine)
    with pytest.raises(MissingError, match="no GPU"):
        collect(FRAME, "gpu")


@pytest.mark.usefixtures("gpu")
def test_kernels_are_refused_on_the_gpu() -> None:
    """A pipeline with a kernel of ours in it does not run on the GPU, and is refused before anything runs."""
    with pytest.raises(UnsupportedError, match="step of this pipeline"):
        collect(tick_bars(tape([]), 9).filter(pl.col("close") > 1), "gpu")


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("raised", [NotImplementedError("no such node"), RuntimeError("out of memory")])
def test_what_the_gpu_engine_says_is_handed_on(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cuDF cannot run becomes an error by name. (A double stands for cuDF: it only raises.)"""
    double = ModuleType("cudf_polars")

    def refuse(*_: object, **__: object) -> None:
        raise raised

    double.execute_with_cudf = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cudf_polars", double)
    with pytest.raises(UnsupportedError) as caught:
        collect(FRAME, "gpu")
    assert str(raised) in str(caught.value)
