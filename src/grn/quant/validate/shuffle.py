"""Markets with nothing to find: the same bars in another order.

Every bar is taken as its relations to the close before it (open, high, low and close, each divided by the
previous close). Whole blocks of consecutive bars are put into a random order and the prices are rebuilt
from the first close on. What a timing rule could exploit beyond a block's length is gone; what it must not
be credited for is still there: the drift, the volatility, the fat tails, the gaps between bars, and inside
a block the volatility clusters.

Why a permutation and no bootstrap. Drawing blocks with replacement changes the product of all relations, so
one shuffled market would rise tenfold and the next one halve, and the best of a sweep on it would mostly
measure that luck. A permutation uses every relation exactly once: buy-and-hold ends where it really ended,
up to rounding, and what the sweep finds beyond it is found in noise. The price is a test given the sample's
own drift, which is the question asked here.

Rebuilding needs * and / only. Both round monotonically, so a bar with low <= open, close <= high keeps that
order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.schema import Bars

PRICES: Final = ("open", "high", "low", "close")
"""Columns rebuilt from relations to the previous close; every other column travels with its bar."""


def shuffle_bars(bars: Bars, *, block: int, seed: int, levels: Collection[str] = ()) -> Bars:
    """Return the bars with their blocks in another order; see `shuffle_market`."""
    return shuffle_market((bars,), block=block, seed=seed, levels=levels)[0]


def shuffle_market(
    bars: tuple[Bars, ...], *, block: int, seed: int, levels: Collection[str] = ()
) -> tuple[Bars, ...]:
    """Return every symbol with its blocks in another order.

    The order is the same for all symbols, so that they stay correlated. Timestamps stay where they are, and
    so does the first bar, which has no bar before it. Where the symbols' bars differ, blocks are cut on the
    union of their timestamps, and each symbol follows with the bars it has.

    Parameters
    ----------
    bars
        The symbols, each with a ``close``.
    block
        Bars per block, at least 1. The cuts fall at a random offset, so the first and the last block may be
        shorter.
    seed
        Not negative. Same bars, block and seed: same bytes, on every machine and version of NumPy.
    levels
        Further columns in the money of the prices (a price to fill at, dividends in cash), rebuilt like them:
        a dividend of 2 % is one wherever its bar goes.

    Raises
    ------
    UsageError
        ``block`` is below 1, or so long that a symbol is a single block; or the seed is negative.
    """
    shortest = min((len(one) for one in bars), default=0)
    if bars and not 1 <= block < max(shortest, 2):
        name = min(bars, key=len).symbol
        raise UsageError(
            f"block length does not fit the bars of {name!r}",
            seen=f"block={block} for {shortest} bars",
            hint="take fewer bars per block (--block) than the shortest symbol has, or leave that symbol out",
        )
    if seed < 0:
        raise UsageError("seed is negative", seen=seed, hint="take 0, 1, 2, ...")
    if not bars:
        return ()
    calendar = np.unique(np.concatenate([one.ts_ns for one in bars]))
    places = _places(calendar.size, block, seed)
    return tuple(_rearrange(one, _order(one, calendar, places), levels) for one in bars)


def _places(size: int, block: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the new place of each of ``size`` positions, int64 [size].

    Only raw output of PCG64 is used: NumPy keeps that stream from version to version, but not its
    permutations.
    """
    generator = np.random.PCG64(seed)
    offset = int(generator.random_raw()) % block
    labels = (np.arange(size) + offset) // block
    keys = np.asarray(generator.random_raw(int(labels[-1]) + 1), dtype=np.uint64)
    order = np.lexsort((np.arange(size), labels, keys[labels]))
    places = np.empty(size, dtype=np.int64)
    places[order] = np.arange(size)
    return places


def _order(
    bars: Bars, calendar: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.intp]:
    """Return for each bar the index of the bar that moves there; the first stays."""
    own = places[np.searchsorted(calendar, bars.ts_ns[1:])]
    return np.concatenate((np.zeros(1, dtype=np.intp), 1 + np.argsort(own, kind="stable")))


def _rearrange(bars: Bars, order: npt.NDArray[np.intp], levels: Collection[str]) -> Bars:
    before = bars.column("close")[:-1]
    moved = order[1:] - 1  # relation i is that of bar i + 1
    relations = {name: bars.column(name)[1:] / before for name in {*PRICES, *levels} & set(bars.columns)}
    first = bars.column("close")[:1]
    # multiply.accumulate goes from left to right: close'[t] = close'[t-1] * relation[t], one rounding per
    # bar.
    closes = np.multiply.accumulate(np.concatenate((first, relations["close"][moved])))
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for name, values in bars.columns.items():
        if name == "close":
            columns[name] = closes
        elif name in relations:
            columns[name] = np.concatenate((values[:1], closes[:-1] * relations[name][moved]))
        else:
            columns[name] = values[order]
    return dataclasses.replace(bars, columns=columns)
