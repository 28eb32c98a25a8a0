"""Opening a source: which reader, which name, whether its cells are text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from grn.kit.errors import DataError
from grn.quant.samples import SAMPLES, sample

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

UNNAMED: Final = "ASSET"
"""The symbol of a frame that has neither a symbol column nor a file name."""

SUFFIXES: Final = (".parquet", ".csv", ".csv.gz", ".arrow", ".ipc", ".feather")


@dataclass(frozen=True)
class Source:
    """A lazy frame, and how to speak of it.

    Parameters
    ----------
    frame
        What to read from.
    symbol
        Symbol to use when the frame names none.
    described
        How an error calls it.
    text
        Whether every cell is text to be parsed, as in CSV.
    """

    frame: pl.LazyFrame
    symbol: str
    described: str
    text: bool = False

    def columns(self) -> Sequence[str]:
        """Return the column names without reading any row."""
        return self._guarded(lambda: self.frame.collect_schema().names())

    def collect(self, names: Sequence[str]) -> pl.DataFrame:
        """Read the columns `names`, and nothing else where the format allows it."""
        return self._guarded(lambda: self.frame.select(names).collect(engine="streaming"))

    def _guarded(self, read: Callable[[], T]) -> T:
        from polars.exceptions import PolarsError

        try:
            return read()
        except (PolarsError, OSError) as error:
            first_line = str(error).strip().partition("\n")[0]
            raise DataError(
                f"{self.described} cannot be read",
                seen=f"{type(error).__name__}: {first_line}",
                hint="try it with Polars alone: the fault is in the file or in the query behind it",
            ) from error


def open_source(source: object) -> Source:
    """Find out what `source` is, without reading rows.

    Raises
    ------
    DataError
        When it is neither a frame, nor a readable file of a known kind, nor the name of a sample.
    """
    import polars as pl

    if isinstance(source, pl.LazyFrame):
        return Source(source, UNNAMED, "the frame")
    if isinstance(source, pl.DataFrame):
        return Source(source.lazy(), UNNAMED, "the frame")
    if isinstance(source, str) and source in SAMPLES:
        return Source(sample(source), source, f"sample {source!r}")
    if isinstance(source, (str, PathLike)):
        return _open_path(Path(source).expanduser())
    if hasattr(source, "__arrow_c_stream__"):
        return Source(pl.DataFrame(source).lazy(), UNNAMED, "the table")
    raise DataError(
        f"bars cannot be read from a {type(source).__name__}",
        seen=repr(source)[:80],
        hint="pass a Polars frame, a path, the name of a sample, or Bars",
    )


def _open_path(path: Path) -> Source:
    import polars as pl

    if not path.is_file():
        raise _no_such_file(path)
    described = f"file {path.name!r}"
    stem = path.name.partition(".")[0]
    # Matched on the whole name: `.suffix` of prices.csv.gz is only .gz.
    name = path.name.lower()
    if name.endswith(".parquet"):
        return Source(pl.scan_parquet(path), stem, described)
    if name.endswith((".csv", ".csv.gz")):
        # Types are not inferred: a guess from the first rows fails far from the cell that is wrong.
        return Source(pl.scan_csv(path, infer_schema=False), stem, described, text=True)
    if name.endswith((".arrow", ".ipc", ".feather")):
        return Source(pl.scan_ipc(path), stem, described)
    raise DataError(
        f"{described} is of a kind that is not read",
        seen=path.suffix or "no suffix",
        hint=f"known: {', '.join(SUFFIXES)}",
    )


def _no_such_file(path: Path) -> DataError:
    from difflib import get_close_matches

    if path.is_dir():
        return DataError(
            "a folder is not read as bars",
            seen=str(path),
            hint="pass pl.scan_parquet('folder/*.parquet') instead",
        )
    near = get_close_matches(str(path).upper(), SAMPLES, n=1)
    meant = f"did you mean the sample {near[0]!r}? " if near else ""
    return DataError(
        "there is no such file or sample",
        seen=str(path),
        hint=f"{meant}samples: {', '.join(SAMPLES)}; or give a path",
    )
