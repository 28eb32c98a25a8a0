"""Which histories are taken for one market, on real index data and on minutes that were made for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from grn.kit.errors import LedgerError
from grn.ledger.marks import KEPT
from grn.ledger.sketch import Sketch, alike, draw_sketch
from grn.quant.schema import load_bars

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
History = tuple[Ints, Floats]
Change = Callable[[Ints, Floats], History]

DAY_NS = 86_400 * 10**9
HOUR_NS = 3_600 * 10**9
SP500 = load_bars("SP500")[0]
NASDAQ = load_bars("NASDAQ")[0]
DAYS: History = (SP500.ts_ns, SP500.column("close"))


def minutes(n: int = 60_000, *, seed: int = 0) -> History:
    """Minutes of a seeded random walk from 2024-01-01 on, round the clock: there are no real ones at hand."""
    steps = np.random.default_rng(seed).normal(0.0, 3e-4, n)
    return 1_704_067_200 * 10**9 + np.arange(n) * 60 * 10**9, 100.0 * np.exp(np.cumsum(steps))


def noise(size: float) -> Change:
    return lambda ts, c: (ts, c * (1.0 + size * np.random.default_rng(1).normal(size=len(c))))


def windows(length_ns: int, origin_ns: int = 0, *, right: bool = False) -> Change:
    """Closes of windows, labelled where these begin, or at their ends."""

    def change(ts: Ints, c: Floats) -> History:
        window = (ts - origin_ns) // length_ns
        last = np.flatnonzero(np.r_[window[1:] != window[:-1], True])
        return (window[last] + right) * length_ns + origin_ns, c[last]

    return change


def monthly(ts: Ints, c: Floats) -> History:
    month = ts.view("datetime64[ns]").astype("datetime64[M]")
    last = np.flatnonzero(np.r_[month[1:] != month[:-1], True])
    return month[last].astype("datetime64[ns]").astype(np.int64), c[last]


def split(ts: Ints, c: Floats) -> History:
    return ts, np.where(np.arange(len(c)) < 3_000, c / 4.0, c)


def dividends(ts: Ints, c: Floats) -> History:
    """Half a percent every 63 days, taken off all earlier prices."""
    return ts, c * 0.995 ** (np.arange(len(c))[::-1] // 63)


FROZEN: list[list[int]] = [
    [],
    [143314537505882, 143316099747062, 143317649249173, 143318208739063],
    [],
    [],
    [143316489352488, 143316544928648, 143316628707019, 143317113008128],
]

SAME: dict[str, Change] = {
    "a bar appended": lambda ts, c: (np.r_[ts, ts[-1] + DAY_NS], np.r_[c, c[-1] * 1.01]),
    "a bar left out": lambda ts, c: (np.delete(ts, 2_000), np.delete(c, 2_000)),
    "every second bar left out": lambda ts, c: (ts[::2], c[::2]),
    "a split": split,
    "dividends": dividends,
    "another currency at a fixed rate": lambda ts, c: (ts, c * 1.95583),
    "the reciprocal": lambda ts, c: (ts, 1.0 / c),
    "a cut of ten years": lambda ts, c: (ts[1_000:3_500], c[1_000:3_500]),
    "a cut of three months": lambda ts, c: (ts[1_000:1_063], c[1_000:1_063]),
    "noise of 1e-12": noise(1e-12),
    "noise of 1e-6": noise(1e-6),
    "float32": lambda ts, c: (ts, c.astype(np.float32).astype(np.float64)),
    "weeks from Monday": windows(7 * DAY_NS, 4 * DAY_NS),
    "weeks labelled at their ends": windows(7 * DAY_NS, 3 * DAY_NS, right=True),
    "months": monthly,
    "stamped at the close in New York": lambda ts, c: (ts + 21 * HOUR_NS, c),
    "stamped in Tokyo": lambda ts, c: (ts - 9 * HOUR_NS, c),
    "stamped a day late": lambda ts, c: (ts + DAY_NS, c),
}
OTHER: dict[str, Change] = {
    # What is known to be taken for new data: the documentation lists it.
    "windows of three days": windows(3 * DAY_NS),
    "rounded to cents after a split of 1:40": lambda ts, c: (ts, np.round(c / 40.0, 2)),
    "noise of 1e-5": noise(1e-5),
    "stamped a year late": lambda ts, c: (ts + 365 * DAY_NS, c),
    "returns in another order": lambda ts, c: (ts, c[0] * np.cumprod(np.r_[1.0, (c[1:] / c[:-1])[::-1]])),
}


@pytest.mark.parametrize("name", SAME)
def test_what_is_the_same_market(name: str) -> None:
    """Twenty years of the S&P 500, changed as data change when nobody looks at anything new."""
    changed = draw_sketch(*SAME[name](*DAYS))
    whole = draw_sketch(*DAYS)
    assert whole.same_market(changed)
    assert changed.same_market(whole)


@pytest.mark.parametrize("name", OTHER)
def test_what_is_taken_for_another_market(name: str) -> None:
    """Limits that are known and written down; when one of these falls, the documentation changes with it."""
    assert not draw_sketch(*DAYS).same_market(draw_sketch(*OTHER[name](*DAYS)))


@pytest.mark.parametrize("length", [5, 15, 60, 240, 1_440])
def test_minutes_and_their_windows_are_one_market(length: int) -> None:
    """1m to 5m, 15m, 1h, 4h, 1d: the days' closes are the same."""
    whole = draw_sketch(*minutes())
    assert whole.same_market(draw_sketch(*windows(length * 60 * 10**9)(*minutes())))


def test_minutes_stamped_in_another_zone_are_one_market() -> None:
    """Days end elsewhere; the minutes still follow each other."""
    ts, c = minutes()
    assert draw_sketch(ts, c).same_market(draw_sketch(ts + 5 * HOUR_NS, c))


def test_correlated_symbols_are_two_markets() -> None:
    """S&P 500 and NASDAQ; and two funds on one index that miss it by a ten-thousandth a day."""
    whole = draw_sketch(*DAYS)
    assert not whole.same_market(draw_sketch(NASDAQ.ts_ns, NASDAQ.column("close")))
    ts, c = DAYS
    tracked = np.random.default_rng(0).normal(0.0, 1e-4, len(c))
    fund = np.round(c / 10.0 * (1.0 + tracked), 2)
    other = np.round(c / 10.0 * (1.0 - tracked), 2)
    assert not draw_sketch(ts, fund).same_market(draw_sketch(ts, other))
    assert not whole.same_market(draw_sketch(ts, fund))


def test_prices_of_few_ticks_are_not_one_market() -> None:
    """Two symbols at twenty ticks take the same prices all the time, but not in the same order."""

    def penny(seed: int) -> Sketch:
        steps = np.random.default_rng(seed).integers(-1, 2, 5_000)
        return draw_sketch(DAYS[0][:5_000], (20.0 + np.abs(np.cumsum(steps)) % 15) * 0.01)

    drawn = [penny(seed) for seed in range(12)]
    assert not any(a.same_market(b) for i, a in enumerate(drawn) for b in drawn[:i])


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_short_histories_have_empty_sketches(n: int) -> None:
    """Three closes make no run of three returns; single bars are still known again."""
    ts, c = DAYS[0][:n], DAYS[1][:n]
    drawn = draw_sketch(ts, c)
    assert [len(m.values) for m in drawn.marks[:4]] == [0, 0, 0, 0]
    assert drawn.same_market(drawn) == (n > 0)


def test_a_price_that_stands_still_has_no_runs() -> None:
    """A halted symbol would be the same market as every other one."""
    drawn = draw_sketch(DAYS[0], np.full(len(DAYS[0]), 7.0))
    assert [len(m.values) for m in drawn.marks[:4]] == [0, 0, 0, 0]


def test_sketches_come_back_from_their_bytes() -> None:
    """Twenty years of days in 25 kB, at most four marks a month and scale; other bytes are refused."""
    drawn = draw_sketch(*DAYS)
    data = drawn.to_bytes()
    again = Sketch.from_bytes(data)
    assert [m.values.tolist() for m in again.marks] == [m.values.tolist() for m in drawn.marks]
    assert len(data) < 26_000
    for marks in drawn.marks:
        assert (np.diff(marks.values.astype(np.int64)) > 0).all()
        assert not len(marks.values) or np.unique(marks.months, return_counts=True)[1].max() <= KEPT
    for bad in (b"", b"else", data[:-1], data[:30]):
        with pytest.raises(LedgerError, match="sketch"):
            Sketch.from_bytes(bad)


def test_the_marks_are_frozen() -> None:
    """Sketches are compared across releases: these values are those of the first one (schema 2)."""
    ts = 1_577_836_800 * 10**9 + np.arange(8) * DAY_NS  # 2020-01-01
    close = np.array([100.0, 101.0, 100.5, 102.25, 101.0, 103.0, 102.0, 104.0])
    assert [m.values.tolist() for m in draw_sketch(ts, close).marks] == FROZEN


def test_the_way_of_picking_the_smallest_does_not_matter() -> None:
    """Long months are partitioned and short ones sorted: a cut of minutes has the same marks."""
    ts, c = minutes(50_000)
    whole, cut = draw_sketch(ts, c), draw_sketch(ts[:44_640], c[:44_640])
    january = 648 + 2**15
    for mine, theirs in zip(whole.marks[:1], cut.marks[:1], strict=True):
        assert (
            mine.values[mine.months == january].tolist() == theirs.values[theirs.months == january].tolist()
        )


def test_all_pairs_are_found_at_once() -> None:
    """The same pairs as comparing each with each, with other markets and an empty sketch."""
    drawn = [draw_sketch(*change(*DAYS)) for change in (*SAME.values(), *OTHER.values())]
    drawn += [draw_sketch(NASDAQ.ts_ns, NASDAQ.column("close")), draw_sketch(DAYS[0][:0], DAYS[1][:0])]
    slow = [(i, j) for j in range(len(drawn)) for i in range(j) if drawn[i].same_market(drawn[j])]
    assert alike(drawn) == sorted(slow)
    assert alike([]) == alike(drawn[:1]) == []
