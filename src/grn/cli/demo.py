"""``grn demo``: the whole loop on real data, in four beats, every number measured."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from grn.ledger import Ledger
    from grn.quant.result import SweepResult
    from grn.quant.strategy.strategy import Strategy
    from grn.quant.validation import Validation

DATA = "INDICES"
FEE = 0.001
SHUFFLES = 50
COMPARED_ROWS = 24
"""Rows recomputed in plain Python, spread over the sweep; a row takes about 0.03 s."""


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("grn-demo"), show_default=True,
    help="Folder of the demo: a ledger of its own, the table, the report.",
)  # fmt: skip
def demo(out: Path) -> None:
    """Show the whole loop on real data in under a minute.

    Every pair of moving averages on two stock indices, 1999 to 2018: how fast it is swept, how good the best
    pair looks, what is left of it when every trial is counted, and how to have the result again.
    """
    from grn.cli.quant.tables import save_frame
    from grn.cli.quant.verdicts import judge_with_progress
    from grn.kit.files import make_dir
    from grn.ledger import Ledger

    make_dir(out)
    with Ledger.open(out / "ledger") as ledger:
        measured = measure(ma_cross(), ledger)
        result = measured.result
        _say("speed", tell_speed(measured))
        _say("temptation", tell_temptation(result))
        validation = judge_with_progress(result, ledger, shuffles=SHUFFLES)
    _say("verdict", tell_verdict(validation))
    table, report = out / "table.csv", out / "report.html"
    save_frame(result.frame, table)
    result.report(report, validation=validation)
    _say("proof", tell_proof(result, table, report, out))


def _say(beat: str, lines: Iterator[str]) -> None:
    for i, line in enumerate(lines):
        click.echo(f"{beat if i == 0 else '':<12}{line}")
    sys.stdout.flush()


def ma_cross() -> Strategy:
    """Build the strategy of examples/ma_cross.py."""
    from grn.quant import Strategy, close, param, sma

    fast, slow = param("fast", range(2, 101)), param("slow", range(2, 101))
    return Strategy(
        entry=sma(close, fast).crosses_above(sma(close, slow)),
        exit=sma(close, fast).crosses_below(sma(close, slow)),
        where=fast < slow,
        name="ma_cross",
    )


@dataclass(frozen=True)
class Measured:
    """A sweep and what it took; `differing` counts rows whose plain Python twin has other bits."""

    result: SweepResult
    first_s: float
    sweep_s: float
    peak_mb: float
    compared: int
    differing: int


def measure(strategy: Strategy, ledger: Ledger) -> Measured:
    """Compile and sweep, then compute a sample of the rows again with the reference engine."""
    import numpy as np

    from grn.quant import Costs, Rules
    from grn.quant.compute import compute
    from grn.quant.engine.choose import Choice, choose_engine
    from grn.quant.engine.plan import Grid, pin_grid
    from grn.quant.metrics.registry import parse_metrics
    from grn.quant.schema import load_bars
    from grn.quant.sweep import sweep

    bars = load_bars(DATA, strategy.needs(Rules()))
    rules, metrics = Rules(costs=Costs(fee=FEE)), parse_metrics()
    began = time.perf_counter()
    one = pin_grid(strategy, {"fast": 10, "slow": 50})
    compute(strategy, bars, one, rules, metrics, choose_engine(strategy), ppy=252.0)
    compiled = time.perf_counter()
    result = sweep(strategy, bars, costs=Costs(fee=FEE), ledger=ledger, command="demo")
    done = time.perf_counter()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    n = len(result.grid)
    rows = np.linspace(0, n - 1, COMPARED_ROWS // len(bars)).round().astype(int)
    sample = Grid(result.grid.params, np.ascontiguousarray(result.grid.values[rows]))
    plain = compute(
        strategy,
        bars,
        sample,
        result.rules,
        result.metrics,
        Choice("reference", "to compare"),
        ppy=result.ppy,
    )
    picked = result.frame[np.concatenate([rows + k * n for k in range(len(bars))]).tolist()]
    same = np.ones(len(picked), dtype=bool)
    for metric in result.metrics:
        ours, theirs = (f[metric.name].to_numpy().astype(np.float64) for f in (picked, plain.frame))
        same &= (ours.view(np.int64) == theirs.view(np.int64)) | (np.isnan(ours) & np.isnan(theirs))
    return Measured(
        result, compiled - began, done - compiled, peak_mb, len(picked), int(np.count_nonzero(~same))
    )


def tell_speed(measured: Measured) -> Iterator[str]:
    """First beat: what was run, how fast, and that the fast numbers are the plain ones."""
    result = measured.result
    days = len(result.bars[0])
    work = len(result.grid) * sum(map(len, result.bars))
    yield (
        f"{len(result.grid):,} pairs of moving averages x {len(result.bars)} indices x {days:,} days "
        f"in {measured.sweep_s:.2f} s, ledger included"
    )
    yield (
        f"{work / measured.sweep_s / 1e6:,.0f} million bar-combinations per second, "
        f"{len(result.metrics)} metrics each, "
        f"peak {measured.peak_mb:,.0f} MB (compiled before, in {measured.first_s:.1f} s)"
    )
    if measured.differing:
        yield f"reference engine: {measured.differing} of {measured.compared} rows DIFFER; please report this"
    else:
        yield f"reference engine in plain Python, {measured.compared} rows of the sweep: equal on every bit"


def tell_temptation(result: SweepResult) -> Iterator[str]:
    """Second beat: the winner beside buy-and-hold."""
    i = result.best("sharpe")
    row, path = result.row(i), result.path(i)
    held = path.close[-1] / path.close[0]
    peak, worst = path.close[0], 0.0
    for price in path.close.tolist():
        peak = max(peak, price)
        worst = min(worst, price / peak - 1.0)
    years = len(path.close) / result.ppy
    trades = f"{row['trades']:.0f} trades"
    yield f"the best of {len(result):,}: {result.label(i)}, Sharpe {row['sharpe']:.2f}, {trades}"
    yield (
        f"{result.rules.cash:,.0f} became {path.equity[-1]:,.0f}: {row['cagr']:.1%} a year after fees, "
        f"worst drawdown {row['max_drawdown']:.0%}"
    )
    yield (
        f"buying and holding {row['symbol']}: {result.rules.cash * held:,.0f}, "
        f"{held ** (1 / years) - 1:.1%} a year, worst drawdown {worst:.0%}"
    )


def tell_verdict(validation: Validation) -> Iterator[str]:
    """Third beat: what is left when every trial is counted."""
    v, noise = validation.verdict, validation.noise
    worth = f"worth {v.effective:,.0f} independent ones"
    yield f"{v.decision.upper()}: {v.counted:,} trials on this data, all in the ledger, {worth}"
    yield (
        f"that much luck should show Sharpe {v.effective_luck:.2f}; the winner has {v.sharpe:.2f}, above it "
        f"with probability {v.effective_dsr:.2f}"
    )
    yield f"resampled without skill, the best of these trials does as well: p = {v.skill_p:.3f}"
    yield f"chosen on half of the days, the best loses on the others in {v.overfitting.loss:.0%} of splits"
    yield (
        f"noise found a winner too: on {noise.shuffles} shuffled markets the same sweep's best had Sharpe "
        f"{noise.median:.2f} (median) to {noise.highest:.2f}"
    )
    yield f"{noise.reached} of {noise.shuffles} shuffles reached the winner: p = {noise.p_value:.2f}"


def tell_proof(result: SweepResult, table: Path, report: Path, out: Path) -> Iterator[str]:
    """Last beat: how to have it again."""
    from grn.kit.files import sha256_hex

    yield f"run {result.run}, result key {result.result_key[:16]}"
    for path in (report, table):
        yield f"{path}  sha256 {sha256_hex(path.read_bytes())[:16]} (run the demo again: the same bytes)"
    # Where the command is not on the path (a fresh `make demo`), the line must still work as printed.
    command = "grn" if shutil.which("grn") else os.path.relpath(sys.argv[0])
    replay = f"{command} --home {shlex.quote(str(out))} quant report {result.run}"
    yield f"{replay}   computes it again from the ledger"
