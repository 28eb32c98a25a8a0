from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import DataError, UsageError
from grn.quant.features import stream
from grn.quant.features.calendar import exchange_sessions, with_calendar, with_sessions
from tests.quant.features.markets import TS

NEW_YORK = "America/New_York"


def frame_of(moments: list[dt.datetime]) -> pl.LazyFrame:
    return pl.LazyFrame({"ts": pl.Series(moments, dtype=TS)})


@given(
    st.lists(
        st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC)),
        max_size=30,
    ),
    st.sampled_from(["UTC", NEW_YORK, "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_parts_of_the_date(moments: list[dt.datetime], zone: str) -> None:
    """Each part is what Python's own clock in that zone shows, daylight saving included."""
    parts = ("minute_of_day", "hour", "weekday", "day", "month", "year")
    made = with_calendar(frame_of(moments), parts, zone=zone).select(parts).collect().rows()
    local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    assert made == [(t.hour * 60 + t.minute, t.hour, t.isoweekday(), t.day, t.month, t.year) for t in local]


def test_sessions_of_new_york() -> None:
    """The week of Thanksgiving 2023: closed on Thursday, a short Friday, as the exchange announced."""
    sessions = exchange_sessions("XNYS", dt.date(2023, 11, 20), dt.date(2023, 11, 27))
    assert sessions["session"].to_list() == [dt.date(2023, 11, day) for day in (20, 21, 22, 24, 27)]
    open_, close = sessions.row(3)[1:3]
    assert open_ == dt.datetime(2023, 11, 24, 14, 30, tzinfo=dt.UTC)
    assert close == dt.datetime(2023, 11, 24, 18, 0, tzinfo=dt.UTC)
    assert sessions["break_start_ts"].null_count() == 5


def test_sessions_with_a_break() -> None:
    """Tokyo closes for lunch, from 11:30 to 12:30 local time; rows in the break are in no session."""
    sessions = exchange_sessions("XTKS", dt.date(2024, 1, 4), dt.date(2024, 1, 10))
    tokyo = ZoneInfo("Asia/Tokyo")
    moments = [dt.datetime(2024, 1, 4, h, m, tzinfo=tokyo) for h, m in ((9, 0), (11, 30), (12, 29), (12, 30))]
    made = with_sessions(frame_of(moments), sessions).collect()
    assert made["session"].is_null().to_list() == [False, True, True, False]
    assert made["since_open_s"].to_list() == [0.0, None, None, 3.5 * 3600]


@given(hours=st.lists(st.integers(0, 24 * 9), max_size=30), size=st.integers(1, 9))
def test_equal_to_the_reference(hours: list[int], size: int) -> None:
    """Every row gets the session that it lies in, found by looking at all of them; rows in any order."""
    sessions = exchange_sessions("XNYS", dt.date(2023, 11, 20), dt.date(2023, 11, 27))
    moments = [dt.datetime(2023, 11, 19, 0, 30, tzinfo=dt.UTC) + dt.timedelta(hours=h) for h in hours]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "STAGE_ROWS", size)
        made = with_sessions(frame_of(moments), sessions).collect()
    expected: list[tuple[Any, ...]] = []
    for moment in moments:
        inside = [row for row in sessions.rows() if row[1] <= moment < row[2]]
        row = inside[0] if inside else None
        expected.append(
            (None, None, None) if row is None
            else (row[0], (moment - row[1]).total_seconds(), (row[2] - moment).total_seconds())
        )  # fmt: skip
    assert made.drop("ts").rows() == expected


def test_what_is_refused() -> None:
    """Unknown parts, zones, exchanges and columns; sessions that overlap; missing times when collected."""
    frame = frame_of([dt.datetime(2024, 1, 4, tzinfo=dt.UTC)])
    sessions = exchange_sessions("XNYS", dt.date(2024, 1, 4), dt.date(2024, 1, 10))
    with pytest.raises(UsageError, match="part of a date"):
        with_calendar(frame, ["minute"])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="time zone"):
        with_calendar(frame, zone="New York")
    with pytest.raises(UsageError, match="calendar"):
        exchange_sessions("NYSE!", dt.date(2024, 1, 4), dt.date(2024, 1, 10))
    with pytest.raises(DataError, match="no column 'ts'"):
        with_sessions(frame.rename({"ts": "time"}), sessions)
    with pytest.raises(UsageError, match="not in order"):
        with_sessions(frame, sessions.reverse())
    with pytest.raises(UsageError, match="no sessions"):
        with_sessions(frame, sessions.drop("session"))
    with pytest.raises(UsageError, match="has this column"):
        with_sessions(frame.with_columns(session=1), sessions)
    with pytest.raises(DataError, match="no time"):
        with_sessions(frame.with_columns(ts=pl.lit(None, dtype=TS)), sessions).collect()
    assert with_sessions(frame, sessions.clear()).collect()["session"].to_list() == [None]
