"""Bars per year from timestamps."""

from __future__ import annotations

import numpy as np
import pytest

from grn.kit.errors import DataError
from grn.quant.metrics.annualise import common_periods_per_year, periods_per_year
from grn.quant.samples import sample


def _ns(start: str, stop: str, unit: str) -> np.ndarray:
    days = np.arange(start, stop, dtype=f"datetime64[{unit}]")
    return days.astype("datetime64[ns]").astype(np.int64)


def _weekdays(ts_ns: np.ndarray) -> np.ndarray:
    return ts_ns[(ts_ns // 86_400_000_000_000 + 3) % 7 < 5]  # 1970-01-01 was a Thursday


def _session(ts_ns: np.ndarray) -> np.ndarray:
    minute = ts_ns // 60_000_000_000 % 1440
    return _weekdays(
        ts_ns[(minute >= 870) & (minute < 1260)]
    )  # 14:30 to 21:00 UTC, New York's winter session


DAYS = _ns("2020-01-01", "2022-01-01", "D")
MINUTES = _ns("2021-01-04T00:00", "2021-01-16T00:00", "m")


@pytest.mark.parametrize(
    ("ts_ns", "expected", "word"),
    [
        (DAYS, 365.0, "with weekends"),
        (_weekdays(DAYS), 252.0, "without weekends"),
        (_weekdays(DAYS) - 9 * 3_600_000_000_000, 252.0, "without weekends"),
        (np.union1d(_weekdays(DAYS), DAYS[3:4]), 252.0, "without weekends"),
        (DAYS[::7], 52.0, "weekly"),
        (_ns("2010-01", "2020-01", "M"), 12.0, "monthly"),
        (_ns("2010-01", "2020-01", "M")[::3], 4.0, "quarterly"),
        (_ns("1990", "2020", "Y"), 1.0, "yearly"),
        (DAYS[::2], 183.0, "counted"),
        (_ns("2020-01-01T00", "2021-01-01T00", "h"), 8766.0, "counted"),
        (MINUTES, 525_960.0, "counted"),
        (_session(MINUTES), 390.0 * 252, "intraday"),
        (DAYS[:1], 252.0, "spacing unknown"),
        (DAYS[:0], 252.0, "spacing unknown"),
    ],
    ids=[
        "crypto",
        "stocks",
        "stocks labelled at midnight in Tokyo",
        "one Saturday session",
        "weekly",
        "monthly",
        "quarterly",
        "yearly",
        "every other day",
        "hourly",
        "minutes around the clock",
        "minutes of two weeks' sessions",
        "one bar",
        "no bar",
    ],
)
def test_periods_follow_the_calendar(ts_ns: np.ndarray, expected: float, word: str):
    """The count is the market's, and the reason names what was seen."""
    periods, reason = periods_per_year(ts_ns)
    assert periods == expected
    assert word in reason


def test_the_bundled_index_has_252_bars_a_year():
    """Real daily data with holidays, 1999 to 2018."""
    ts_ns = sample("SP500").collect()["ts"].dt.epoch("ns").to_numpy()
    assert periods_per_year(ts_ns)[0] == 252.0


def test_sessions_over_years_are_counted_over_the_span():
    """Half-hourly sessions of two years: 13 bars on some 261 weekdays a year."""
    ts_ns = _session(_ns("2020-01-01T00:00", "2022-01-01T00:00", "m"))[::30]
    periods, reason = periods_per_year(ts_ns)
    assert periods == pytest.approx(13 * 261, rel=0.01)
    assert "counted" in reason


def test_symbols_are_compared_over_one_year():
    """The longest history decides, a single bar nothing; daily beside hourly bars are refused by name."""
    days = _weekdays(_ns("2015-01-01", "2020-01-01", "D"))
    hours = _ns("2018-01-01T00", "2019-06-01T00", "h")
    assert common_periods_per_year({"new": days[-1:], "old": days, "young": days[-60:]}) == 252.0
    with pytest.raises(DataError, match="different numbers of bars per year") as caught:
        common_periods_per_year({"D": days, "H": hours})
    assert "D: 252" in str(caught.value)
    assert "H: 876" in str(caught.value)
