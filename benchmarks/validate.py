"""Statistics of a search of 1,000 strategies x 5,000 bars: equal to their peers first, then the clock.

    python -m benchmarks.validate
    python -m benchmarks.validate --trials 200 --bars 1000 --resamples 1000

Measured are the probability of backtest overfitting over 12,870 splits beside a plain NumPy one, the test for
superior predictive ability beside arch's, combinatorial purged cross-validation (12, 2) beside reading the
table of returns once, `assess` on that table, and the complete verdict on a sweep of 1,000 strategies over
the S&P 500's 5,031 days: `grn.validate` with 50 shuffled sweeps, the returns of all trials computed and
entered in a ledger, and what else is known about the winner. What takes the peers hours is timed on a part
and scaled: the result says so. Before the clock, the same functions give the same numbers on a small case.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measure import describe_code, describe_machine, median, write_result
from grn.ledger import Ledger
from grn.quant import Costs, Strategy, close, param, sma
from grn.quant.judge import validate
from grn.quant.sweep import sweep
from grn.quant.validate.assessment import assess
from grn.quant.validate.folds import Folds
from grn.quant.validate.overfitting import measure_overfitting, overfitting_plainly
from grn.quant.validate.resampling import Bootstrap
from grn.quant.validate.returns import keep_defined, sharpe_ratios
from grn.quant.validate.selection import cross_validate
from grn.quant.validate.superiority import measure_superiority

Array = npt.NDArray[np.float64]
YEAR = 252.0
MOST_S = 3.0
"""What the complete verdict may take."""
PLAIN_SPLITS = 70
"""Splits that the plain cross-validation is timed on: all of eight blocks."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, time, write down; 1 when numbers differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validate", description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="default: 1,000")
    parser.add_argument("--bars", type=int, default=5000, help="default: 5,000")
    parser.add_argument("--resamples", type=int, default=10_000, help="default: 10,000")
    parser.add_argument("--peer-resamples", type=int, default=40, help="arch is timed on these (default: 40)")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds of ours (default: 3)")
    parser.add_argument("--save", metavar="NAME", default="validate.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    wrong = find_differences()
    if wrong:
        print(f"nothing timed: {wrong}", file=sys.stderr)
        return 1
    returns = np.random.default_rng(0).normal(0.0, 0.01, (chosen.bars, chosen.trials))
    block = int(np.sqrt(chosen.bars))
    result: dict[str, object] = {
        "command": f"python -m benchmarks.validate --trials {chosen.trials} --bars {chosen.bars} "
        f"--resamples {chosen.resamples} --peer-resamples {chosen.peer_resamples}",
        "trials": chosen.trials,
        "bars": chosen.bars,
    }
    print(f"{chosen.trials:,} strategies x {chosen.bars:,} bars, equal to their peers on a small case")

    def ours(name: str, work: Callable[[], object]) -> float:
        """Median of a few rounds, the first one (compilation) left out."""
        seconds = [timed(work) for _ in range(chosen.rounds + 1)][1:]
        print(f"  {name:<44}{median(seconds):10.3f} s")
        return median(seconds)

    splits = 12_870
    fast = ours("overfitting, 12,870 splits", lambda: measure_overfitting(returns))
    plain = timed(lambda: overfitting_plainly(returns, 8)) / PLAIN_SPLITS * splits
    print(f"  {'  plain NumPy, scaled from 70 splits':<44}{plain:10.1f} s  {plain / fast:8.0f} x")
    result["overfitting"] = {"wall_s": fast, "numpy_s": plain, "numpy_timed_splits": PLAIN_SPLITS}

    def test(count: int) -> object:
        return measure_superiority(returns, resamples=count, block=block, studentize=False)

    fast = ours(f"superiority, {chosen.resamples:,} resamples", lambda: test(chosen.resamples))
    fixed, each = time_arch(returns, block, chosen.peer_resamples)
    peer = fixed + each * chosen.resamples
    print(f"  {'  arch, scaled from ' + str(chosen.peer_resamples):<44}{peer:10.1f} s  {peer / fast:8.0f} x")
    result["superiority"] = {
        "wall_s": fast,
        "resamples": chosen.resamples,
        "block": block,
        "arch_s": peer,
        "arch_variances_s": fixed,
        "arch_per_resample_s": each,
        "arch_timed_resamples": chosen.peer_resamples,
        "times_faster": peer / fast,
    }

    read = ours("the table of returns read once", lambda: sharpe_ratios(keep_defined(returns).returns))
    crossed = ours("cross-validation (12, 2), 66 splits", lambda: cross_validate(returns))
    result["cross_validation"] = {
        "wall_s": crossed,
        "table_read_s": read,
        "splits": Folds(chosen.bars, 12, 2).n_splits,
    }
    alone = ours("the verdict on the table alone", lambda: assess(returns, ppy=YEAR))
    whole = ours_of_sweeps(chosen.rounds)
    print(f"  {'the complete verdict on a sweep':<44}{whole:10.3f} s")
    result["verdict"] = {"wall_s": whole, "of_the_table_alone_s": alone, "most_s": MOST_S}
    path = write_result(chosen.save, {**result, "machine": describe_machine(), **describe_code()})
    print(f"\nwritten to benchmarks/results/{path.name}")
    return 0


def ours_of_sweeps(rounds: int) -> float:
    """Median seconds of `grn.validate` on a sweep of 1,000 strategies, a fresh ledger in every round."""
    fast, slow = param("fast", range(2, 42, 2)), param("slow", range(50, 250, 4))
    cross = Strategy(
        entry=sma(close, fast).crosses_above(sma(close, slow)),
        exit=sma(close, fast).crosses_below(sma(close, slow)),
    )
    seconds = []
    for _ in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder)) as ledger:
            result = sweep(cross, "SP500", costs=Costs(fee=0.001), ledger=ledger)
            assert len(result) == 1_000
            seconds.append(timed(lambda: validate(result, ledger=ledger)))  # noqa: B023 - called at once
    return median(seconds[1:])


def find_differences() -> str:
    """What differs from the peers on a small case; empty when nothing does."""
    from arch.bootstrap import SPA

    x = np.random.default_rng(1).normal(0.0002, 0.01, (320, 40))
    found, (logits, outside, best) = measure_overfitting(x, blocks=8), overfitting_plainly(x, 8)
    if not (np.array_equal(found.logits, logits) and np.array_equal(found.best, best)):
        return "splits are judged otherwise than by plain NumPy"
    if not np.allclose(found.outside, outside, rtol=0.0, atol=1e-12):
        return "Sharpe ratios differ from plain NumPy's"
    theirs = SPA(np.zeros(len(x)), -x, block_size=12, reps=500, seed=2)
    theirs.compute()
    ours = measure_superiority(x, block=12, resamples=500, seed=2, studentize=False)
    if [ours.p_lower, ours.p_consistent, ours.p_upper] != theirs.pvalues.tolist():
        return "p-values differ from arch's"
    drawn = Bootstrap(len(x), 12, 2).draw(3)
    plain = np.array([(x[drawn.indices(k)].mean(axis=0) - x.mean(axis=0)).max() for k in range(3)])
    if not np.allclose(ours.peaks[:3, 2], plain, rtol=0.0, atol=1e-15):
        return "means of resamples differ from those of their bars"
    return ""


def time_arch(returns: Array, block: int, resamples: int) -> tuple[float, float]:
    """Seconds of arch's test with a single resample, nearly all of it variances, and of each further one.

    A further one is what the test does with it: the bars gathered, and their means taken three times. The
    difference of two whole tests would say the same, were it not lost in the noise of the variances.
    """
    from arch.bootstrap import SPA, StationaryBootstrap

    fixed = timed(SPA(np.zeros(len(returns)), -returns, block_size=block, reps=1, seed=0).compute)
    mean = returns.mean(axis=0)

    def resample() -> None:
        for (data,), _ in StationaryBootstrap(block, returns, seed=0).bootstrap(resamples):
            for _ in range(3):
                data.mean(0) - mean

    return fixed, timed(resample) / resamples


def timed(work: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main())
