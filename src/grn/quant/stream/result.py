"""What a streamed sweep found: its parts as one lazy frame, its best rows, its quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.metrics.registry import METRICS
from grn.quant.stream.folder import Folder
from grn.quant.stream.order import quantiles

if TYPE_CHECKING:
    import polars as pl

SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Quantiles that are shown when none are asked for: the ends, the middle, and what lies between."""


class StreamResult:
    """The finished chunks of a streamed sweep; nothing is in memory until it is asked for.

    Rows lie chunk after chunk, within a chunk account after account, as in a sweep's frame.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def run(self) -> str | None:
        """Name of the run in the ledger."""
        return self._folder.run

    @property
    def result_key(self) -> str:
        """Hash of all that decides the bytes of the parts."""
        return str(self._folder.manifest["key"])

    @property
    def complete(self) -> bool:
        """Whether every chunk is done."""
        done, of = self.chunks
        return done == of

    @property
    def chunks(self) -> tuple[int, int]:
        """How many chunks are done, and how many there are."""
        return len(self._folder.parts), int(self._folder.manifest["parts"])

    def __len__(self) -> int:
        return sum(p.rows for p in self._folder.parts)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(self._folder.manifest["inputs"]["metrics"])

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts: the symbols, or the name of the target weights."""
        return tuple(self._folder.manifest["accounts"])

    @property
    def frame(self) -> pl.LazyFrame:
        """All rows: `symbol`, the parameters, the metrics.

        Raises
        ------
        UsageError
            No chunk with rows is done yet.
        """
        import polars as pl

        files = self._folder.files
        if not files:
            raise UsageError("the folder has no rows yet", seen=str(self.path), hint="run the sweep again")
        return pl.scan_parquet(files)

    def top(self, n: int = 10, by: str | None = None, *, min_trades: int = 1) -> pl.DataFrame:
        """The best rows by a metric, best first; missing values never win.

        Exact, in the memory of one part: of each part no more than `n` rows are kept.  Of equals the first
        account comes first, then the first combination, as in :meth:`SweepResult.best`.

        Parameters
        ----------
        by
            Metric; default the Sharpe ratio, or the first metric where that was not asked for.
        min_trades
            Rows with fewer trades are passed over (as long as trades were counted).
        """
        import polars as pl

        name = self.order(by)
        if n < 1:
            raise UsageError("the number of best rows is a whole number of at least 1", seen=repr(n))
        keep = pl.col(name).is_not_null() & pl.col(name).is_not_nan()
        if "trades" in self.metrics:
            keep &= pl.col("trades") >= min_trades
        falling = METRICS[name].higher_is_better is not False
        account = pl.col("symbol").replace_strict({s: i for i, s in enumerate(self.accounts)}).alias(_RANK)
        best: pl.DataFrame | None = None
        for file in self._files():
            rows = pl.scan_parquet(file).filter(keep)
            if best is not None and best.height == n:
                # Nearly every row of a later part is out of the running: it is not even read into a frame.
                last = best[name][-1]
                rows = rows.filter(pl.col(name) >= last if falling else pl.col(name) <= last)
            found = rows.with_columns(account).collect()
            # Earlier parts stand above: a stable sort leaves earlier combinations first among equals.
            best = _best(found if best is None else pl.concat([best, found]), name, n, falling=falling)
        assert best is not None
        return best.drop(_RANK)

    def quantiles(self, metric: str | None = None, shares: Sequence[float] = SHARES) -> dict[float, float]:
        """Quantiles of a metric over all rows that have it: share -> value.

        Exact, in fixed memory (see :mod:`grn.quant.stream.order`): the value at `q` is that of a row, the
        smallest that at least the share `q` of the rows does not exceed.
        """
        name = self.order(metric)
        wrong = [q for q in shares if not 0 <= q <= 1]
        if wrong or not len(shares):
            raise UsageError("quantiles are asked for by shares between 0 and 1", seen=list(shares))
        found = quantiles(lambda: self._batches(name), shares)[1]
        return dict(zip(map(float, shares), found.tolist(), strict=True))

    def order(self, name: str | None) -> str:
        """The metric of that name; without one the Sharpe ratio, or the first that was asked for."""
        if name is None:
            return "sharpe" if "sharpe" in self.metrics else self.metrics[0]
        asked = name.strip().lower()
        if asked not in self.metrics:
            near = get_close_matches(asked, self.metrics, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else ", ".join(self.metrics)
            raise UsageError("no such metric in this result", seen=name, hint=hint)
        return asked

    def _batches(self, column: str) -> Iterator[npt.NDArray[np.float64]]:
        import polars as pl

        for file in self._files():
            yield (
                pl.read_parquet(file, columns=[column])[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
            )

    def _files(self) -> list[Path]:
        _ = self.frame  # says what is wrong where there are none
        return self._folder.files

    def facts(self) -> dict[str, Any]:
        """What the folder holds, for a person or a program."""
        done, of = self.chunks
        return {
            "folder": str(self.path),
            "run": self.run,
            "result_key": self.result_key,
            "rows": len(self),
            "chunks": done,
            "of": of,
            "complete": self.complete,
        }

    def __repr__(self) -> str:
        done, of = self.chunks
        return f"StreamResult({self.path}: {len(self):,} rows, {done:,} of {of:,} chunks)"


_RANK = "account of the row"
"""A column that no parameter and no metric is called."""


def _best(rows: pl.DataFrame, name: str, n: int, *, falling: bool) -> pl.DataFrame:
    return rows.sort([name, _RANK], descending=[falling, False], maintain_order=True).head(n)


def open_sweep(folder: str | Path) -> StreamResult:
    """The streamed sweep in a folder, finished or not; nothing is written.

    Raises
    ------
    UsageError
        There is none.
    DataError
        It is damaged.
    """
    return StreamResult(Folder.open(Path(folder)))
