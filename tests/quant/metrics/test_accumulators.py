"""The accumulators: names an engine relies on, and the order of operations that makes the bits."""

from __future__ import annotations

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.metrics.accumulators import GROUPS, accumulator_names, select_groups
from grn.quant.metrics.from_returns import accumulate, accumulate_trades, equity_returns


def test_names_are_the_contract_with_the_engines():
    """Kernels index accumulators by this order: a change here changes every compiled kernel."""
    assert accumulator_names(group.name for group in GROUPS) == (
        "equity",
        "s1",
        "s2",
        "s3",
        "s4",
        "d2",
        "gain",
        "loss",
        "dd_peak",
        "dd_trough",
        "dd_bars",
        "opened",
        "closed",
        "wins",
        "win_sum",
        "loss_sum",
        "bars_in",
        "traded",
        "fees",
    )


def test_groups_come_in_canonical_order_whatever_the_request():
    """``always`` leads, duplicates vanish, and the request's order does not matter."""
    assert [group.name for group in select_groups(["fees", "moments", "fees"])] == [
        "always",
        "moments",
        "fees",
    ]
    with pytest.raises(KeyError):
        select_groups(["momentum"])


def _walk(equity: list[float], initial: float, *, skip_flat: bool) -> dict[str, float]:
    """Do what an engine does, bar by bar, with the updates that `accumulators` declares."""
    s1 = s2 = s3 = s4 = d2 = gain = loss = 0.0
    peak = dd_peak = dd_trough = before = initial
    below = longest = 0
    for value in equity:
        r = value / before - 1.0
        before = value
        if not (skip_flat and r == 0.0):
            s1 += r
            s2 += r * r
            s3 += (r * r) * r
            s4 += (r * r) * (r * r)
        if r < 0.0:
            d2 += r * r
            loss -= r
        if r > 0.0:
            gain += r
        if value > peak:
            peak = value
        elif value * dd_peak < dd_trough * peak:
            dd_peak, dd_trough = peak, value
        if value < peak:
            below += 1
            longest = max(longest, below)
        else:
            below = 0
    return {
        "equity": before,
        "s1": s1,
        "s2": s2,
        "s3": s3,
        "s4": s4,
        "d2": d2,
        "gain": gain,
        "loss": loss,
        "dd_peak": dd_peak,
        "dd_trough": dd_trough,
        "dd_bars": float(longest),
    }


@pytest.mark.parametrize("skip_flat", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_accumulate_has_the_bits_of_a_bar_by_bar_walk(seed: int, skip_flat: bool):
    """NumPy's cumulative sums and a scalar loop agree bit for bit, flat bars skipped or not."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(3, 1 + 97 * seed) * 0.01
    returns[rng.random(returns.size) < 0.5] = 0.0
    equity = 100.0 * np.cumprod(1.0 + returns)
    expected = _walk(equity.tolist(), 100.0, skip_flat=skip_flat)
    found = accumulate(equity_returns(equity, initial=100.0), equity, initial=100.0)
    assert {name: value.hex() for name, value in found.items()} == {
        name: value.hex() for name, value in expected.items()
    }


def test_accumulate_starts_the_peak_at_the_initial_cash():
    """A loss on the first bar is a drawdown from the initial cash; a close at the peak ends its run."""
    equity = np.array([90.0, 80.0, 100.0, 99.0, 101.0])
    found = accumulate(equity_returns(equity, initial=100.0), equity, initial=100.0)
    assert (found["dd_peak"], found["dd_trough"], found["dd_bars"]) == (100.0, 80.0, 2.0)


def test_accumulate_keeps_the_worst_drawdown_and_not_the_last():
    """The deepest fall relative to its own peak counts, not the largest amount of money."""
    equity = np.array([10.0, 5.0, 100.0, 60.0, 200.0, 150.0])
    found = accumulate(equity_returns(equity, initial=10.0), equity, initial=10.0)
    assert (found["dd_peak"], found["dd_trough"]) == (10.0, 5.0)


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((0,), (0,)), ((2, 2), (2, 2))])
def test_accumulate_refuses_what_is_no_path(shapes: tuple[tuple[int, ...], tuple[int, ...]]):
    """Unequal lengths, no bar, or a matrix are usage errors that show the shapes."""
    with pytest.raises(UsageError, match="equally long"):
        accumulate(np.zeros(shapes[0]), np.ones(shapes[1]), initial=1.0)


def test_accumulate_trades_counts_a_break_even_trade_on_neither_side():
    """A trade that ends at exactly 0 is closed, no win, and adds to no sum."""
    assert accumulate_trades([2.0, -1.0, 0.0, 3.0], opened=5) == {
        "opened": 5.0,
        "closed": 4.0,
        "wins": 2.0,
        "win_sum": 5.0,
        "loss_sum": 1.0,
    }
