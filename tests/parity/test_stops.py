"""Where a stop of vectorbt fills and ours does not, on purpose: both answers, each worked out by hand.

The list is `docs/concepts/parity.md`, with these numbers; 10 units of 100 unless stated.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import pytest

from grn.quant import Quantity, Rules, StopLoss, StopRules, Strategy, TakeProfit, col
from grn.quant.engine.path import trace
from tests.parity.hand import fills_of, flat, make_candles, vectorbt_fills, vectorbt_portfolio

pytestmark = pytest.mark.skipif(find_spec("vectorbt") is None, reason="the extra `peers` is not installed")

IN, OUT = col("long_in"), col("long_out")
STOPPED = Strategy(IN, OUT, stops=[StopLoss(0.05)])


def test_stop_in_the_bar_of_the_entry_21() -> None:
    """Bought at bar 1's open, 100, stop at 95; that bar falls to 94, the next opens at 93.

    vectorbt's issue 652: it judges a position from the bar after its entry on, and sells at 93. We sell at
    95, which the price passed.
    """
    rows = [flat(100), (100, 101, 94, 96), (93, 96, 92, 93)]
    theirs = vectorbt_portfolio(make_candles(rows, long_in=[1]), price=[100.0, 100.0, 93.0], sl_stop=0.05)
    assert vectorbt_fills(theirs) == [(1, 10.0, 100.0), (2, -10.0, 93.0)]
    path = trace(STOPPED, make_candles(rows, long_in=[0]), Rules(cash=1_000.0), {})
    assert fills_of(path) == [(1, 10.0, 100.0), (1, -10.0, 95.0)]


def test_stop_that_fills_before_it_is_reached_22() -> None:
    """Bought at 100, stop at 95; the next bar opens at 110 and falls to 90.

    With fills at the open, vectorbt's exit price "price" sells at that open, 110: before the fall that causes
    the sale. We sell at 95, or by rule "signal" where an exit signal of this bar would: at the next open, 91.
    """
    rows = [flat(100), flat(100), (110, 110, 90, 91), flat(91)]
    theirs = vectorbt_portfolio(
        make_candles(rows, long_in=[1]),
        price=[100.0, 100.0, 110.0, 91.0],
        sl_stop=0.05,
        stop_exit_price="price",
    )
    assert vectorbt_fills(theirs) == [(1, 10.0, 100.0), (2, -10.0, 110.0)]
    bars = make_candles(rows, long_in=[0])
    at_level = trace(STOPPED, bars, Rules(cash=1_000.0), {})
    assert fills_of(at_level) == [(1, 10.0, 100.0), (2, -10.0, 95.0)]
    by_signal = trace(STOPPED, bars, Rules(cash=1_000.0, stop_rules=StopRules(stop_fill="signal")), {})
    assert fills_of(by_signal) == [(1, 10.0, 100.0), (3, -10.0, 91.0)]


def test_target_that_the_open_has_passed_23() -> None:
    """Bought at 100, stop at 95, target at 110; the next bar opens at 112 and falls to 94.

    vectorbt asks for the stop first and sells at 95. The open came before the fall: we sell at 112.
    """
    rows = [flat(100), (112, 113, 94, 96)]
    bars = make_candles(rows, long_in=[0])
    theirs = vectorbt_portfolio(bars, sl_stop=0.05, tp_stop=0.1)
    assert vectorbt_fills(theirs) == [(0, 10.0, 100.0), (1, -10.0, 95.0)]
    strategy = Strategy(IN, OUT, stops=[StopLoss(0.05), TakeProfit(0.1)])
    path = trace(strategy, bars, Rules("close", cash=1_000.0), {})
    assert fills_of(path) == [(0, 10.0, 100.0), (1, -10.0, 112.0)]


def test_stop_measured_from_the_close_24() -> None:
    """Ten units bought at the open, 100; the bar closes at 105. Stop of 10 %, then a low of 91.

    vectorbt measures from the close by default (94.5) and sells at the next open, 92: a loss of 8 %. A stop
    of 10 % from what was paid is 90: we hold. With ``stop_entry_price="fillprice"`` so does vectorbt.
    """
    rows = [flat(100), (100, 106, 99, 105), (92, 98, 91, 97)]
    options = {"price": [100.0, 100.0, 92.0], "sl_stop": 0.1}
    bars = make_candles(rows, long_in=[1])
    by_default = vectorbt_portfolio(bars, stop_entry_price="close", **options)
    assert vectorbt_fills(by_default) == [(1, 10.0, 100.0), (2, -10.0, 92.0)]
    assert vectorbt_fills(vectorbt_portfolio(bars, **options)) == [(1, 10.0, 100.0)]
    strategy = Strategy(IN, OUT, stops=[StopLoss(0.1)])
    path = trace(strategy, make_candles(rows, long_in=[0]), Rules(cash=1_000.0), {})
    assert fills_of(path) == [(1, 10.0, 100.0)]


def test_one_stop_two_answers_25() -> None:
    """Bought at 100, stop of 5 %; the next bar falls to 94 and closes at 103.

    Issue 651 of vectorbt: `from_signals(sl_stop=...)` sells at 95, `generate_ohlc_stop_exits` makes a signal
    of the same stop, which sells at the close, 103: −5 % or +3 %. Here is one stop, and where it fills is a
    rule.
    """
    rows = [flat(100), (100, 104, 94, 103), flat(103)]
    bars = make_candles(rows, long_in=[0])
    first = vectorbt_portfolio(bars, sl_stop=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = {name: first.wrapper.wrap(bars.column(name)) for name in ("open", "high", "low", "close")}
        entries = first.wrapper.wrap(bars.column("long_in") > 0.0)
        exits = entries.vbt.signals.generate_ohlc_stop_exits(
            frame["open"], frame["high"], frame["low"], frame["close"], sl_stop=0.05
        )
        second = vectorbt_portfolio(bars, exits=exits.to_numpy())
    assert first.value().tolist() == [1_000.0, 950.0, 950.0]
    assert second.value().tolist() == [1_000.0, 1_030.0, 1_030.0]
    for how, equity in (("limit", 950.0), ("signal", 1_030.0)):
        rules = Rules("close", cash=1_000.0, stop_rules=StopRules(stop_fill=how))  # type: ignore[arg-type]
        assert trace(STOPPED, bars, rules, {}).equity.tolist() == [1_000.0, equity, equity]


def test_signals_on_the_bar_of_a_stop() -> None:
    """Stopped at 95 on bar 1, whose close says "in" again.

    vectorbt never reads the signals of a bar on which a stop filled. We read them by default (95 is past, 103
    is now), and skip them by rule.
    """
    rows = [flat(100), (100, 104, 94, 103), flat(103)]
    bars = make_candles(rows, long_in=[0, 1])
    theirs = vectorbt_fills(vectorbt_portfolio(bars, sl_stop=0.05, size=5))
    assert theirs == [(0, 5.0, 100.0), (1, -5.0, 95.0)]
    skip = Rules("close", size=Quantity(5), cash=1_000.0, stop_rules=StopRules(after="skip"))
    assert fills_of(trace(STOPPED, bars, skip, {})) == theirs
    read = Rules("close", size=Quantity(5), cash=1_000.0)
    assert fills_of(trace(STOPPED, bars, read, {})) == [*theirs, (1, 5.0, 103.0)]
