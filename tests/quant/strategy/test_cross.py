from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from grn.kit.errors import StrategyError
from grn.quant import Bars, col, param, sma, tf, when
from grn.quant.engine.portfolio.panel import Panel, PanelEvaluator
from grn.quant.engine.portfolio.reference import Reader
from grn.quant.strategy.cross import (
    check_frames,
    cross_mean,
    cross_sum,
    crossing,
    demean,
    hold,
    of,
    rank,
    share,
    top,
)
from grn.quant.strategy.expr import Expr, lift
from grn.quant.strategy.words import close

DAY_NS = 86_400 * 10**9
NAN = math.nan


def bars(symbol: str, closes: dict[int, float], **columns: list[float]) -> Bars:
    """Bars of a symbol on the days that have a close."""
    days = np.array(list(closes), dtype=np.int64)
    values = {"close": np.array(list(closes.values()))} | {k: np.array(v) for k, v in columns.items()}
    return Bars(symbol=symbol, ts_ns=days * DAY_NS, columns=values)


def table(expr: Expr, *symbols: Bars, **binding: float) -> list[list[float]]:
    """Values on the calendar, one list per symbol by name; both ways of evaluating give the same."""
    panel = Panel(symbols)
    found = PanelEvaluator(panel).weights(expr, binding)
    reader = Reader(panel, binding)
    plain = [[reader.known(expr, s, ts) for s in range(len(symbols))] for ts in panel.ts_ns.tolist()]
    np.testing.assert_array_equal(found, np.array(plain))
    columns: list[list[float]] = found.T.tolist()
    return columns


A = bars("A", {1: 10.0, 2: 20.0, 3: 30.0})
B = bars("B", {1: 15.0, 2: 20.0, 3: 10.0})
C = bars("C", {2: 50.0, 3: NAN})


def test_rank_goes_from_the_largest_down_and_ties_go_by_name() -> None:
    """10 against 15; 20, 20 and 50: the first of two equal ones is A; a missing value has no place."""
    assert table(rank(close), C, B, A)[:2] == [[2.0, 2.0, 1.0], [1.0, 3.0, 2.0]]
    late = table(rank(close), A, B, C)[2]
    assert math.isnan(late[0])
    assert late[1] == 1.0
    assert math.isnan(late[2])


def test_top_is_a_condition_and_takes_a_parameter() -> None:
    """Day 2: the largest is C (50), then A (20, before B by name)."""
    n = param("n", [1, 2])
    chosen = when(top(close, n), 1.0, 0.0)
    assert [row[1] for row in table(chosen, A, B, C, n=1.0)] == [0.0, 0.0, 1.0]
    assert [row[1] for row in table(chosen, A, B, C, n=2.0)] == [1.0, 0.0, 1.0]
    # On day 3 C has no value, and a comparison with a missing value is false.
    assert [row[2] for row in table(chosen, A, B, C, n=2.0)] == [1.0, 1.0, 0.0]


def test_sums_and_means_are_over_those_that_have_a_value() -> None:
    """Day 1: 25 over two; day 2: 90 over three; day 3: 40 over two."""
    assert table(cross_sum(close), A, B, C)[0] == [25.0, 90.0, 40.0]
    assert table(cross_mean(close), A, B, C)[0] == [12.5, 30.0, 20.0]
    assert table(demean(close), A, B)[0] == [-2.5, 0.0, 10.0]
    assert table(share(close), A, B)[1] == [15.0 / 25.0, 0.5, 0.25]
    nothing = bars("X", {1: NAN}), bars("Y", {1: NAN})
    assert math.isnan(table(cross_sum(close), *nothing)[0][0])


def test_of_reads_another_symbol() -> None:
    """Everyone sees A's close."""
    assert table(of("A", close), A, B)[1] == [10.0, 20.0, 30.0]
    assert table(close / of("B", close), A, B)[0] == [10.0 / 15.0, 1.0, 3.0]


def test_a_symbol_without_a_bar_is_seen_as_it_was() -> None:
    """B has no bar on day 2: A is compared with B's 15, and B's own value is carried on."""
    gap = bars("B", {1: 15.0, 3: 40.0})
    assert table(of("B", close), A, gap)[0] == [15.0, 15.0, 40.0]
    assert table(rank(close), A, gap) == [[2.0, 1.0, 2.0], [1.0, 1.0, 1.0]]
    # B's own rank on day 3 looks at day 3, and its lag is its own bar before: day 1.
    assert table(close.lag(1), A, gap)[1][2] == 15.0


def test_indicators_of_words_across_run_on_own_bars() -> None:
    """The mean of the last two ranks of A: places 2, 2, 1 give 2 and 1.5."""
    assert table(sma(rank(close), 2), A, B, C)[0][1:] == [2.0, 1.5]
    assert table(rank(sma(close, 2)), A, B)[0][1:] == [2.0, 1.0]


def test_hold_remembers_and_an_exit_wins() -> None:
    """In on day 1, still in on day 2, out on day 3; both on day 4: out."""
    one = bars(
        "A",
        {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0},
        go=[1.0, 0.0, 0.0, 1.0, 1.0],
        stay=[0.0, 0.0, 1.0, 1.0, 0.0],
    )
    held = when(hold(col("go") > 0.0, col("stay") > 0.0), 1.0, 0.0)
    assert table(held, one)[0] == [1.0, 1.0, 0.0, 0.0, 1.0]
    assert table(held.lag(1), one)[0] == [0.0, 1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: top(close, 0),
        lambda: top(close, 1.5),  # type: ignore[arg-type]
        lambda: top(close, True),
        lambda: rank(close > 1.0),
        lambda: of("", close),
        lambda: cross_sum(close > 1.0),
        lambda: check_frames(lift(tf("1w", rank(close)))),
        lambda: check_frames(lift(tf("1w", when(hold(close > 1.0, close < 1.0), 1.0, 0.0)))),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any) -> None:
    """A condition has no rank, and a symbol needs a name."""
    with pytest.raises(StrategyError):
        make()


def test_what_looks_across_is_found() -> None:
    """The words that need all symbols, each once; `hold` needs one only."""
    found = crossing(
        share(close) + of("A", close) + share(close), when(hold(close > 1.0, close < 1.0), 1.0, 0.0)
    )
    assert [str(n) for n in found] == ["cross_sum(close)", 'of("A", close)']
    assert str(top(close, 3)) == "(rank(close) <= 3)"
    assert str(hold(close > 1.0, close < 1.0)) == "hold((close > 1), (close < 1))"
