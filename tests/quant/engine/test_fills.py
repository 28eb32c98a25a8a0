"""Fills worked out by hand: each example runs on the reference, the cpu engine and the traced path.

Signals are columns of the data. `legs_of` gives (bar, leg, signed units, fill price, fees).
"""

from __future__ import annotations

import pytest

from grn.quant import Fraction, Quantity, Value
from tests.quant.engine.accounts import ALL_GROUPS, FOUR, LONG, SHORT, TURNING, legs_of, make_bars, run


def test_long_all_cash_at_the_close() -> None:
    """1,000 at 10 buys 100 units; sold at 12 they give 1,200."""
    path, sums = run(make_bars([10, 10, 11, 12, 12], long_in=[1], long_out=[3]), LONG)
    assert legs_of(path) == [(1, "open", 100.0, 10.0, 0.0), (3, "close", -100.0, 12.0, 0.0)]
    assert path.equity.tolist() == [1000.0, 1000.0, 1100.0, 1200.0, 1200.0]
    assert path.cash.tolist() == [1000.0, 0.0, 0.0, 1200.0, 1200.0]
    assert (sums["opened"], sums["closed"], sums["wins"], sums["win_sum"]) == (1, 1, 1, 200.0)
    assert sums["bars_in"] == 2


def test_next_open_fills_one_bar_later_at_the_open() -> None:
    """The signal of bar 1 buys 125 units at bar 2's open, 8; that of bar 3 sells at bar 4's open, 16."""
    bars = make_bars([10, 10, 10, 12, 15], opens=[9, 9, 8, 11, 16], long_in=[1], long_out=[3])
    path, _ = run(bars, LONG, fill="next_open")
    assert legs_of(path) == [(2, "open", 125.0, 8.0, 0.0), (4, "close", -125.0, 16.0, 0.0)]
    assert path.equity.tolist() == [1000.0, 1000.0, 1250.0, 1500.0, 2000.0]


def test_next_open_never_fills_the_last_signal() -> None:
    """A signal on the last bar has no next open: nothing is traded. At the close it is."""
    bars = make_bars([10, 10, 10], long_in=[2])
    path, sums = run(bars, LONG, fill="next_open")
    assert legs_of(path) == []
    assert sums["opened"] == 0
    path, sums = run(bars, LONG)
    assert legs_of(path) == [(2, "open", 100.0, 10.0, 0.0)]
    assert sums["opened"] == 1


def test_proportional_fee_is_paid_out_of_the_cash() -> None:
    """With a fee of 25 %, 1,000 buy 800 worth (80 units, fee 200); sold at 20, 1,600 less 400 remain."""
    path, sums = run(make_bars([10, 20], long_in=[0], long_out=[1]), LONG, fee=0.25)
    assert legs_of(path) == [(0, "open", 80.0, 10.0, 200.0), (1, "close", -80.0, 20.0, 400.0)]
    assert path.equity.tolist() == [800.0, 1200.0]
    # Profit after fees: 1,600 - 400 - 1,000. Turnover: 800 / 1,000 + 1,600 / 1,600.
    assert (sums["win_sum"], sums["fees"], sums["traded"]) == (200.0, 600.0, 1.8)


def test_fixed_fee_is_taken_per_order() -> None:
    """A fixed fee of 40 leaves 960 for 96 units at 10; the sale at 10 pays it again: 920."""
    path, sums = run(make_bars([10, 10], long_in=[0], long_out=[1]), LONG, fixed_fee=40.0)
    assert legs_of(path) == [(0, "open", 96.0, 10.0, 40.0), (1, "close", -96.0, 10.0, 40.0)]
    assert path.equity.tolist() == [960.0, 920.0]
    assert (sums["loss_sum"], sums["wins"]) == (80.0, 0)


def test_a_fixed_fee_above_the_cash_prevents_the_order() -> None:
    """A fee of 1,000 leaves nothing of 1,000 to trade with: no order, no fee."""
    path, sums = run(make_bars([10, 10], long_in=[0]), LONG, fixed_fee=1_000.0)
    assert legs_of(path) == []
    assert (path.equity.tolist(), sums["fees"]) == ([1000.0, 1000.0], 0.0)


def test_slippage_moves_buys_up_and_sells_down() -> None:
    """25 % slippage: bought at 10 for 12.5 (80 units), sold at 16 for 12: 960."""
    path, _ = run(make_bars([10, 16], long_in=[0], long_out=[1]), LONG, slippage=0.25)
    assert legs_of(path) == [(0, "open", 80.0, 12.5, 0.0), (1, "close", -80.0, 12.0, 0.0)]
    assert path.equity.tolist() == [800.0, 960.0]


def test_short_all_cash() -> None:
    """1,000 secure a sale of 100 units at 10; bought back at 8 they leave 1,200."""
    path, sums = run(make_bars([10, 9, 8], short_in=[0], short_out=[2]), SHORT)
    assert legs_of(path) == [(0, "open", -100.0, 10.0, 0.0), (2, "close", 100.0, 8.0, 0.0)]
    assert path.cash.tolist() == [2000.0, 2000.0, 1200.0]
    assert path.equity.tolist() == [1000.0, 1100.0, 1200.0]
    assert sums["win_sum"] == 200.0


def test_short_with_fee_and_slippage() -> None:
    """Fee and slippage 25 %: 800 worth is sold at 7.5 (106.67 units), fee 200; cover at 8 costs 10 a unit."""
    path, _ = run(make_bars([10, 8], short_in=[0], short_out=[1]), SHORT, fee=0.25, slippage=0.25)
    units = 800.0 / 7.5
    assert legs_of(path)[0] == (0, "open", -units, 7.5, 200.0)
    assert path.cash[0] == 1_600.0
    # 106.67 units at 10 cost 1,066.67 and a quarter of that as fee.
    assert path.cash[1] == pytest.approx(1_600.0 - 1.25 * units * 10.0, rel=1e-15)


def test_long_turns_short_in_one_order() -> None:
    """100 units bought at 10 are sold at 12 for 1,200, which secure 100 units short: one order, two legs."""
    path, sums = run(make_bars([10, 12, 6], long_in=[0], short_in=[1]), TURNING)
    assert legs_of(path) == [
        (0, "open", 100.0, 10.0, 0.0),
        (1, "close", -100.0, 12.0, 0.0),
        (1, "open", -100.0, 12.0, 0.0),
    ]
    assert path.legs[:, 1].tolist() == [0.0, 1.0, 1.0]
    assert path.equity.tolist() == [1000.0, 1200.0, 1800.0]
    assert path.orders()["units"].to_list() == [100.0, 200.0]
    # Turnover: 1,000 / 1,000 and 2,400 / 1,200.
    assert (sums["opened"], sums["closed"], sums["traded"]) == (2, 1, 3.0)


def test_short_turns_long_and_pays_the_fixed_fee_once() -> None:
    """100 short at 10 (no fee left to pay: 960 / 10 = 96), covered at 8 with 40 fee, the rest goes long at 8.

    Cash 1,000 + 960 - 40 = 1,920; cover 96 * 8 = 768 and 40 leave 1,112, which buy 139 units without a
    second fixed fee.
    """
    path, sums = run(make_bars([10, 8, 8], short_in=[0], long_in=[1]), TURNING, fixed_fee=40.0)
    assert legs_of(path) == [
        (0, "open", -96.0, 10.0, 40.0),
        (1, "close", 96.0, 8.0, 40.0),
        (1, "open", 139.0, 8.0, 0.0),
    ]
    assert path.equity.tolist() == [960.0, 1112.0, 1112.0]
    assert sums["fees"] == 80.0


def test_fraction_leaves_the_rest_in_cash() -> None:
    """A quarter of 1,000 buys 25 units at 10; at 20 the account stands at 750 + 500."""
    path, _ = run(make_bars([10, 20], long_in=[0]), LONG, size=Fraction(0.25))
    assert legs_of(path) == [(0, "open", 25.0, 10.0, 0.0)]
    assert path.cash.tolist() == [750.0, 750.0]
    assert path.equity.tolist() == [1000.0, 1250.0]


def test_quantity_trades_that_many_units() -> None:
    """30 units at 10 with a fee of 10 % cost 330; sold at 20 they give 600 less 60."""
    path, _ = run(make_bars([10, 20], long_in=[0], long_out=[1]), LONG, size=Quantity(30), fee=0.1)
    assert legs_of(path) == [(0, "open", 30.0, 10.0, 30.0), (1, "close", -30.0, 20.0, 60.0)]
    assert path.cash.tolist() == [670.0, 1210.0]


def test_quantity_is_cut_to_what_the_cash_pays() -> None:
    """500 units at 10 are beyond 1,000: with a fee of 25 % the cash pays 80 and is gone."""
    path, _ = run(make_bars([10, 10], long_in=[0]), LONG, size=Quantity(500), fee=0.25)
    assert legs_of(path) == [(0, "open", 80.0, 10.0, 200.0)]
    assert path.cash.tolist() == [0.0, 0.0]


def test_a_short_quantity_is_not_cut() -> None:
    """A short sale brings cash: 500 units at 10 are sold though the account holds 1,000."""
    path, _ = run(make_bars([10, 9], short_in=[0]), SHORT, size=Quantity(500))
    assert legs_of(path) == [(0, "open", -500.0, 10.0, 0.0)]
    assert path.equity.tolist() == [1000.0, 1500.0]


def test_value_is_divided_by_the_fill_price() -> None:
    """500 at a fill price of 12.5 (10 and 25 % slippage) are 40 units."""
    path, _ = run(make_bars([10, 10], long_in=[0]), LONG, size=Value(500), slippage=0.25)
    assert legs_of(path) == [(0, "open", 40.0, 12.5, 0.0)]
    assert path.equity.tolist() == [900.0, 900.0]


def test_value_is_cut_to_what_the_cash_pays() -> None:
    """5,000 are beyond 1,000: all of it is spent."""
    path, _ = run(make_bars([10], long_in=[0]), LONG, size=Value(5_000))
    assert legs_of(path) == [(0, "open", 100.0, 10.0, 0.0)]


def test_a_ruined_short_is_closed_and_never_trades_again() -> None:
    """100 short at 10; at 25 equity is 2,000 - 2,500: closed there, and the entry of bar 3 is ignored.

    The drawdown goes from 1,000 to -500; after the ruin returns are zero.
    """
    path, sums = run(make_bars([10, 15, 25, 5, 4], short_in=[0, 3]), SHORT, groups=ALL_GROUPS)
    assert legs_of(path) == [(0, "open", -100.0, 10.0, 0.0), (2, "forced", 100.0, 25.0, 0.0)]
    assert path.equity.tolist() == [1000.0, 500.0, -500.0, -500.0, -500.0]
    assert path.position.tolist() == [-100.0, -100.0, 0.0, 0.0, 0.0]
    assert path.returns.tolist() == [0.0, -0.5, -2.0, 0.0, 0.0]
    assert (sums["dd_peak"], sums["dd_trough"], sums["dd_bars"]) == (1000.0, -500.0, 4)
    assert path.orders()["reason"].to_list() == ["signal", "ruin"]


def test_ruin_cancels_an_order_that_waits() -> None:
    """With next_open, the exit signalled on the bar of the ruin is not filled again a bar later."""
    path, _ = run(make_bars([10, 10, 25, 5], short_in=[0], short_out=[2]), SHORT, fill="next_open")
    assert legs_of(path) == [(1, "open", -100.0, 10.0, 0.0), (2, "forced", 100.0, 25.0, 0.0)]


def test_an_entry_into_the_position_held_does_nothing() -> None:
    """The second and third entry of a long change nothing: one trade."""
    path, sums = run(make_bars([10, 11, 12, 13], long_in=[0, 1, 2], long_out=[3]), LONG)
    assert [leg[0] for leg in legs_of(path)] == [0, 3]
    assert sums["opened"] == 1


def test_an_exit_without_a_position_does_nothing() -> None:
    """Exits of a side that is not held are ignored, those of the other side too."""
    path, _ = run(make_bars([10, 10, 10], long_out=[0, 2], short_out=[1, 2], long_in=[1]), FOUR)
    assert [(leg[0], leg[1]) for leg in legs_of(path)] == [(1, "open"), (2, "close")]


def test_entry_and_exit_of_one_side_cancel() -> None:
    """On bar 0 nothing is opened, on bar 2 nothing is closed: both signals of a side on one bar are none."""
    path, _ = run(make_bars([10, 10, 10, 10], long_in=[0, 1, 2], long_out=[0, 2, 3]), LONG)
    assert [(leg[0], leg[1]) for leg in legs_of(path)] == [(1, "open"), (3, "close")]


def test_long_and_short_entry_cancel() -> None:
    """Both entries on bars 0 and 2: no position is opened, and the long held is not reversed."""
    path, _ = run(make_bars([10, 10, 10, 10], long_in=[0, 1, 2], short_in=[0, 2, 3]), FOUR)
    assert [(leg[0], leg[1], leg[2]) for leg in legs_of(path)] == [
        (1, "open", 100.0),
        (3, "close", -100.0),
        (3, "open", -100.0),
    ]


def test_a_short_entry_that_its_exit_cancels_does_not_reverse() -> None:
    """A long is held; short entry and short exit on bar 1 cancel, so the long stays."""
    path, _ = run(make_bars([10, 12, 12], long_in=[0], short_in=[1], short_out=[1]), FOUR)
    assert legs_of(path) == [(0, "open", 100.0, 10.0, 0.0)]


def test_sides_cancel_before_entries_do() -> None:
    """All but the short exit hold on bar 1: the long entry falls to the long exit, the short entry is left.

    It reverses the 100 units bought at 10 into 110 short at 11.
    """
    path, _ = run(make_bars([10, 11, 12], long_in=[0, 1], short_in=[1], long_out=[1]), FOUR)
    assert legs_of(path) == [
        (0, "open", 100.0, 10.0, 0.0),
        (1, "close", -100.0, 11.0, 0.0),
        (1, "open", -100.0, 11.0, 0.0),
    ]


def test_a_loss_on_the_first_bar_is_a_drawdown() -> None:
    """Bought on bar 0 with a fee of 25 %: equity 800 against the initial 1,000."""
    _, sums = run(make_bars([10, 10], long_in=[0]), LONG, fee=0.25, groups=ALL_GROUPS)
    assert (sums["dd_peak"], sums["dd_trough"]) == (1000.0, 800.0)
    assert (sums["s1"], sums["dd_bars"]) == (-0.19999999999999996, 2)


def test_an_open_trade_is_marked_to_the_last_close() -> None:
    """The trade of bar 0 is still open: counted as opened, worth 1,500, no exit price."""
    path, sums = run(make_bars([10, 15], long_in=[0]), LONG)
    (trade,) = path.trades().to_dicts()
    assert (sums["opened"], sums["closed"]) == (1, 0)
    assert (trade["status"], trade["pnl"], trade["exit_price"]) == ("open", 500.0, None)


def test_one_bar_is_enough() -> None:
    """A single bar: at the close an order fills and is marked, at the next open none does."""
    bars = make_bars([10], long_in=[0])
    assert run(bars, LONG)[0].position.tolist() == [100.0]
    assert run(bars, LONG, fill="next_open")[0].position.tolist() == [0.0]
