"""Where a row stands in the day, the week and the session of an exchange."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
import polars as pl

from grn.kit.errors import DataError, UsageError, require_extra
from grn.kit.files import sha256_hex
from grn.quant.features.stream import through
from grn.quant.features.trades import TS, check_columns, filled, utc_ns

Part = Literal["minute_of_day", "hour", "weekday", "day", "month", "year"]

SESSION_SCHEMA: Final = pl.Schema(
    {"session": pl.Date(), "open_ts": TS, "close_ts": TS, "break_start_ts": TS, "break_end_ts": TS}
)
_NAT: Final = -(2**63)


def with_calendar(
    frame: pl.LazyFrame, parts: Sequence[Part] = ("minute_of_day", "weekday"), *, zone: str = "UTC"
) -> pl.LazyFrame:
    """Add parts of the date and time of `ts`, as a clock in `zone` shows them.

    Parameters
    ----------
    frame
        Column ts; without a zone it counts as UTC.
    parts
        minute_of_day (0 to 1439), hour, weekday (Monday is 1), day (of the month), month, year.
    zone
        Name of a time zone, such as ``America/New_York``; daylight saving is followed.

    Returns
    -------
    LazyFrame with a column for each part, int32.

    Raises
    ------
    UsageError
        An unknown part or zone.
    DataError
        There is no column ts.
    """
    schema = check_columns(frame, ("ts",))
    odd = next((part for part in parts if part not in get_args(Part)), None)
    if odd is not None:
        raise UsageError("unknown part of a date", seen=odd, hint=", ".join(get_args(Part)))
    _check_zone(zone)
    local = utc_ns(schema).dt.convert_time_zone(zone).dt
    made = {
        "minute_of_day": local.hour().cast(pl.Int32) * 60 + local.minute(),
        "hour": local.hour(),
        "weekday": local.weekday(),
        "day": local.day(),
        "month": local.month(),
        "year": local.year(),
    }
    return frame.with_columns(made[part].cast(pl.Int32).alias(part) for part in parts)


def _check_zone(zone: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError("there is no such time zone", seen=zone, hint="such as America/New_York") from error


def exchange_sessions(exchange: str, first: dt.date, last: dt.date) -> pl.DataFrame:
    """List the sessions of an exchange, from `exchange_calendars`.

    Holidays and early closes that were announced in advance were known then; a day on which an exchange
    stayed shut by surprise is in the list too, and was not.

    Parameters
    ----------
    exchange
        Its code, such as ``XNYS``, ``XLON``, ``XTKS``, or ``24/7``.
    first, last
        Dates of the first and last session looked for.

    Returns
    -------
    DataFrame with the columns of `SESSION_SCHEMA`, breaks null where there are none.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    UsageError
        It knows no such exchange, or not these dates.
    """
    calendars: Any = require_extra("exchange_calendars", "data")
    try:
        # Release 4.13 uses what pandas 3.1 warns of; its numbers are right.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Bounds are always given: the package's own depend on today.
            calendar = calendars.get_calendar(exchange, start=first.isoformat(), end=last.isoformat())
    except (calendars.errors.CalendarError, ValueError) as error:
        raise UsageError(
            "no such calendar of an exchange", seen=f"{exchange}: {error}", hint="such as XNYS"
        ) from error
    columns = {
        "open_ts": calendar.opens_nanos,
        "close_ts": calendar.closes_nanos,
        "break_start_ts": calendar.break_starts_nanos,
        "break_end_ts": calendar.break_ends_nanos,
    }
    days = (
        pl.Series(np.asarray(calendar.sessions_nanos, dtype=np.int64)).cast(pl.Datetime("ns")).cast(pl.Date)
    )
    times = {}
    for name, values in columns.items():
        stamps = pl.Series(np.asarray(values, dtype=np.int64))
        times[name] = (
            stamps.to_frame("ts").select(pl.when(pl.col("ts") != _NAT).then("ts").cast(TS)).to_series()
        )
    return pl.DataFrame({"session": days, **times}, schema=SESSION_SCHEMA)


def with_sessions(frame: pl.LazyFrame, sessions: pl.DataFrame) -> pl.LazyFrame:
    """Add the session that a row belongs to, and its distance from the open and the close.

    Parameters
    ----------
    frame
        Column ts, in any order.
    sessions
        As from `exchange_sessions`: in order, not overlapping.

    Returns
    -------
    LazyFrame with session (Date), since_open_s and until_close_s (float64, seconds; a break counts). All
    three are null outside of sessions and in breaks; a session begins at its open and ends before its close.

    Raises
    ------
    UsageError
        The sessions overlap or lack a column, or the frame has one of the new columns.
    DataError
        There is no column ts.
    """
    schema = check_columns(frame, ("ts",))
    if sessions.schema != SESSION_SCHEMA:
        raise UsageError("these are no sessions", seen=sessions.columns, hint="as from exchange_sessions")
    opens, closes = (sessions[name].to_physical().to_numpy() for name in ("open_ts", "close_ts"))
    if (opens[1:] < closes[:-1]).any() or (closes <= opens).any():
        raise UsageError("sessions overlap or are not in order", hint="sort them by open_ts")
    new = {"session": pl.Date(), "since_open_s": pl.Float64(), "until_close_s": pl.Float64()}
    taken = next((name for name in new if name in schema), None)
    if taken is not None:
        raise UsageError("the frame has this column", seen=taken, hint=f".drop({taken!r})")
    keyed = frame.with_columns(utc_ns(schema).alias("grn moment"))
    digest = sha256_hex(sessions.write_csv().encode())[:12]
    wide = pl.Schema({**schema, **new})
    return through(keyed, lambda: _Sessions(sessions), wide, "sessions", digest)


class _Sessions:
    def __init__(self, sessions: pl.DataFrame) -> None:
        self._sessions = sessions
        self._opens = sessions["open_ts"].to_physical().to_numpy()

    def take(self, rows: pl.DataFrame) -> pl.DataFrame:
        if rows["grn moment"].null_count():
            raise DataError("a row has no time", seen="null", hint="drop such rows: .drop_nulls('ts')")
        at = np.searchsorted(self._opens, rows["grn moment"].to_physical().to_numpy(), side="right") - 1
        where = pl.Series("at", at).to_frame().select(pl.when(pl.col("at") >= 0).then("at")).to_series()
        found = self._sessions.select(pl.all().gather(where)) if len(self._opens) else None
        if found is None:
            found = pl.DataFrame(schema=SESSION_SCHEMA).clear(rows.height)
        moment = rows["grn moment"]
        resting = ((moment >= found["break_start_ts"]) & (moment < found["break_end_ts"])).fill_null(
            value=False
        )
        trading = (moment < found["close_ts"]).fill_null(value=False) & ~resting
        since, until = _seconds(moment - found["open_ts"]), _seconds(found["close_ts"] - moment)
        made = pl.DataFrame({"session": found["session"], "since_open_s": since, "until_close_s": until})
        return rows.drop("grn moment").hstack(made.select(pl.when(trading).then(pl.all())))

    def finish(self) -> None:
        return None


def _seconds(spans: pl.Series) -> pl.Series:
    # Divided by NumPy: Polars 2.1 multiplies by the reciprocal instead, which may be off in the last bit.
    return pl.Series(filled(spans.to_physical(), 0) / 1e9)
