"""What the quant commands print and save."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grn.kit.errors import OutputError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from grn.quant.result import SweepResult
    from grn.quant.strategy.strategy import Strategy

SHOWN = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "win_rate", "exposure", "fees")
"""Metrics in a sweep's printed table, where they were computed; the saved frame has all."""


def top_rows(result: SweepResult, by: str, top: int) -> list[dict[str, Any]]:
    """Best rows by a metric, missing values last."""
    import polars as pl

    from grn.quant.metrics.registry import METRICS

    result.best(by)  # says what is wrong with `by`, if anything
    columns = ["symbol", *(p.name for p in result.grid.params)]
    shown = [m.name for m in result.metrics if m.name in (*SHOWN, by)]
    ordered = result.frame.sort(
        pl.col(by).fill_nan(None),
        descending=METRICS[by].higher_is_better is not False,
        nulls_last=True,
        maintain_order=True,
    )
    return ordered.head(top).select(*columns, *shown).rows(named=True)


def check_output(path: Path | None) -> None:
    """Refuse a path that cannot be written before anything is computed.

    Raises
    ------
    OutputError : its folder does not exist or is not writable, or it is a folder.
    """
    if path is None:
        return
    folder = path.resolve().parent
    if path.is_dir():
        raise OutputError("the output path is a folder", seen=str(path), hint="give a file name")
    if not folder.is_dir():
        raise OutputError("the output folder does not exist", seen=str(folder), hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK):
        raise OutputError("the output folder is not writable", seen=str(folder), hint="choose another folder")


def save_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as .parquet or .csv, whole or not at all."""
    from grn.kit.files import write_atomic

    buffer = io.BytesIO()
    if path.suffix == ".parquet":
        frame.write_parquet(buffer, compression="zstd")
    elif path.suffix == ".csv":
        frame.write_csv(buffer)
    else:
        raise UsageError(
            "unknown output format", seen=path.suffix or str(path), hint="end the name in .parquet or .csv"
        )
    write_atomic(path, buffer.getvalue())


def write_plan(
    strategy: Strategy, data: Any, metrics: str | None, engine: str, fill: str, *, as_json: bool
) -> None:
    """Print what a sweep would run and what it takes."""
    from grn.cli.output import write_facts, write_json
    from grn.quant.compute import memory_budget_gib, price_gib
    from grn.quant.engine.choose import choose_engine
    from grn.quant.engine.plan import build_grid, build_layout, build_plan
    from grn.quant.metrics.registry import parse_metrics
    from grn.quant.schema import load_bars

    budget, source = memory_budget_gib()
    bars = load_bars(data, strategy.needs(fill))
    grid = build_grid(strategy, budget)
    chosen = parse_metrics(metrics)
    choice = choose_engine(strategy, engine)
    plan = build_plan(strategy)
    facts: dict[str, object] = {
        "strategy": str(strategy),
        "data": "; ".join(f"{b.symbol}: {len(b):,} bars" for b in bars),
        "combinations": len(grid),
        "bar_combinations": len(grid) * sum(map(len, bars)),
        "series": build_layout(plan, grid).n_rows,
        "memory_gib": round(price_gib(strategy, len(grid), bars, chosen), 3),
        "budget_gib": round(budget, 3),
        "budget_from": source,
        "engine": choice.engine,
        "because": choice.reason,
    }
    if as_json:
        write_json(facts)
    else:
        write_facts((k.replace("_", " "), v) for k, v in facts.items())
