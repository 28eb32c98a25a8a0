"""Screening in float32 loses none of the best: on a hundred seeded sweeps, and on scores made to fail."""

from __future__ import annotations

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant import Costs, Rules, StopLoss, Strategy, TakeProfit, bollinger, close, ema, param, rsi, sma
from grn.quant.engine import cpu
from grn.quant.engine.cuda.screen import SAFETY, Array, Flags, Rows, find_top, screen
from grn.quant.engine.plan import build_grid, build_layout, build_plan
from grn.quant.metrics.accumulators import accumulator_names
from tests.property.cases import NIGHTLY
from tests.property.markets import KINDS, make_bars
from tests.quant.engine.cuda.cupy_double import CupyDouble

N_BARS, TOP = 400, 20
SWEEPS = 60 if NIGHTLY else 13
"""Sweeps per strategy and score: 4 x 2 x 13 are 104."""
RULES = Rules(costs=Costs(fee=0.001))
GROUPS = ("drawdown", "moments", "trades")
FAST, SLOW = param("fast", range(2, 42)), param("slow", range(5, 65))
BAND = bollinger(close, FAST, param("width", np.arange(0.5, 2.5, 0.05)))
QUICK, CALM = sma(close, FAST), sma(close, SLOW)
RISING, FALLING = ema(close, FAST) > ema(close, SLOW), ema(close, FAST) < ema(close, SLOW)
STRATEGIES = {
    "averages that cross": Strategy(QUICK.crosses_above(CALM), QUICK.crosses_below(CALM)),
    "an oscillator": Strategy(rsi(close, FAST) < SLOW, rsi(close, FAST) > SLOW + 20.0),
    "bands, both sides": Strategy(close < BAND.lower, close > BAND.upper, direction="both"),
    "a trend between stops": Strategy(RISING, FALLING, stops=[StopLoss(0.03), TakeProfit(0.05)]),
}


def sharpe(sums: dict[str, Array]) -> Array:
    """Mean over deviation of the returns; missing without a return."""
    mean = sums["s1"] / N_BARS
    return mean / np.sqrt(sums["s2"] / N_BARS - mean * mean)


def calmness(sums: dict[str, Array]) -> Array:
    """Return over the deepest drawdown."""
    return (sums["equity"] / 10_000.0 - 1.0) / (1.0 - sums["dd_trough"] / sums["dd_peak"])


SCORES = {"sharpe": sharpe, "return over drawdown": calmness}


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> CupyDouble:
    """One card for all sweeps."""
    return CupyDouble(tmp_path_factory.mktemp("kernels"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_the_best_of_every_sweep_are_found(name: str, score: str, double: CupyDouble) -> None:
    """Rows, order and bits of the float64 top 20 on calm, wild, stepping, jumping, tiny and huge prices.

    On most sweeps far fewer rows than all are computed in float64.
    """
    strategy = STRATEGIES[name]
    plan, grid = build_plan(strategy, RULES), build_grid(strategy, 1.0)
    layout, names = build_layout(plan, grid), accumulator_names(GROUPS)
    shares = []
    for seed in range(SWEEPS):
        rng = np.random.default_rng([seed, 11])
        bars = make_bars(rng, n_bars=N_BARS, kind=KINDS[seed % len(KINDS)])
        sums = cpu.run(plan, layout, grid, bars, RULES, GROUPS, threads=1)
        with np.errstate(all="ignore"):
            truth = SCORES[score]({n: sums[:, k] for k, n in enumerate(names)})
        best = np.lexsort((np.arange(len(grid)), -np.nan_to_num(truth, nan=-np.inf)))[:TOP]
        found = screen(
            plan, layout, grid, bars, RULES, GROUPS, SCORES[score], top=TOP, seed=seed, cupy=double
        )
        where = f"sweep {seed} of {name}"
        assert found.rows.tolist() == best.tolist(), where
        assert found.scores.tobytes() == truth[best].tobytes(), where
        assert found.sums.tobytes() == sums[found.checked].tobytes(), where
        shares.append(len(found.checked) / len(grid))
    assert np.median(shares) < 0.5


def test_there_are_a_hundred_sweeps() -> None:
    """What the promise is shown on."""
    assert len(STRATEGIES) * len(SCORES) * SWEEPS >= 100


def none(guesses: Array) -> Flags:
    """No row is in doubt."""
    return np.zeros(len(guesses), dtype=np.bool_)


def exactly(truth: Array) -> tuple[list[int], object]:
    """Scores of rows on demand, and how many were asked for."""
    asked: list[int] = []

    def look(rows: Rows) -> Array:
        asked.append(len(rows))
        return truth[rows]

    return asked, look


def test_guesses_that_are_noise_are_found_out() -> None:
    """Guesses that say nothing: the margin grows until every row that could matter is checked."""
    rng = np.random.default_rng(1)
    truth, guesses = rng.normal(size=5_000), rng.normal(size=5_000)
    doubtful = rng.random(5_000) < 0.5
    asked, look = exactly(truth)
    rows, scores, margins, rounds = find_top(guesses, doubtful, look, 10)  # type: ignore[arg-type]  # a plain closure
    assert set(np.argsort(-truth)[:10]) <= set(rows.tolist())
    assert min(margins) > np.abs(guesses - truth).max()
    assert sum(asked) == len(rows) == len(scores) == 5_000
    assert rounds == len(asked)


def test_a_decision_taken_otherwise_hides_no_row() -> None:
    """Of 100,000 rows nine are far off, the best one among them, and all nine are in doubt: it is found.

    Drawn rows alone would hardly meet them: of the others 256 are drawn.
    """
    rng = np.random.default_rng(4)
    truth = rng.normal(size=100_000)
    guesses = truth + rng.normal(scale=1e-6, size=len(truth))
    far = [np.argmax(truth), *range(50_000, 50_008)]
    guesses[far] -= 3.0
    doubtful = np.zeros(len(truth), dtype=np.bool_)
    doubtful[far] = True
    asked, look = exactly(truth)
    rows, _, margins, _ = find_top(guesses, doubtful, look, 10)  # type: ignore[arg-type]  # a plain closure
    assert set(np.argsort(-truth)[:10]) <= set(rows.tolist())
    assert margins[0] < 1e-4 < 1.0 < margins[1]
    assert sum(asked) < 700


def test_good_guesses_cost_little() -> None:
    """Errors of a millionth: the rows near the top and those drawn are all that is checked."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=100_000)
    guesses = truth + rng.normal(scale=1e-6, size=len(truth))
    asked, look = exactly(truth)
    rows, _, (margin, _), _ = find_top(guesses, none(guesses), look, 10)  # type: ignore[arg-type]  # a plain closure
    assert set(np.argsort(-truth)[:10]) <= set(rows.tolist())
    assert sum(asked) < 600
    assert margin < SAFETY * 1e-5


def test_rows_without_a_guess_are_checked() -> None:
    """Missing guesses, and a number where float64 has none: nothing is taken for granted."""
    truth = np.linspace(0.0, 1.0, 2_000)
    guesses = truth.copy()
    guesses[1_999] = np.nan
    _, look = exactly(truth)
    rows, *_ = find_top(guesses, none(guesses), look, 1)  # type: ignore[arg-type]  # a plain closure
    assert 1_999 in rows
    truth[1_990] = np.nan
    rows, *_ = find_top(truth.copy(), none(truth), look, 1)  # type: ignore[arg-type]  # a plain closure
    assert 1_990 in rows
    guesses = np.linspace(0.0, 1.0, 2_000)
    _, look = exactly(np.where(np.arange(2_000) > 1_000, np.nan, guesses))
    rows, _, (margin, _), _ = find_top(guesses, none(guesses), look, 1)  # type: ignore[arg-type]  # a plain closure
    assert margin == np.inf
    assert len(rows) == 2_000


@pytest.mark.parametrize("top", [0, -1, 10**6])
def test_the_number_of_best_rows_is_checked(top: int, double: CupyDouble) -> None:
    """More than there are, or none, is refused with both figures."""
    strategy = STRATEGIES["averages that cross"]
    plan, grid = build_plan(strategy, RULES), build_grid(strategy, 1.0)
    bars = make_bars(np.random.default_rng(1), n_bars=50)
    with pytest.raises(UsageError, match=f"top must be from 1.*{top} of 2,400"):
        screen(plan, build_layout(plan, grid), grid, bars, RULES, GROUPS, sharpe, top=top, cupy=double)
