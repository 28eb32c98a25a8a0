from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pytest

from grn.quant.engine.portfolio.schedule import due_bars, period_numbers

DAY_NS = 86_400 * 10**9
STAMPS = DAY_NS * np.arange(-800, 1_200, dtype=np.int64)


def period(every: str, ts_ns: int) -> object:
    """The period of a time, by the calendar of Python."""
    day = (dt.datetime(1970, 1, 1) + dt.timedelta(days=ts_ns // DAY_NS)).date()
    week = day.isocalendar()
    return {
        "day": day,
        "week": (week.year, week.week),
        "month": (day.year, day.month),
        "quarter": (day.year, (day.month - 1) // 3),
        "year": day.year,
    }[every]


@pytest.mark.parametrize("every", ["day", "week", "month", "quarter", "year"])
def test_periods_are_those_of_the_calendar(every: str) -> None:
    """Over two thousand days around 1970 the number changes exactly where the calendar's period does."""
    numbers = period_numbers(STAMPS, every)
    names = [period(every, int(ts)) for ts in STAMPS]
    changes = [a != b for a, b in itertools.pairwise(names)]
    assert (numbers[1:] != numbers[:-1]).tolist() == changes


def test_a_period_begins_with_its_first_bar() -> None:
    """30 and 31 January, 1, 2 and 5 February 2024: the month begins with the third bar."""
    days = [dt.date(2024, 1, 30), dt.date(2024, 1, 31), *(dt.date(2024, 2, d) for d in (1, 2, 5))]
    ts_ns = np.array([(d - dt.date(1970, 1, 1)).days * DAY_NS for d in days], dtype=np.int64)
    assert due_bars(ts_ns, "month", first=0).tolist() == [True, False, True, False, False]
    assert due_bars(ts_ns, "month", first=1).tolist() == [False, True, True, False, False]
    # 5 February is a Monday.
    assert due_bars(ts_ns, "week", first=0).tolist() == [True, False, False, False, True]
    assert due_bars(ts_ns, 2, first=1).tolist() == [False, True, False, True, False]
    assert due_bars(ts_ns[:1], "month", first=1).tolist() == [False]


def test_minutes_of_one_day_are_one_day() -> None:
    """Three bars before midnight, two after: the fourth begins the day."""
    ts_ns = DAY_NS - 60 * 10**9 * np.arange(3, -2, -1, dtype=np.int64)
    assert due_bars(ts_ns, "day", first=0).tolist() == [True, False, False, True, False]
