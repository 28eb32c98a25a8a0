"""The result of a sweep: one row per combination and symbol, and the path of any row on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.kit.files import sha256_hex
from grn.ledger import TrialCount
from grn.quant.engine.choose import Choice
from grn.quant.engine.path import Path, trace
from grn.quant.engine.plan import Grid
from grn.quant.engine.portfolio.panel import Panel
from grn.quant.engine.portfolio.path import PortfolioPath, trace_portfolio
from grn.quant.metrics.from_returns import path_metrics
from grn.quant.metrics.registry import METRICS, Metric, parse_metrics
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import AnyStrategy, Weights

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SweepResult:
    """What a sweep found.

    Attributes
    ----------
    frame
        One row per account and combination: `symbol`, the parameters, the metrics.  Row i belongs to account
        ``i // C`` and combination ``i % C``.  Signals have an account for each symbol; target weights have
        one for all, and its name in the column `symbol`.
    trial_sharpes
        Per account, the per-period Sharpe ratio of every combination: float64 [C].
    run, result_key, counting
        Names of the run, and the trials counted on its data at its watermark; empty when the run was not
        recorded.
    timings_s
        Seconds of the engine ("run") and of everything ("total").
    search
        How the combinations were found, as plain data; None when they are all of a grid.
    """

    strategy: AnyStrategy
    bars: tuple[Bars, ...]
    grid: Grid
    rules: Rules
    metrics: tuple[Metric, ...]
    frame: pl.DataFrame
    choice: Choice
    ppy: float
    trial_sharpes: tuple[Array, ...]
    run: str = ""
    result_key: str = ""
    counting: TrialCount | Callable[[], TrialCount] | None = None
    timings_s: Mapping[str, float] = field(default_factory=dict)
    search: Mapping[str, Any] | None = None

    @classmethod
    def assemble(
        cls,
        strategy: AnyStrategy,
        bars: tuple[Bars, ...],
        grid: Grid,
        rules: Rules,
        metrics: Sequence[Metric],
        columns: Mapping[str, Sequence[Array]],
        *,
        choice: Choice,
        ppy: float,
        trial_sharpes: tuple[Array, ...],
    ) -> SweepResult:
        """Put the metric columns of the accounts below each other."""
        import polars as pl

        names = account_names(strategy, bars)
        symbols = pl.concat([pl.repeat(name, len(grid), dtype=pl.String, eager=True) for name in names])
        data: dict[str, Any] = {"symbol": symbols}
        for name, values in grid.columns().items():
            data[name] = np.tile(values, len(names))
        for metric in metrics:
            data[metric.name] = np.concatenate(columns[metric.name])
        return cls(
            strategy, bars, grid, rules, tuple(metrics), pl.DataFrame(data), choice, ppy, trial_sharpes
        )

    @cached_property
    def trials(self) -> TrialCount | None:
        """Trials counted on the data at the run's watermark, when first asked for; the same for ever."""
        return self.counting() if callable(self.counting) else self.counting

    def named(
        self, *, run: str, result_key: str, trials: TrialCount | Callable[[], TrialCount]
    ) -> SweepResult:
        """The same result with its names in the ledger."""
        return replace(self, run=run, result_key=result_key, counting=trials)

    def timed(self, timings_s: Mapping[str, float]) -> SweepResult:
        """The same result with its timings."""
        return replace(self, timings_s=dict(timings_s))

    def found_by(self, search: Mapping[str, Any]) -> SweepResult:
        """The same result with how its combinations were found."""
        return replace(self, search=dict(search))

    def __len__(self) -> int:
        return len(self.accounts) * len(self.grid)

    @cached_property
    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts: the symbols, or the name of the target weights."""
        return account_names(self.strategy, self.bars)

    @cached_property
    def frame_sha256(self) -> str:
        """Hash of the result's bytes, column by column."""
        chunks: list[bytes] = []
        for name in self.frame.columns[1:]:
            chunks += [name.encode(), np.ascontiguousarray(self.frame[name].to_numpy()).tobytes()]
        return sha256_hex("\x00".join(self.accounts).encode(), *chunks)

    def between(self, start: int, stop: int) -> SweepResult:
        """The same result for the combinations ``start <= number < stop`` alone, not recorded."""
        import polars as pl

        size = len(self.grid)
        rows = [self.frame.slice(k * size + start, stop - start) for k in range(len(self.accounts))]
        return replace(
            self, grid=Grid(self.grid.params, self.grid.values[start:stop]), frame=pl.concat(rows),
            trial_sharpes=tuple(s[start:stop] for s in self.trial_sharpes),
            run="", result_key="", counting=None,
        )  # fmt: skip

    def best(self, by: str = "sharpe", *, min_trades: int = 1) -> int:
        """Row number of the best row by a metric; missing values never win, the first of equals does.

        Rows with fewer trades than `min_trades` are passed over (as long as trades were counted): what never
        traded has the smallest drawdown of all.

        Raises
        ------
        UsageError
            The metric was not computed, or no row has it and enough trades.
        """
        name = by.strip().lower()
        known = name in {m.name for m in self.metrics}
        if not known and name != "sharpe":
            names = [m.name for m in self.metrics]
            near = get_close_matches(name, names, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else ", ".join(names)
            raise UsageError("no such metric in this result", seen=by, hint=hint)
        # The Sharpe ratio of every trial is known, whichever metrics were asked for.
        values = self.frame[name].to_numpy() if known else np.concatenate(self.trial_sharpes)
        if "trades" in self.frame.columns:
            values = np.where(self.frame["trades"].to_numpy() >= min_trades, values, np.nan)
        if np.isnan(values).all():
            raise UsageError(
                f"{name} is missing in every row with at least {min_trades} trades",
                seen=f"{len(self):,} rows",
                hint="did anything trade?",
            )
        return int(np.nanargmin(values) if METRICS[name].higher_is_better is False else np.nanargmax(values))

    @property
    def winner(self) -> int:
        """Row that is judged and reported: the best by Sharpe ratio; the first where none has one."""
        try:
            return self.best("sharpe")
        except UsageError:
            return 0

    def find(self, symbol: str | None = None, **params: float) -> int:
        """Row number of a parameter setting: ``result.find(fast=10, slow=50)``.

        `symbol` may be left out when there is one.

        Raises
        ------
        UsageError
            A parameter or symbol is unknown or left out, or there is no such combination.
        """
        names = [p.name for p in self.grid.params]
        if sorted(params) != sorted(names):
            raise UsageError(
                "a row is found by all its parameters", seen=", ".join(params), hint=", ".join(names)
            )
        symbols = list(self.accounts)
        if symbol is None and len(symbols) > 1:
            raise UsageError(
                "there are several symbols", seen=", ".join(symbols), hint="say which: symbol=..."
            )
        if symbol is not None and symbol not in symbols:
            raise UsageError("the result has no such symbol", seen=symbol, hint=", ".join(symbols))
        wanted = np.array([params[n] for n in names], dtype=np.float64)
        found = np.flatnonzero((self.grid.values == wanted).all(axis=1))
        if not len(found):
            raise UsageError("no such combination", seen=", ".join(f"{k}={v:g}" for k, v in params.items()))
        return (0 if symbol is None else symbols.index(symbol)) * len(self.grid) + int(found[0])

    def row(self, i: int) -> dict[str, Any]:
        """One row of the frame by name."""
        return self.frame.row(self._check(i), named=True)

    def label(self, i: int) -> str:
        """Symbol and parameters of a row, such as ``SP500 fast=10 slow=50``."""
        account, binding = self._locate(i)
        return " ".join([self.accounts[account], *(f"{k}={v:g}" for k, v in binding.items())])

    def path(self, i: int) -> Path | PortfolioPath:
        """The path of a row: run again with everything written down, the same bits.

        A :class:`~grn.quant.engine.path.Path`, or with target weights a
        :class:`~grn.quant.engine.portfolio.path.PortfolioPath`.
        """
        i = self._check(i)
        if i not in self._paths:
            if len(self._paths) >= 16:
                self._paths.pop(next(iter(self._paths)))
            self._paths[i] = self._trace(i)
        return self._paths[i]

    @cached_property
    def _paths(self) -> dict[int, Path | PortfolioPath]:
        return {}

    def _trace(self, i: int) -> Path | PortfolioPath:
        account, binding = self._locate(i)
        if isinstance(self.strategy, Weights):
            jit = self.choice.engine != "reference"
            return trace_portfolio(self.strategy, self._panel, self.rules, binding, jit=jit)
        return trace(self.strategy, self.bars[account], self.rules, binding)

    @cached_property
    def _panel(self) -> Panel:
        return Panel(self.bars)

    def equity(self, i: int | None = None) -> pl.DataFrame:
        """Bars of a row: ts, close, cash, position, equity (default: the best row by Sharpe ratio)."""
        return self.path(self._or_best(i)).bars_frame()

    def orders(self, i: int | None = None) -> pl.DataFrame:
        """Orders of a row."""
        return self.path(self._or_best(i)).orders()

    def trades(self, i: int | None = None) -> pl.DataFrame:
        """Trades of a row, an open one included."""
        return self.path(self._or_best(i)).trades()

    def positions(self, i: int | None = None) -> pl.DataFrame:
        """Stretches with a constant position."""
        return self.path(self._or_best(i)).positions()

    def drawdowns(self, i: int | None = None) -> pl.DataFrame:
        """Drawdowns of a row, deepest first."""
        return self.path(self._or_best(i)).drawdowns()

    def details(self, i: int | None = None) -> dict[str, float]:
        """Every metric of a row, those that need the whole distribution included."""
        i = self._or_best(i)
        one = self.path(i)
        row = self.row(i)
        known = {
            m.name: float(row[m.name]) for m in self.metrics if not m.second_pass and row[m.name] is not None
        }
        full = path_metrics(
            one.returns, one.equity, initial=self.rules.cash, ppy=self.ppy, metrics=parse_metrics("all"),
            further=path_sums(one),
        )  # fmt: skip
        return {**full, **known}

    def portfolio(self, combination: int = 0) -> pl.DataFrame:
        """Accounts of all symbols at one combination, added up: ts, one equity column per symbol, equity.

        Each symbol has its own initial cash; before its first bar an account holds that, after its last bar
        its last equity.
        """
        import polars as pl

        if not 0 <= combination < len(self.grid):
            raise UsageError("no such combination", seen=combination, hint=f"0 to {len(self.grid) - 1}")
        if isinstance(self.strategy, Weights):
            return self.path(combination).bars_frame().select("ts", "equity")
        taken = [b.symbol for b in self.bars if b.symbol in ("ts", "equity")]
        if taken:
            raise UsageError(
                "a symbol is called like a column of the portfolio", seen=taken[0], hint="rename it"
            )
        parts = [self.path(k * len(self.grid) + combination) for k in range(len(self.bars))]
        stamps = np.unique(np.concatenate([p.ts_ns for p in parts]))
        columns: dict[str, Array] = {}
        total = np.zeros(len(stamps))
        for p in parts:
            last = np.searchsorted(p.ts_ns, stamps, side="right") - 1
            columns[p.symbol] = np.where(last >= 0, p.equity[np.maximum(last, 0)], p.initial)
            total = total + columns[p.symbol]
        ts = pl.Series("ts", stamps, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
        return pl.DataFrame({"ts": ts, **columns, "equity": total})

    def with_second_pass(self) -> SweepResult:
        """Fill the metrics that need the whole distribution: one more walk per row."""
        import polars as pl

        wanted = [m for m in self.metrics if m.second_pass]
        columns: dict[str, list[float]] = {m.name: [] for m in wanted}
        for i in range(len(self)):
            one = self._trace(i)
            found = path_metrics(
                one.returns, one.equity, initial=self.rules.cash, ppy=self.ppy, metrics=wanted
            )
            for name, column in columns.items():
                column.append(found[name])
        return replace(
            self, frame=self.frame.with_columns(pl.Series(k, v, pl.Float64) for k, v in columns.items())
        )

    def report(self, path: str | FilePath, **options: Any) -> FilePath:
        """Write the self-contained HTML report (see `grn.quant.report.write_report`)."""
        from grn.quant.report import write_report

        return write_report(self, FilePath(path), **options)

    def plot(self, i: int | None = None) -> go.Figure:
        """Equity of a row against buy-and-hold, and its drawdown."""
        from grn.quant.report import figures

        return figures.equity(self, self._or_best(i))

    def heatmap(self, metric: str = "sharpe", symbol: str | None = None) -> go.Figure:
        """A metric over two parameters (others at the best row's values)."""
        from grn.quant.report import figures

        return figures.heatmap(self, metric, symbol)

    def _repr_html_(self) -> str:
        from grn.quant.report import notebook

        return notebook.card(self)

    def __repr__(self) -> str:
        return (
            f"SweepResult({self.strategy.name}: {len(self.grid):,} combinations on "
            f"{', '.join(b.symbol for b in self.bars)}; {len(self):,} rows)"
        )

    def _or_best(self, i: int | None) -> int:
        if i is None:
            return 0 if len(self) == 1 else self.best()
        return self._check(i)

    def _check(self, i: int) -> int:
        if not 0 <= i < len(self):
            raise UsageError("no such row", seen=i, hint=f"rows go from 0 to {len(self) - 1}")
        return int(i)

    def _locate(self, i: int) -> tuple[int, dict[str, float]]:
        i = self._check(i)
        return i // len(self.grid), self.grid.binding(i % len(self.grid))


def account_names(strategy: AnyStrategy, bars: Sequence[Bars]) -> tuple[str, ...]:
    """Names of the accounts: the symbols, or the name of the target weights."""
    return (strategy.name,) if isinstance(strategy, Weights) else tuple(b.symbol for b in bars)


def path_sums(path: Path | PortfolioPath) -> dict[str, float]:
    """Accumulators that returns do not determine (trades, exposure, turnover, fees), from a finished path."""
    held = path.gross if isinstance(path, PortfolioPath) else path.position
    return {**path.tallies, "bars_in": float(np.count_nonzero(held))}
