"""How many bars make a year, read off the timestamps, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError

_DAY_NS: Final = 86_400_000_000_000
_YEAR_DAYS: Final = 365.25
_TRADING_DAYS: Final = 252
# A weekday with a smaller share of the bars is an exception (a make-up session), not a habit.
_RARE: Final = 0.05
# In a shorter span the closed hours before the first and after the last bar distort the count.
_SHORT_SPAN_DAYS: Final = 60
# Holidays and late listings move a counted year by a few per cent, another kind of bar by a factor.
_ALIKE: Final = 1.1

_CALENDAR: Final[tuple[tuple[float, float, float, str], ...]] = (
    (6.0, 8.0, 52.0, "weekly"),
    (27.0, 32.0, 12.0, "monthly"),
    (88.0, 93.0, 4.0, "quarterly"),
    (364.0, 367.0, 1.0, "yearly"),
)
"""Shortest and longest median spacing in days, periods per year, word."""


def periods_per_year(ts_ns: npt.NDArray[np.int64]) -> tuple[float, str]:
    """Infer the number of bars per year from bar timestamps, and say why.

    The median spacing decides: about a day gives 365 when all seven weekdays have bars and 252 when five
    have; about a week 52, a month 12, a quarter 4, a year 1; anything else is counted, bars over span,
    rounded. Intraday bars over less than 60 days and without weekends are counted per trading day (times
    252), since so short a span would miss the nights and weekends around it.

    Parameters
    ----------
    ts_ns
        int64 [T], UTC nanoseconds, strictly increasing.

    Returns
    -------
    tuple
        Bars per year, at least 1, and one sentence with the evidence.
    """
    if ts_ns.size < 2:
        return float(_TRADING_DAYS), f"{ts_ns.size} bar: spacing unknown, taken as trading days"
    gaps = np.sort(np.diff(ts_ns))
    spacing_days = int(gaps[(gaps.size - 1) // 2]) / _DAY_NS
    for shortest, longest, periods, word in _CALENDAR:
        if shortest <= spacing_days <= longest:
            return periods, f"{word}: median spacing {spacing_days:.4g} days"
    weekdays = _habitual_weekdays(ts_ns)
    if 20 / 24 <= spacing_days <= 28 / 24 and weekdays != 6:
        if weekdays == 7:
            return 365.0, "daily with weekends: all seven weekdays have bars"
        return float(_TRADING_DAYS), f"daily without weekends: {weekdays} weekdays have bars"
    return _count(ts_ns, spacing_days, weekdays)


def _count(ts_ns: npt.NDArray[np.int64], spacing_days: float, weekdays: int) -> tuple[float, str]:
    span_days = int(ts_ns[-1] - ts_ns[0]) / _DAY_NS
    if spacing_days < 20 / 24 and span_days < _SHORT_SPAN_DAYS and weekdays <= 5:
        sessions = int(np.unique(ts_ns // _DAY_NS).size)
        per_day = ts_ns.size / sessions
        return (
            float(max(1, round(per_day * _TRADING_DAYS))),
            f"intraday: {per_day:.4g} bars on each of {sessions} days, {_TRADING_DAYS} days a year",
        )
    years = span_days / _YEAR_DAYS
    periods = float(max(1, round((ts_ns.size - 1) / years)))
    return periods, f"counted: {ts_ns.size} bars in {years:.4g} years"


def _habitual_weekdays(ts_ns: npt.NDArray[np.int64]) -> int:
    """Count the UTC weekdays that hold a fair share of the bars.

    Counting, instead of looking for Saturdays, survives labels shifted by a time zone: a Tokyo session is
    labelled from Sunday to Thursday in UTC.
    """
    counts = np.bincount((ts_ns // _DAY_NS) % 7, minlength=7)
    return int(np.count_nonzero(counts >= _RARE * ts_ns.size))


def common_periods_per_year(stamps: Mapping[str, npt.NDArray[np.int64]]) -> float:
    """Bars per year of several symbols whose annual figures are to be compared: that of the longest history.

    Parameters
    ----------
    stamps
        Symbol -> timestamps, int64 [T], UTC nanoseconds.

    Raises
    ------
    DataError
        Symbols with at least two bars differ by more than a tenth: daily and hourly bars in one table.
    """
    longest = max(stamps, key=lambda symbol: stamps[symbol].size)
    year, why = periods_per_year(stamps[longest])
    for symbol, ts_ns in stamps.items():
        other, other_why = periods_per_year(ts_ns)
        if ts_ns.size > 1 and not year / _ALIKE <= other <= year * _ALIKE:
            raise DataError(
                "the symbols have different numbers of bars per year",
                seen=f"{longest}: {year:g} ({why}); {symbol}: {other:g} ({other_why})",
                hint="sweep them apart, or say how many bars make a year: periods_per_year=252",
            )
    return year
