"""The schedule: on which bars an account is rebalanced."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DAY_NS = 86_400 * 10**9


def due_bars(ts_ns: npt.NDArray[np.int64], every: str | int, *, first: int) -> npt.NDArray[np.bool_]:
    """Bars on which orders are filled: bool [T].

    The first bar of each period, known when it begins and not by the bar after it, and the first bar
    that can fill at all.

    Parameters
    ----------
    ts_ns
        The calendar: int64 [T], UTC.
    every
        "day", "week" (from Monday), "month", "quarter", "year", or a number of bars.
    first
        First bar that can fill: 0 when decisions fill on their own bar, else 1.
    """
    found = np.zeros(len(ts_ns), dtype=np.bool_)
    if isinstance(every, int):
        found[first::every] = True
        return found
    number = period_numbers(ts_ns, every)
    found[1:] = number[1:] != number[:-1]
    found[:first] = False
    found[first : first + 1] = True
    return found


def period_numbers(ts_ns: npt.NDArray[np.int64], every: str) -> npt.NDArray[np.int64]:
    """A number per bar that changes with the period."""
    days = ts_ns // DAY_NS
    if every == "day":
        return days
    if every == "week":
        return (days + 3) // 7  # day 0, 1970-01-01, was a Thursday
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months // {"month": 1, "quarter": 3, "year": 12}[every]
