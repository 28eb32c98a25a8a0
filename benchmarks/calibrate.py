"""How often the verdict is wrong: passes where there is nothing, and edges that it finds.

    python -m benchmarks.calibrate                       1,000 null sweeps, 50 at each edge: half an hour
    python -m benchmarks.calibrate --sets 40 --edged 10  a look

Every set is a sweep of 1,000 strategies over ten years of days of one simulated market. The market's
volatility clusters as that of the S&P 500 does: GARCH(1, 1) with Student's t, fitted by arch 8.0.0 to the
bundled sample `SP500`. Two families of strategies:

crossings   long or short by two moving averages of 20 x 50 lengths: neighbours trade alike. A real sweep on
            the cpu engine, judged by `grn.validate` with its 50 shuffled sweeps, as `grn quant validate` does
unrelated   long or short by coins that fall every ten days or so: 1,000 independent trials, the most luck.
            Coins are no rule that a sweep could run again on shuffled bars, so these are judged by the other
            three questions alone (`assess`), which only makes a pass easier

A set with an edge has a market that drifts with the positions of one of the strategies, so that the true
Sharpe ratio of that one is known; its neighbours share it as far as they trade alike. Beside the verdict
stand the rules it is made of, and what happens without any correction: the best one's probability of a true
Sharpe ratio above 0 (PSR >= 0.95).
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.measure import describe_code, describe_machine, write_result
from grn.ledger import TrialCount
from grn.quant import Rules, Strategy, close, param, sma
from grn.quant.compute import compute
from grn.quant.engine.choose import choose_engine
from grn.quant.engine.plan import build_grid
from grn.quant.judge import validate
from grn.quant.metrics.registry import parse_metrics
from grn.quant.result import SweepResult
from grn.quant.returns import trial_returns
from grn.quant.schema import Bars
from grn.quant.validate.assessment import assess
from grn.quant.validate.verdict import MOST_LOSS, PASS_DSR, PASS_P, Assessment

Array = npt.NDArray[np.float64]
Family = Literal["crossings", "unrelated"]
FAMILIES: tuple[Family, ...] = ("crossings", "unrelated")

YEAR = 252
BARS = 10 * YEAR
DAY_NS = 86_400 * 10**9
SHUFFLES = 50
FAST, SLOW = np.arange(2, 42, 2), np.arange(50, 250, 4)
TRIALS = FAST.size * SLOW.size
PLANTED = 10 * SLOW.size + 12
"""The strategy that the market drifts with: 22 against 98 days, in the middle of the grid."""

# arch_model(100 * log returns of SP500, vol="GARCH", dist="t") of arch 8.0.0: alpha 0.0995, beta 0.9002, nu
# 6.51, which leave no variance. Beta is lowered by 0.005 so that there is one.
ALPHA, BETA, NU = 0.0995, 0.8952, 6.51
DEVIATION = 0.012
MOST_FALSE, LEAST_POWER = 0.05, 0.80
"""What the verdict promises: passes among null sets, and passes at a true Sharpe ratio of 2."""
EDGES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


@dataclass(frozen=True)
class Outcome:
    """One set: what the verdict was, and what it was made of."""

    family: Family
    edge: float
    seed: int
    decision: str
    found: bool
    """The winner is the strategy with the edge (or, of the crossings, trades like it: correlation 0.5)."""
    sharpe: float
    effective: float
    psr: float
    dsr: float
    effective_dsr: float
    p_value: float
    loss: float
    pbo: float
    noise_p: float
    """Of the shuffled sweeps; NaN where there were none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, judge, count, write down; 1 when the promises of the verdict are broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrate", description=__doc__)
    parser.add_argument(
        "--sets", type=int, default=1000, help="null sets, half of each family (default: 1000)"
    )
    parser.add_argument("--edged", type=int, default=50, help="sets per edge and family (default: 50)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--save", metavar="NAME", default="calibrate.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    jobs = [(family, 0.0, seed) for seed in range(chosen.sets // 2) for family in FAMILIES]
    jobs += [(family, edge, seed) for edge in EDGES for seed in range(chosen.edged) for family in FAMILIES]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    began = time.perf_counter()
    # Each worker is one thread, its BLAS too. Spawned: a forked child has the locks of its parent's threads,
    # and not the threads.
    with (
        tempfile.TemporaryDirectory() as home,
        ProcessPoolExecutor(
            chosen.workers, mp_context=get_context("spawn"), initializer=settle, initargs=(home,)
        ) as pool,
    ):
        outcomes = list(pool.map(judge, *zip(*jobs, strict=True), chunksize=5))
    rates = tabulate(outcomes)
    show(rates)
    null = [o for o in outcomes if o.edge == 0.0]
    false = sum(o.decision == "pass" for o in null)
    if null:
        print(f"\nnull: {false} of {len(null)} passed; at most {upper_bound(false, len(null)):.2%} (95 %)")
    result = {
        "command": f"python -m benchmarks.calibrate --sets {chosen.sets} --edged {chosen.edged}",
        "trials": TRIALS,
        "bars": BARS,
        "market": {"alpha": ALPHA, "beta": BETA, "nu": NU, "deviation": DEVIATION},
        "false_passes": false,
        "null_sets": len(null),
        "false_rate_at_most": upper_bound(false, len(null)),
        "rates": rates,
        "wall_s": round(time.perf_counter() - began, 1),
        "machine": describe_machine(),
        **describe_code(),
    }
    path = write_result(chosen.save, result)
    print(f"written to benchmarks/results/{path.name}")
    at_two = [table["2"]["pass"] for table in rates.values() if "2" in table]
    return int(false > MOST_FALSE * len(null) or any(power < LEAST_POWER for power in at_two))


def settle(home: str) -> None:
    """Keep a worker to a folder of its own: nothing here belongs to the node's ledger."""
    os.environ["GRN_HOME"] = str(Path(home, str(os.getpid())))


def judge(family: Family, edge: float, seed: int) -> Outcome:
    """Simulate one set and judge it, on one thread."""
    if family == "crossings":
        result = sweep_crossings(edge, seed)
        validation = validate(result, shuffles=SHUFFLES, seed=SHUFFLES * seed, trials=counted(TRIALS))
        verdict, noise_p = validation.verdict, validation.noise.p_value
        table = trial_returns(result, [validation.row, PLANTED])
        places = np.searchsorted(table.rows, [validation.row, PLANTED])
        pair = table.returns[:, places]
    else:
        returns = simulate_coins(edge, seed)
        verdict, noise_p = assess(returns, ppy=YEAR, seed=seed, threads=1), math.nan
        pair = returns[:, [verdict.best, 0]]
    alike = float(np.corrcoef(pair[:, 0], pair[:, 1])[0, 1])
    return _outcome(family, edge, seed, verdict, noise_p, found=alike >= 0.5)


def _outcome(
    family: Family, edge: float, seed: int, verdict: Assessment, noise_p: float, *, found: bool
) -> Outcome:
    return Outcome(
        family=family,
        edge=edge,
        seed=seed,
        decision=verdict.decision,
        found=found,
        sharpe=verdict.sharpe,
        effective=verdict.effective,
        psr=verdict.psr,
        dsr=verdict.dsr,
        effective_dsr=verdict.effective_dsr,
        p_value=verdict.skill_p,
        loss=verdict.overfitting.loss,
        pbo=verdict.overfitting.pbo,
        noise_p=noise_p,
    )


def counted(n: int) -> TrialCount:
    """What a ledger that has seen this sweep alone would count."""
    return TrialCount(n, math.nan, math.nan, math.nan, 1, 1, 1)


def simulate_coins(edge: float, seed: int, *, bars: int = BARS) -> Array:
    """Returns of every unrelated strategy on one market: float64 [bars, TRIALS].

    ``edge`` is the true annual Sharpe ratio of the first one, 0 for a market without drift.
    """
    rng = np.random.default_rng([seed, FAMILIES.index("unrelated"), round(1000 * edge)])
    noise = garch(rng, bars)
    # Given the volatility that came: ten years of clustered volatility are mostly calmer than expected, and
    # the same drift would be a higher Sharpe ratio.
    drift = edge / math.sqrt(YEAR) * float(noise.std())
    turns = np.where(rng.random((bars, TRIALS)) < 0.1, -1.0, 1.0)
    turns[0] = np.where(rng.random(TRIALS) < 0.5, -1.0, 1.0)
    positions: Array = np.multiply.accumulate(turns, axis=0)
    market = noise + drift * positions[:, 0]
    return positions * market[:, None]


def sweep_crossings(edge: float, seed: int, *, bars: int = BARS) -> SweepResult:
    """Sweep every pair of moving averages, long above and short below, without costs, at the close."""
    rng = np.random.default_rng([seed, FAMILIES.index("crossings"), round(1000 * edge)])
    noise = garch(rng, bars)
    market = drifting(noise, edge / math.sqrt(YEAR) * float(noise.std()))
    price: Array = 100.0 * np.multiply.accumulate(1.0 + market)
    stamps = np.arange(bars, dtype=np.int64) * DAY_NS
    columns = dict.fromkeys(("open", "high", "low", "close"), price)
    fast, slow = param("fast", FAST.tolist()), param("slow", SLOW.tolist())
    above = sma(close, fast) > sma(close, slow)
    below = sma(close, fast) < sma(close, slow)
    both = Strategy(entry=above, exit=below, short_entry=below, short_exit=above, name="crossings")
    return compute(
        both, (Bars("MARKET", stamps, columns),), build_grid(both, 1.0), Rules(fill="close"),
        parse_metrics("sharpe"), choose_engine(both), ppy=float(YEAR), threads=1,
    )  # fmt: skip


def garch(rng: np.random.Generator, bars: int) -> Array:
    """Returns without drift, their volatility clustered: float64 [bars]."""
    shocks = rng.standard_t(NU, bars + YEAR) * math.sqrt((NU - 2.0) / NU)
    whole = DEVIATION**2
    variance, out = whole, np.empty(bars + YEAR)
    for t, shock in enumerate(shocks.tolist()):
        change = math.sqrt(variance) * shock
        out[t] = change
        variance = (1.0 - ALPHA - BETA) * whole + ALPHA * change * change + BETA * variance
    return out[YEAR:]


def drifting(noise: Array, drift: float) -> Array:
    """The market that drifts with the planted crossing's own position on it: returns, float64 [bars]."""
    if drift == 0.0:
        return noise
    fast, slow = int(FAST[PLANTED // SLOW.size]), int(SLOW[PLANTED % SLOW.size])
    market, price, sums = noise.copy(), 1.0, [0.0]
    for t, change in enumerate(noise.tolist()):
        if t >= slow:
            above = (sums[t] - sums[t - fast]) / fast > (sums[t] - sums[t - slow]) / slow
            market[t] = change + (drift if above else -drift)
        price *= 1.0 + float(market[t])
        sums.append(sums[-1] + price)
    return market


def tabulate(outcomes: Sequence[Outcome]) -> dict[str, dict[str, dict[str, float]]]:
    """Rates by family and edge."""
    edges = sorted({o.edge for o in outcomes})
    return {
        family: {
            f"{edge:g}": count(o for o in outcomes if (o.family, o.edge) == (family, edge)) for edge in edges
        }
        for family in FAMILIES
    }


def count(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Share of sets in which each rule lets the winner through, and what was found on average."""
    some = list(outcomes)

    def share(holds: Iterable[bool]) -> float:
        return sum(holds) / len(some)

    return {
        "sets": len(some),
        "pass": share(o.decision == "pass" for o in some),
        "weak": share(o.decision == "weak" for o in some),
        "pass and found": share(o.decision == "pass" and o.found for o in some),
        "undeflated": share(o.psr >= PASS_DSR for o in some),
        "deflated by count": share(o.dsr >= PASS_DSR for o in some),
        "deflated by effective": share(o.effective_dsr >= PASS_DSR for o in some),
        "superior": share(o.p_value <= PASS_P for o in some),
        "holds up": share(o.loss <= MOST_LOSS for o in some),
        "beats shuffled": share(o.noise_p <= PASS_P for o in some),
        "mean pbo": float(np.mean([o.pbo for o in some])),
        "mean effective": float(np.mean([o.effective for o in some])),
        "mean best sharpe": float(np.mean([o.sharpe for o in some])),
    }


def upper_bound(hits: int, sets: int) -> float:
    """Upper end (1 without a set) of the exact one-sided 95 % interval of a rate (Clopper & Pearson 1934)."""
    from scipy.special import betaincinv

    return 1.0 if hits == sets else float(betaincinv(hits + 1, sets - hits, 0.95))


def show(rates: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print a table per family."""
    for family, table in rates.items():
        names = [name for name in next(iter(table.values())) if name != "sets"]
        print(f"\n{family}: " + f"{'true Sharpe':>16}" + "".join(f"{edge:>8}" for edge in table))
        for name in names:
            cells = "".join(
                f"{found[name]:8.3f}" if found[name] < 100 else f"{found[name]:8.0f}"
                for found in table.values()
            )
            print(f"  {name:<25}{cells}")


if __name__ == "__main__":
    raise SystemExit(main())
