"""Marks drawn in chunks, against their definition, one bar after another."""

from __future__ import annotations

import math
import os
import tracemalloc
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from grn.ledger import marks as module
from grn.ledger.marks import KEPT, STEP, Marks, draw_marks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HISTORIES = 600 if os.environ.get("GRN_NIGHTLY") == "1" else 40
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_NS = 86_400 * 10**9
YEAR_NS = 365 * DAY_NS
WORD = 2**64 - 1


def mix(x: int) -> int:
    """The finaliser of SplitMix64, with Python's whole numbers."""
    x = (x + 0x9E3779B97F4A7C15) & WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


def month_of(ts_ns: int) -> int:
    day = EPOCH + timedelta(days=ts_ns // DAY_NS)
    return 12 * (day.year - 1970) + day.month - 1


def draw_slowly(ts_ns: Ints, close: Floats) -> list[list[int]]:
    """The marks of each scale, as the module `sketch` defines them."""
    bars = [
        (int(t), float(c), float(np.log(c))) for t, c in zip(ts_ns, close, strict=True) if 0.0 < c < math.inf
    ]

    def last_of(window_ns: int, origin_ns: int = 0) -> list[tuple[int, float, float]]:
        return list({(bar[0] - origin_ns) // window_ns: bar for bar in bars}.values())

    days = last_of(DAY_NS)
    closes = [
        bars if len(bars) > 1.5 * len(days) else [],
        days,
        last_of(7 * DAY_NS, 4 * DAY_NS),
        list({month_of(bar[0]): bar for bar in bars}.values()),
    ]
    found = [runs_of(scale, of) for scale, of in enumerate(closes)]
    found.append(defaultdict(set))
    for t, c, _ in bars:
        with np.errstate(over="ignore"):
            bits = int(np.float64(c).astype(np.float32).view(np.uint32))
        found[-1][month_of(t)].add(mix(mix(t & WORD) ^ bits) >> 32)
    return [
        [(month + 2**15) << 32 | mark for month in sorted(scale) for mark in sorted(scale[month])[:KEPT]]
        for scale in found
    ]


def runs_of(scale: int, closes: list[tuple[int, float, float]]) -> dict[int, set[int]]:
    """Marks of three returns in a row, by the month in which the last one ends."""
    found: dict[int, set[int]] = defaultdict(set)
    for k in range(3, len(closes)):
        run = [round((closes[j][2] - closes[j - 1][2]) / STEP) for j in (k - 2, k - 1, k)]
        if sum(part != 0 for part in run) < 2:
            continue
        turn = -1 if next(part for part in run if part) < 0 else 1
        month = month_of(closes[k][0])
        key = month if scale else closes[k][0] // DAY_NS
        state = mix((key & WORD) ^ (scale + 1 << 56))
        for part in run:
            state = mix(state ^ (part * turn & WORD))
        found[month].add(state >> 32)
    return found


def make_history(rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Seconds to weeks, with gaps, from 1950 on; prices that stand still, and some that are none."""
    n = int(rng.choice([0, 1, 3, 4, 30, 400, 1_500]))
    step = int(rng.choice([1, 60, 3_600, 28_800, 86_400, 604_800])) * 10**9
    gaps = np.where(rng.random(n) < 0.01, rng.integers(1, 2 + YEAR_NS // step, n), 1)
    ts_ns = int(rng.integers(-600, 1_500)) * 10**15 + np.cumsum(gaps) * step
    moves = rng.normal(0.0, float(rng.choice([1e-5, 1e-3, 0.02])), n) * (
        rng.random(n) < rng.choice([0.3, 1.0])
    )
    close = float(rng.choice([1e-6, 100.0, 1e39])) * np.exp(np.cumsum(moves))
    close[rng.random(n) < rng.choice([0.0, 0.0, 0.2])] = rng.choice([np.nan, np.inf, -1.0, 0.0])
    return ts_ns, close


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 500, 2**15])
def test_chunks_change_nothing(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk, down to one bar, gives the marks of the definition."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    for seed in range(chunk % 5, HISTORIES, 5):
        ts_ns, close = make_history(np.random.default_rng(seed))
        drawn = draw_marks(ts_ns, close)
        assert [m.values.tolist() for m in drawn] == draw_slowly(ts_ns, close), f"history {seed}"


def test_a_month_in_which_few_bars_tell_anything_is_searched_to_its_end() -> None:
    """Ten moves in 40,000 seconds: the limit below which marks are looked for rises until all are there."""
    close = np.full(40_000, 50.0)
    for k in range(3_000, 33_000, 3_000):
        close[k:] *= 1.01 + 1e-6 * k
        close[k + 1 :] *= 0.995
    ts_ns = 1_600_000_000 * 10**9 + np.arange(40_000) * 10**9
    slow = draw_slowly(ts_ns, close)
    assert [m.values.tolist() for m in draw_marks(ts_ns, close)] == slow
    assert len(slow[0]) == KEPT
    # Equal hashes take each other's place: one day's runs, two different ones.
    found = module._smallest(
        np.repeat(np.array([5, 3], np.uint64) << np.uint64(32), 500), None, np.ones(1_000, np.int64)
    )
    assert Marks(found).values.tolist() == [((1 + 2**15) << 32) + k for k in (3, 5)]


def test_memory_does_not_grow_with_a_history() -> None:
    """A million minutes are drawn in 4 MiB; as arrays of their length it would be forty."""
    ts_ns = 1_000_000_000 * 10**9 + np.arange(1_000_000) * 60 * 10**9
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(0.0, 3e-4, len(ts_ns))))
    draw_marks(ts_ns[:10], close[:10])
    tracemalloc.start()
    drawn = draw_marks(ts_ns, close)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20
    assert all(len(m.values) for m in drawn)
