"""Stops, entry orders and holding, worked out by hand: on the reference, the cpu engine and the traced path.

`docs/concepts/stops.md` and `holding.md` have the same rules at length, on one engine.  The numbers of stops
and orders are columns here, so that one kernel serves many cases.  Entries are for 10 units of 10,000.
"""

from __future__ import annotations

from typing import Any

import pytest

from grn.quant import (
    Costs,
    Events,
    Instrument,
    Limit,
    Margin,
    Quantity,
    Rules,
    StopEntry,
    StopLoss,
    StopRules,
    TakeProfit,
    TimeStop,
    TrailingStop,
    col,
)
from tests.quant.engine.accounts import FOUR, LONG, SHORT, legs_of, make_bars, make_range, run, with_orders

Row = tuple[float, float, float, float]
FLAT: Row = (100, 101, 99, 100)
STOPPED = with_orders(LONG, stops=[StopLoss(col("loss"))])
BRACKET = with_orders(LONG, stops=[StopLoss(col("loss")), TakeProfit(col("win"))])
TRAILED = with_orders(LONG, stops=[TrailingStop(col("loss"))])
RESTING = with_orders(LONG, stops=[StopLoss(col("loss"))], entry_order=Limit(col("at"), expires=2))
BREAKING = with_orders(LONG, stops=[StopLoss(col("loss"))], entry_order=StopEntry(col("at")))
LATE = StopRules(stop_fill="signal")


def rules(**given: Any) -> Rules:
    return Rules(**{"size": Quantity(10), **given})


def bars(*rows: Row, loss: float = 0.05, win: float = 0.1, at: float = 95.0, **given: Any) -> Any:
    """Bars whose first one signals a long entry, with the numbers of stops and orders as columns."""
    numbers = {"loss": [loss] * len(rows), "win": [win] * len(rows), "at": [at] * len(rows)}
    columns = {**numbers, **given.pop("columns", {})}
    return make_range(rows, columns=columns, **{"long_in": [0], **given})


def closing(path: Any) -> list[tuple[int, str, float, float]]:
    """Legs after the first one, as (bar, leg, units, price to four places)."""
    return [(bar, leg, units, round(price, 4)) for bar, leg, units, price, _ in legs_of(path)[1:]]


@pytest.mark.parametrize(
    ("row", "given", "price"),
    [
        ((99, 100, 94, 96), {}, 95.0),
        ((90, 92, 88, 91), {}, 90.0),
        # Entry at 102, level 96.9: sold 2 % below it, or at it.
        ((99, 100, 94, 96), {"costs": Costs(slippage=0.02)}, 94.962),
        ((99, 100, 94, 96), {"costs": Costs(slippage=0.02), "stop_rules": StopRules("stop", "limit")}, 96.9),
        # 95 is between two ticks of 2: the nearest, halves up, is 96.
        ((99, 100, 94, 96), {"instrument": Instrument(tick=2.0)}, 96.0),
    ],
    ids=["touched", "gap", "slips", "limit", "tick"],
)
def test_a_stop_loss_fills_at_its_level_or_at_a_worse_open(
    row: Row, given: dict[str, Any], price: float
) -> None:
    """Bought at 100, stopped at 95; a bar that opens below fills at its open."""
    path, _ = run(bars(FLAT, FLAT, row), STOPPED, rules=rules(**given))
    assert closing(path) == [(2, "stop", -10.0, price)]


@pytest.mark.parametrize(
    "stop",
    [StopLoss(col("range")), StopLoss(distance=col("range") * 50.0), TrailingStop(col("range"))],
    ids=["percent of 300", "distance beyond the price", "trailing percent"],
)
def test_no_entry_without_the_stop_that_it_asks_for(stop: Any) -> None:
    """A range of 3 taken for a percentage puts the stop at -200, where no price comes: nothing is bought."""
    market = bars(FLAT, FLAT, FLAT, columns={"range": [3.0, 3.0, 3.0]})
    path, _ = run(market, with_orders(LONG, stops=[stop]), rules=rules())
    assert legs_of(path) == []


def test_the_bar_of_an_entry_at_the_open_is_seen_whole() -> None:
    """Bought at the open of bar 1, which falls to 94: stopped there, at 95."""
    path, _ = run(bars(FLAT, (100, 101, 94, 96), FLAT), STOPPED, rules=rules())
    assert closing(path) == [(1, "stop", -10.0, 95.0)]


@pytest.mark.parametrize(
    ("row", "first", "leg"),
    [
        ((100, 112, 94, 100), "stop", ("stop", -10.0, 95.0)),
        ((100, 112, 94, 100), "target", ("target", -10.0, 110.0)),
        ((112, 113, 94, 100), "stop", ("target", -10.0, 112.0)),
        ((94, 112, 93, 100), "target", ("stop", -10.0, 94.0)),
    ],
    ids=["stop first", "target first", "opened past the target", "opened past the stop"],
)
def test_a_bar_through_stop_and_target(row: Row, first: Any, leg: tuple[str, float, float]) -> None:
    """The priority decides, unless the open has decided already."""
    path, _ = run(bars(FLAT, FLAT, row), BRACKET, rules=rules(stop_rules=StopRules(first)))
    assert closing(path) == [(2, *leg)]


def test_a_bar_in_one_file_with_its_high_does_not_trail_itself() -> None:
    """Level 98.8 on bar 2 from the 104 before; its own 110 makes 104.5 on bar 3, which opens at 104."""
    rows = (FLAT, (100, 104, 100, 103), (103, 110, 100, 105), (104, 106, 103, 105))
    path, _ = run(bars(*rows), TRAILED, rules=rules())
    assert closing(path) == [(3, "trail", -10.0, 104.0)]


def test_a_trailing_stop_may_follow_closes() -> None:
    """The close of 103 makes 97.85; a low of 98 leaves it alone, one of 97 does not."""
    rows = (FLAT, (100, 104, 100, 103), (102, 102, 98, 99), (99, 100, 97, 98))
    path, _ = run(bars(*rows), TRAILED, rules=rules(stop_rules=StopRules(trail="close")))
    assert closing(path) == [(3, "trail", -10.0, 97.85)]


@pytest.mark.parametrize(("fill", "leg"), [("next_open", (3, 93.0)), ("close", (2, 96.0))])
def test_a_late_stop_fills_like_an_exit_signal(fill: str, leg: tuple[int, float]) -> None:
    """Touched on bar 2: it leaves at the open of bar 3, or at the close of bar 2."""
    rows = (FLAT, FLAT, (99, 100, 94, 96), (93, 94, 92, 93))
    path, _ = run(bars(*rows), STOPPED, rules=rules(stop_rules=LATE, fill=fill))
    assert closing(path) == [(leg[0], "close", -10.0, leg[1])]


@pytest.mark.parametrize(
    ("rows", "fills"),
    [
        (((100, 101, 96, 97), (97, 98, 94, 96)), [(2, "open", 10.0, 95.0)]),
        (((93, 94, 92, 93),), [(1, "open", 10.0, 93.0)]),
        (((100, 101, 96, 97), FLAT, (97, 98, 94, 96)), []),
        (((100, 101, 90, 96),), [(1, "open", 10.0, 95.0), (1, "stop", -10.0, 90.25)]),
    ],
    ids=["touched", "gap", "expired", "stopped on its bar"],
)
def test_a_limit_entry(rows: tuple[Row, ...], fills: list[tuple[int, str, float, float]]) -> None:
    """Works two bars at 95; what fell to 90 after the fill has passed its stop at 90.25."""
    path, _ = run(bars(FLAT, *rows), RESTING, rules=rules())
    assert [(bar, leg, units, price) for bar, leg, units, price, _ in legs_of(path)] == fills


@pytest.mark.parametrize(
    ("row", "legs"),
    [
        ((100, 106, 99, 104), [(1, "open", 10.0, 105.0)]),
        ((100, 106, 99, 99), [(1, "open", 10.0, 105.0), (1, "stop", -10.0, 99.75)]),
        ((107, 108, 101, 107), [(1, "open", 10.0, 107.0), (1, "stop", -10.0, 101.65)]),
    ],
    ids=["low may be earlier", "close is later", "filled at the open"],
)
def test_a_stop_entry_is_judged_by_what_came_after(
    row: Row, legs: list[tuple[int, str, float, float]]
) -> None:
    """Bought at 105 on the way up: the low may have come before, the close came after."""
    path, _ = run(bars(FLAT, row, at=105.0), BREAKING, rules=rules())
    assert [(bar, leg, units, round(price, 4)) for bar, leg, units, price, _ in legs_of(path)] == legs


def test_a_time_stop_does_not_wait_for_an_order_against_it() -> None:
    """Opposite limits at 500 are renewed on every bar and never fill; the long leaves after two bars."""
    strategy = with_orders(FOUR, entry_order=Limit(col("at")), stops=[TimeStop(2)])
    at = [100.0, 500.0, 500.0, 500.0, 500.0, 500.0]
    path, _ = run(bars(*[FLAT] * 6, short_in=[1, 2, 3, 4], columns={"at": at}), strategy, rules=rules())
    assert legs_of(path) == [(1, "open", 10.0, 100.0, 0.0), (3, "close", -10.0, 100.0, 0.0)]


def test_an_entry_whose_stop_is_on_the_wrong_side_of_its_fill_is_not_made() -> None:
    """The open is 100, the slipped fill 102: a stop at 101 is below it and stands, one at 103 does not."""
    strategy = with_orders(LONG, stops=[StopLoss(price=col("loss"))])
    slipped = rules(costs=Costs(slippage=0.02))
    assert len(run(bars(FLAT, (100, 101, 100, 100), loss=103.0), strategy, rules=slipped)[0].legs) == 0
    path, _ = run(bars(FLAT, (100, 101, 100, 100), loss=101.0), strategy, rules=slipped)
    # The open of the entry's own bar has passed the stop: sold there, at 100 less 2 %.
    assert closing(path) == [(1, "stop", -10.0, 98.0)]


@pytest.mark.parametrize(
    ("enter", "leave", "volume", "position"),
    [
        # 20 units held, 10 to go, 4 go: the rest of a reduction lapses.
        ([0, 1], [2], [1e6, 1e6, 1e6, 4, 4, 4], [0, 10, 20, 16, 16, 16]),
        # 10 units held, all to go: 4, 4, 2.
        ([0], [2], [1e6, 1e6, 1e6, 4, 4, 4], [0, 10, 10, 6, 2, 0]),
    ],
    ids=["reduction", "exit"],
)
def test_what_the_volume_leaves(
    enter: list[int], leave: list[int], volume: list[float], position: list[float]
) -> None:
    """A whole exit goes on until it is done; a reduction does not become one."""
    data = make_bars([100] * 6, columns={"volume": volume}, long_in=enter, long_out=leave)
    path, _ = run(data, LONG, rules=rules(accumulate="both", volume_share=1.0))
    assert path.position.tolist() == position


def test_leverage_may_be_added_to_until_it_is_used_up() -> None:
    """Three times 10,000: 120 units, 120, and the 60 that are left, though the cash is negative by then."""
    data = make_bars([100] * 5, long_in=[0, 1, 2, 3])
    given = rules(size=Quantity(120), accumulate="add", margin=Margin(leverage=3))
    path, _ = run(data, LONG, rules=given)
    assert path.position.tolist() == [0, 120, 240, 300, 300]
    assert path.cash.tolist()[-1] == -20_000.0


def test_a_short_without_margin_may_be_added_to() -> None:
    """A quantity sold short is limited by nothing, the second time as little as the first."""
    data = make_bars([100] * 4, short_in=[0, 1, 2])
    path, _ = run(data, SHORT, rules=rules(size=Quantity(120), accumulate="add"))
    assert path.position.tolist() == [0, -120, -240, -360]


def test_a_margin_call_closes_at_the_close_and_trading_goes_on() -> None:
    """200 units on 10,000: 4,000 of 14,000 are enough, 3,200 of 13,200 are not; the next entry is made."""
    data = make_bars([100, 100, 70, 66, 66, 64], long_in=[0, 4])
    given = rules(size=Quantity(200), margin=Margin(leverage=2, maintenance=0.25))
    path, _ = run(data, LONG, rules=given)
    assert closing(path) == [(3, "margin", -200.0, 66.0), (5, "open", 100.0, 64.0)]
    assert path.equity.tolist() == [10_000, 10_000, 4_000, 3_200, 3_200, 3_200]


def test_a_night_in_order() -> None:
    """Interest on the last cash, then the split, the dividend on the new units, funding on the open.

    300 units at 100 borrow 20,000: 0.0002 a day is 4.  600 units: dividend 0.5 brings 300, funding of 1 % on
    600 x 50 takes 300.  The stop at 95 stands at 47.5.
    """
    columns = {"split": [1, 1, 2], "dividend": [0, 0, 0.5], "rate": [0, 0, 0.01]}
    data = bars(FLAT, FLAT, (50, 51, 47, 48), columns=columns)
    given = rules(
        size=Quantity(300),
        margin=Margin(leverage=3, interest=0.07305),
        events=Events(dividends="dividend", splits="split", funding="rate"),
    )
    path, _ = run(data, STOPPED, rules=given)
    assert closing(path) == [(2, "stop", -600.0, 47.5)]
    assert path.carried.tolist() == pytest.approx([0.0, 0.0, -4.0], abs=1e-9)
    assert path.equity[-1] == pytest.approx(10_000.0 - 1_500.0 - 4.0, abs=1e-9)


def test_a_stop_does_not_save_a_short_from_a_gap() -> None:
    """100 short at 100, stop at 150: the open of 240 leaves 20,000 - 24,000, and nothing trades again."""
    strategy = with_orders(SHORT, stops=[StopLoss(col("loss"))])
    rows = (FLAT, FLAT, (240, 260, 230, 250), (90, 91, 89, 90))
    data = bars(*rows, loss=0.5, long_in=[], short_in=[0, 2])
    path, _ = run(data, strategy, rules=rules(size=Quantity(100)))
    assert closing(path) == [(2, "stop", 100.0, 240.0)]
    assert path.equity.tolist() == [10_000, 10_000, -4_000, -4_000]
