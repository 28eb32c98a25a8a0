"""Shuffled markets: what is destroyed, what is kept, and to the last bit when."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import UsageError
from grn.quant.samples import sample
from grn.quant.schema import Bars, load_bars
from grn.quant.validate.shuffle import shuffle_bars, shuffle_market

NEEDS = ("open", "high", "low", "close", "volume")
DAY_NS = 86_400_000_000_000


def _bars(size: int, seed: int = 0, symbol: str = "TEST", first: int = 0) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.cumprod(1.0 + rng.normal(0.0, 0.02, size))
    opened = close * (1.0 + rng.normal(0.0, 0.01, size))
    high = np.maximum(opened, close) * (1.0 + rng.exponential(0.01, size) * (rng.random(size) < 0.7))
    low = np.minimum(opened, close) / (1.0 + rng.exponential(0.01, size) * (rng.random(size) < 0.7))
    return Bars(
        symbol=symbol,
        ts_ns=(first + np.arange(size)) * DAY_NS,
        columns={
            "close": close,
            "open": opened,
            "high": high,
            "low": low,
            "volume": rng.integers(0, 1000, size).astype(np.float64),
            "score": np.where(rng.random(size) < 0.1, np.nan, np.arange(size, dtype=np.float64)),
        },
        timezone="UTC",
    )


@given(st.integers(2, 120), st.integers(1, 30), st.integers(0, 10_000))
def test_a_shuffled_market_is_still_a_market(size: int, block: int, seed: int):
    """OHLC stay in order, prices positive, time and first bar in place, and buy-and-hold ends where it
    did.
    """
    bars = _bars(size, seed)
    block = min(block, size - 1)
    shuffled = shuffle_bars(bars, block=block, seed=seed)
    opened, high, low, close = (shuffled.column(name) for name in ("open", "high", "low", "close"))
    assert (low <= np.minimum(opened, close)).all()
    assert (high >= np.maximum(opened, close)).all()
    assert (low > 0.0).all()
    np.testing.assert_array_equal(shuffled.ts_ns, bars.ts_ns)
    assert (shuffled.symbol, shuffled.timezone) == (bars.symbol, bars.timezone)
    assert list(shuffled.columns) == list(bars.columns)
    for name in bars.columns:
        np.testing.assert_array_equal(shuffled.column(name)[:1], bars.column(name)[:1])
    assert close[-1] == pytest.approx(bars.column("close")[-1], rel=1e-12)


@given(st.integers(2, 120), st.integers(1, 30), st.integers(0, 10_000))
def test_every_bar_is_used_once_and_keeps_its_own_values(size: int, block: int, seed: int):
    """Relations are a rearrangement to rounding, and volume and score travel with their bar, bit for bit."""
    bars = _bars(size, seed)
    shuffled = shuffle_bars(bars, block=min(block, size - 1), seed=seed)
    order = np.array([_find(bars, shuffled, index) for index in range(1, size)])
    np.testing.assert_array_equal(np.sort(order), np.arange(1, size))
    for name in ("open", "high", "low", "close"):
        before = bars.column(name)[1:] / bars.column("close")[:-1]
        after = shuffled.column(name)[1:] / shuffled.column("close")[:-1]
        np.testing.assert_allclose(after, before[order - 1], rtol=1e-12)
    np.testing.assert_array_equal(shuffled.column("score")[1:], bars.column("score")[order])


def test_columns_in_money_follow_the_prices():
    """Dividends keep their yield on the close before, a price to fill at its place in the bar."""
    bars = _bars(60, 3)
    paid = np.where(np.arange(60) % 7 == 3, 0.02 * np.roll(bars.column("close"), 1), 0.0)
    paid[10] = np.nan
    columns = {**bars.columns, "paid": paid, "vwap": 0.5 * (bars.column("high") + bars.column("low"))}
    bars = Bars(symbol="TEST", ts_ns=bars.ts_ns, columns=columns, timezone="UTC")
    shuffled = shuffle_bars(bars, block=5, seed=2, levels=["paid", "vwap", "none"])
    rate = shuffled.column("paid")[1:] / shuffled.column("close")[:-1]
    assert sorted(np.round(rate[~np.isnan(rate)], 12)) == [0.0] * 50 + [0.02] * 8
    assert np.isnan(rate).sum() == 1
    middle = 0.5 * (shuffled.column("high") + shuffled.column("low"))
    np.testing.assert_allclose(shuffled.column("vwap"), middle, rtol=1e-12)


def _find(bars: Bars, shuffled: Bars, index: int) -> int:
    """Return the bar that moved to ``index``, recognised by its close relation and volume."""
    relation = shuffled.column("close")[index] / shuffled.column("close")[index - 1]
    error = np.abs(bars.column("close")[1:] / bars.column("close")[:-1] - relation)
    error[bars.column("volume")[1:] != shuffled.column("volume")[index]] = np.inf
    return 1 + int(np.argmin(error))


def test_blocks_move_whole():
    """Inside a block bars keep their neighbours: only about one in ``block`` follows another bar than
    before.
    """
    bars = _bars(1001)
    numbered = Bars("N", bars.ts_ns, {"close": bars.column("close"), "index": np.arange(1001.0)})
    index = shuffle_bars(numbered, block=20, seed=4).column("index")
    cuts = int(np.count_nonzero(np.diff(index) != 1.0))
    assert 40 <= cuts <= 51
    lengths = np.diff(np.flatnonzero(np.concatenate(([True], np.diff(index) != 1.0, [True]))))
    assert np.count_nonzero(lengths % 20) <= 4  # the first bar, the two short ends, and nothing else


def test_symbols_move_together():
    """S&P 500 and NASDAQ keep the correlation of their daily relations, computed on the shuffled bars."""
    market = load_bars(sample("INDICES"), needs=NEEDS)
    shuffled = shuffle_market(market, block=20, seed=9)

    def correlation(pair: tuple[Bars, ...]) -> float:
        moves = [bars.column("close")[1:] / bars.column("close")[:-1] for bars in pair]
        return float(np.corrcoef(*moves)[0, 1])

    assert correlation(shuffled) == pytest.approx(correlation(market), rel=1e-9)
    for before, after in zip(market, shuffled, strict=True):
        assert after.column("close")[-1] == pytest.approx(before.column("close")[-1], rel=1e-10)
        assert after.identity != before.identity


def test_alone_or_in_company_a_symbol_is_shuffled_the_same():
    """With the same timestamps the order depends on block and seed only."""
    one, two = _bars(300, 1, "A"), _bars(300, 2, "B")
    together = shuffle_market((one, two), block=7, seed=3)
    assert together[0].identity == shuffle_bars(one, block=7, seed=3).identity
    assert together[1].identity == shuffle_bars(two, block=7, seed=3).identity


def test_a_younger_symbol_follows_the_common_calendar():
    """A symbol that starts later is rearranged in the same order of days as far as it has them."""
    old, young = _bars(100, 1, "OLD"), _bars(60, 2, "YOUNG", first=40)
    stamped = [
        Bars(bars.symbol, bars.ts_ns, {**bars.columns, "day": bars.ts_ns / DAY_NS}) for bars in (old, young)
    ]
    days = [bars.column("day") for bars in shuffle_market(tuple(stamped), block=5, seed=6)]
    common = [day for day in days[0][1:] if day > 40]
    assert common == days[1][1:].tolist()


def test_a_seed_has_its_bytes():
    """The bytes of one case, recorded with NumPy 2.4: they rest on raw PCG64 output, * and / alone."""
    bars = shuffle_bars(_steady(), block=3, seed=42)
    digest = hashlib.sha256(b"".join(bars.column(name).tobytes() for name in ("open", "close"))).hexdigest()
    assert digest == "51bb84202b8a79629c8bd842607e14d54df29744124b7911fa6fbfb3a0110b35"


def _steady() -> Bars:
    """Bars whose values use no random number and no library function."""
    steps = np.arange(50, dtype=np.float64)
    close = 100.0 + (steps * 7.0) % 13.0
    return Bars("STEADY", np.arange(50) * DAY_NS, {"open": close + 0.25, "close": close})


def test_seeds_differ_and_repeat():
    """Same seed, same bytes; another seed, other bytes."""
    bars = _bars(200)
    identities = [shuffle_bars(bars, block=5, seed=seed).identity for seed in (0, 1, 2, 0)]
    assert identities[0] == identities[3]
    assert len(set(identities)) == 3


@pytest.mark.parametrize(("block", "seed"), [(0, 0), (-1, 0), (50, 0), (51, 0), (5, -1)])
def test_a_block_that_does_not_fit_is_refused(block: int, seed: int):
    """No empty block, not all bars in one, and no negative seed; the hint says what would do."""
    with pytest.raises(UsageError) as caught:
        shuffle_bars(_bars(50), block=block, seed=seed)
    assert caught.value.hint


def test_no_symbols_are_no_market():
    """Nothing in, nothing out."""
    assert shuffle_market((), block=5, seed=0) == ()
