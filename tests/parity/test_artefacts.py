"""Where vectorbt's answer is not ours, on purpose: both answers, each worked out by hand.

The list is `docs/concepts/parity.md`; every row of it has its test here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grn.quant import Costs, Fraction, Instrument, Quantity, Rules, Strategy, Value, close, col, sma
from grn.quant.compute import compute
from grn.quant.engine.choose import Choice
from grn.quant.engine.path import trace
from grn.quant.engine.plan import build_grid
from grn.quant.engine.series import Evaluator
from grn.quant.metrics.registry import parse_metrics
from tests.parity.hand import Fill, fills_of
from tests.quant.engine.accounts import LONG, SHORT, make_bars, run

pytestmark = pytest.mark.skipif(find_spec("vectorbt") is None, reason="the extra `peers` is not installed")

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "parity.md"


def theirs(
    prices: Sequence[float],
    *,
    long_in: Sequence[int] = (),
    long_out: Sequence[int] = (),
    short_in: Sequence[int] = (),
    short_out: Sequence[int] = (),
    **options: object,
) -> Any:
    """Portfolio of vectorbt for hand-made signals, 1,000 of cash."""
    import pandas as pd  # type: ignore[import-untyped]  # it comes with vectorbt, without stubs

    from benchmarks.peer_vectorbt import load_vectorbt

    vbt = load_vectorbt()
    bars = np.arange(len(prices))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return vbt.Portfolio.from_signals(
            pd.Series(prices, dtype=float), entries=np.isin(bars, long_in), exits=np.isin(bars, long_out),
            short_entries=np.isin(bars, short_in), short_exits=np.isin(bars, short_out),
            init_cash=1_000.0, freq="1D", **options,
        )  # fmt: skip


def metric(name: str, prices: Sequence[float], *, fee: float = 0.0, **signals: Sequence[int]) -> float:
    """Our metric for hand-made signals of a long, 1,000 of cash."""
    bars = make_bars(prices, **signals)
    rules = Rules("close", Costs(fee), cash=1_000.0)
    result = compute(
        LONG, (bars,), build_grid(LONG, 1.0), rules, parse_metrics([name]), Choice("cpu", "test"), ppy=365.0
    )
    return float(result.frame[name][0])


def test_every_difference_is_on_the_page() -> None:
    """The page numbers its differences from 1; each has one test, here or beside, that ends with it."""
    rows = re.findall(r"^### (\d+)\. ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = [
        int(number)
        for path in sorted(Path(__file__).parent.glob("test_*.py"))
        for number in re.findall(r"^def test_\w+_(\d+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert [int(n) for n in rows] == sorted(found) == list(range(1, len(found) + 1))


def test_sharpe_without_variance_1() -> None:
    """An account that never trades: all returns 0. vectorbt divides 0 by 0 and says infinity, we say NaN."""
    assert theirs([10, 11, 12]).sharpe_ratio() == np.inf
    assert np.isnan(metric("sharpe", [10, 11, 12]))


def test_drawdown_from_the_first_close_2() -> None:
    """Bought on bar 0 with a fee of 25 %: 800 left. vectorbt's peak is 800 (no drawdown), ours 1,000."""
    assert theirs([10, 10], long_in=[0], fees=0.25).max_drawdown() == 0.0
    assert metric("max_drawdown", [10, 10], fee=0.25, long_in=[0]) == pytest.approx(-0.2, rel=1e-15)


def test_ruin_3() -> None:
    """100 short at 10, then 15, 25, 5. At 25 the account owes 500.

    vectorbt holds on with negative equity and ends at 1,500; we close at 25 and stay at -500.
    """
    prices = [10, 15, 25, 5, 4]
    assert theirs(prices, short_in=[0], short_out=[3]).value().tolist() == [1000, 500, -500, 1500, 1500]
    path, _ = run(make_bars(prices, short_in=[0], short_out=[3]), SHORT)
    assert path.equity.tolist() == [1000, 500, -500, -500, -500]


def test_cover_beyond_the_cash_4() -> None:
    """100 short at 10, covered at 20.5: 2,050 are due, 2,000 are there.

    vectorbt buys 97.56 back, keeps 2.44 short and goes on; we buy back all, owe 50 and stop.
    """
    prices = [10, 20.5, 18]
    portfolio = theirs(prices, short_in=[0], short_out=[1], size=100)
    assert portfolio.orders.records["size"].tolist() == [100, 2_000 / 20.5]
    path, _ = run(make_bars(prices, short_in=[0], short_out=[1]), SHORT, size=Quantity(100))
    assert path.position.tolist() == [-100, 0, 0]
    assert path.equity.tolist() == [1000, -50, -50]


def test_small_change_is_dropped_5() -> None:
    """99.99999995 units at 10 leave 5e-7 of 1,000.

    vectorbt treats amounts within 1e-9 of each other as equal and sets the cash to 0; we keep it.
    """
    size = 99.99999995
    assert theirs([10, 10], long_in=[0], size=size).cash().tolist() == [0.0, 0.0]
    path, _ = run(make_bars([10, 10], long_in=[0]), LONG, size=Quantity(size))
    assert path.cash.tolist() == [1000.0 - size * 10.0] * 2
    assert 4.9e-7 < path.cash[0] < 5.1e-7


def test_smallest_order_6() -> None:
    """1,000 at a price of 1e12 are 1e-9 units. vectorbt refuses orders below 1e-8 units; we trade."""
    assert theirs([1e12, 1e12], long_in=[0]).orders.count() == 0
    assert run(make_bars([1e12, 1e12], long_in=[0]), LONG)[0].position.tolist() == [1e-9, 1e-9]


def test_exit_that_costs_more_than_it_brings_7() -> None:
    """99.5 units bought at 10 (fee 5) are worth 0.00995 at 0.0001, less than the fee of 5 for selling them.

    vectorbt rejects the exit; we sell, and the account owes 4.99005.
    """
    prices = [10, 0.0001]
    assert theirs(prices, long_in=[0], long_out=[1], fixed_fees=5.0).orders.count() == 1
    path, _ = run(make_bars(prices, long_in=[0], long_out=[1]), LONG, fixed_fee=5.0)
    assert path.equity[1] == pytest.approx(99.5 * 0.0001 - 5.0, rel=1e-15)


def test_crossing_from_a_touch_8() -> None:
    """2, 1, 2 against 1: above, level, above.

    Ours crosses when it is above now and was not above one bar ago: on bar 2. vectorbt wants to have been
    below at some time before: never.
    """
    import pandas as pd

    from benchmarks.peer_vectorbt import load_vectorbt

    load_vectorbt()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pd.Series([2.0, 1.0, 2.0]).vbt.crossed_above(pd.Series([1.0, 1.0, 1.0]))
    assert found.tolist() == [False, False, False]
    assert col("close").key == close.key
    assert Evaluator(make_bars([2, 1, 2])).condition(close.crosses_above(1.0), {}).tolist() == [
        False,
        False,
        True,
    ]


def test_value_and_slippage_9() -> None:
    """500 of value at 10 with 25 % slippage: vectorbt divides by 10 (50 units cost 625), we by 12.5 (40)."""
    portfolio = theirs([10, 10], long_in=[0], size=500, size_type="value", slippage=0.25)
    assert portfolio.orders.records["size"].tolist() == [50.0]
    path, _ = run(make_bars([10, 10], long_in=[0]), LONG, size=Value(500), slippage=0.25)
    assert path.legs[0, 3:6].tolist() == [40.0, 12.5, 500.0]


def test_short_fraction_and_fixed_fee_10() -> None:
    """Half of 1,000 short at 10 with a fixed fee of 40.

    vectorbt halves what the cash less the fee secures (960 / 2 / 10 = 48); we take the fee out of the half,
    as both do for a long (460 / 10 = 46).
    """
    portfolio = theirs([10, 10], short_in=[0], size=0.5, size_type="percent", fixed_fees=40.0)
    assert portfolio.orders.records["size"].tolist() == [48.0]
    path, _ = run(make_bars([10, 10], short_in=[0]), SHORT, size=Fraction(0.5), fixed_fee=40.0)
    assert path.position.tolist() == [-46.0, -46.0]


def test_averages_of_a_flat_market_11() -> None:
    """50 closes of 0.1: every average is 0.1, so none crosses another.

    In vectorbt's, a difference of running totals, rounding makes SMA(3) cross SMA(7) twice: two trades and,
    at a fee of 0.1 %, a loss. Ours are 0.1 to the last bit.
    """
    import pandas as pd

    from benchmarks.peer_vectorbt import load_vectorbt

    vbt = load_vectorbt()
    flat = [0.1] * 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        price = pd.Series(flat)
        fast, slow = vbt.MA.run(price, window=3), vbt.MA.run(price, window=7)
        entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
        portfolio = vbt.Portfolio.from_signals(price, entries, exits, fees=0.001, freq="1D")
    assert portfolio.trades.count() == 2
    assert portfolio.total_return() < -0.003
    evaluator = Evaluator(make_bars(flat))
    for windows in ((3, 7), (7, 3)):
        a, b = (sma(close, n) for n in windows)
        assert not evaluator.condition(a.crosses_above(b), {}).any()


def accumulated(
    prices: Sequence[float], strategy: Strategy, rules: Rules, **signals: Sequence[int]
) -> list[Fill]:
    """Our fills for hand-made signals at the close."""
    return fills_of(trace(strategy, make_bars(prices, **signals), rules, {}))


def test_lots_of_a_tenth_16() -> None:
    """0.3 units in lots of 0.1: 0.3 / 0.1 is 2.99... in binary; vectorbt buys 0.2, we three lots."""
    assert 0.3 // 0.1 == 2.0
    portfolio = theirs([10, 10], long_in=[0], size=0.3, size_granularity=0.1)
    assert portfolio.orders.records["size"].tolist() == [0.2]
    rules = Rules("close", size=Quantity(0.3), cash=1_000.0, instrument=Instrument(lot=0.1))
    fills = accumulated([10, 10], LONG, rules, long_in=[0])
    assert [units for _, units, _ in fills] == [pytest.approx(0.3, rel=1e-15)]


def test_a_lot_is_no_shortfall_17() -> None:
    """55 of value at 10 in whole units, entries in full or not at all; 1,000 of cash.

    5.5 units are five lots. vectorbt sees 5 of 5.5 and rejects; the cash is there, so we buy five.
    """
    options = {"size": 55, "size_type": "value", "size_granularity": 1, "allow_partial": False}
    assert theirs([10, 10], long_in=[0], **options).orders.count() == 0
    rules = Rules("close", size=Value(55), cash=1_000.0, instrument=Instrument(lot=1), shortfall="reject")
    assert accumulated([10, 10], LONG, rules, long_in=[0]) == [(0, 5.0, 10.0)]


def test_reducing_a_short_by_a_fraction_18() -> None:
    """50 units short at 10 (half of 1,000), to be reduced by half.

    vectorbt spends half of the cash, 750, which is more than the 50 units cost: it covers all. We cover 25.
    """
    portfolio = theirs(
        [10, 10], short_in=[0], short_out=[1], size=0.5, size_type="percent", accumulate="both"
    )
    assert portfolio.assets().tolist() == [-50.0, 0.0]
    rules = Rules("close", size=Fraction(0.5), cash=1_000.0, accumulate="both")
    fills = accumulated([10, 10], SHORT, rules, short_in=[0], short_out=[1])
    assert fills == [(0, -50.0, 10.0), (1, 25.0, 10.0)]


def test_adding_to_a_short_19() -> None:
    """50 units short at 10; at 15 the equity is 750, and so is what the short is worth: it is fully secured.

    vectorbt secures it at the 10 of the entry, sees 500 free and sells 16.67 units more. We see nothing free.
    At 5 it is the other way round: 1,000 are free, not 500, and half of them sells 100 units more.
    """
    options = {"short_in": [0, 1], "size": 0.5, "size_type": "percent", "accumulate": "addonly"}
    rules = Rules("close", size=Fraction(0.5), cash=1_000.0, accumulate="add")
    for price, peer, ours in ((15.0, -50.0 / 3.0, []), (5.0, -50.0, [(1, -100.0, 5.0)])):
        sold = np.diff(theirs([10, price], **options).assets().to_numpy())
        assert sold == pytest.approx(peer, rel=1e-15)
        assert accumulated([10, price], SHORT, rules, short_in=[0, 1]) == [(0, -50.0, 10.0), *ours]


def test_least_units_bind_entries_20() -> None:
    """50 units bought, a smallest order of 30, to be reduced by half.

    vectorbt rejects the sale of 25. We sell: a rule about entries must not hold anybody in a position.
    """
    options = {"size": 0.5, "size_type": "percent", "accumulate": "both", "min_size": 30}
    assert theirs([10, 10], long_in=[0], long_out=[1], **options).orders.count() == 1
    rules = Rules(
        "close", size=Fraction(0.5), cash=1_000.0, accumulate="both", instrument=Instrument(min_units=30)
    )
    fills = accumulated([10, 10], LONG, rules, long_in=[0], long_out=[1])
    assert fills == [(0, 50.0, 10.0), (1, -25.0, 10.0)]
