"""Higher timeframes: base bars grouped into windows, of which only closed ones are seen."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from grn.kit.errors import StrategyError
from grn.quant.schema.bars import Bars

_UNIT_NS = {"m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9, "w": 7 * 86_400 * 10**9}
_MONDAY_NS = 4 * 86_400 * 10**9
"""1970-01-01 was a Thursday; weeks are counted from Monday 1970-01-05."""


def parse_every(every: str) -> int:
    """Length in nanoseconds of a window such as ``"15m"``, ``"4h"``, ``"1d"``, ``"1w"``."""
    found = re.fullmatch(r"([1-9][0-9]*)([mhdw])", every)
    if not found:
        raise StrategyError(
            "unknown timeframe", seen=repr(every), hint='a number and a unit out of m h d w: "15m", "1d"'
        )
    return int(found[1]) * _UNIT_NS[found[2]]


def group_bars(bars: Bars, every: str) -> tuple[Bars, npt.NDArray[np.int64]]:
    """Aggregate to windows, and say which closed window each base bar sees.

    Windows start at multiples of `every` since 1970-01-01 UTC (weeks on Mondays).  A window is closed, and
    seen, from the first base bar of a later window on: the rule needs no knowledge of when a bar ends, and it
    gives the same values when later data is cut off.

    Returns
    -------
    The windows as bars (open first, high highest, low lowest, volume summed, everything else last), and
    int64 [T]: index of the last closed window at each base bar, -1 when there is none yet.
    """
    length = parse_every(every)
    origin = _MONDAY_NS if every.endswith("w") else 0
    window = (bars.ts_ns - origin) // length
    starts = np.flatnonzero(np.r_[True, window[1:] != window[:-1]])
    ends = np.r_[starts[1:], len(window)] - 1
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for name, values in bars.columns.items():
        if name == "open":
            columns[name] = values[starts]
        elif name == "high":
            columns[name] = np.maximum.reduceat(values, starts)
        elif name == "low":
            columns[name] = np.minimum.reduceat(values, starts)
        elif name == "volume":
            # Added bar by bar: `np.add.reduceat` may pair terms, and its order is not specified.
            columns[name] = np.array([_sum(values[a : b + 1]) for a, b in zip(starts, ends, strict=True)])
        else:
            columns[name] = values[ends]
    grouped = Bars(
        symbol=bars.symbol, ts_ns=window[starts] * length + origin, columns=columns, timezone=bars.timezone
    )
    closed = np.cumsum(np.r_[True, window[1:] != window[:-1]]) - 2
    return grouped, closed.astype(np.int64)


def _sum(values: npt.NDArray[np.float64]) -> float:
    total = 0.0
    for value in values.tolist():
        total += value
    return total
