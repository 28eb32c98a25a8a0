"""When a market trades: which bars are to be expected, and which of them are closed.

Times of stock exchanges come from the package `exchange_calendars`. A market without a known calendar expects
nothing: then nobody can tell a quiet day from a missing one, and the lake says so instead of guessing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError, require_extra
from grn.quant.lake.interval import DAY_NS, NS, is_daily, length_ns

Stamps = npt.NDArray[np.int64]

ALWAYS: Final = "24/7"
_MONDAY_NS: Final = 4 * DAY_NS
_SETTLE_NS: Final = 1800 * NS
"""After a session's close its last prints still come in: a daily bar counts as closed half an hour later."""
_EARLIEST: Final = ("1960-01-01", "1992-01-01", "1998-01-01")


class Calendar(Protocol):
    """When bars of one interval begin and end. Spans are of labels, half-open, in nanoseconds."""

    def expected(self, begin_ns: int, end_ns: int) -> Stamps | None:
        """Labels in ``[begin_ns, end_ns)`` that should have a bar, shape (N,); ``None`` if nobody knows."""
        ...

    def closed_until(self, now_ns: int) -> int:
        """Return the label from which on bars are not closed yet at `now_ns`."""
        ...


@dataclass(frozen=True)
class Always:
    """A market that never closes: labels are multiples of the interval since 1970 (weeks on Mondays)."""

    interval: str

    def expected(self, begin_ns: int, end_ns: int) -> Stamps | None:
        """Every label in the span."""
        step, origin = length_ns(self.interval), self._origin
        first = -(-(begin_ns - origin) // step) * step + origin
        return np.arange(first, max(end_ns, first), step, dtype=np.int64)

    def closed_until(self, now_ns: int) -> int:
        """Return the label of the bar that is being made now."""
        step = length_ns(self.interval)
        return (now_ns - self._origin) // step * step + self._origin

    @property
    def _origin(self) -> int:
        return _MONDAY_NS if self.interval.endswith("w") else 0


@dataclass(frozen=True)
class Sessions:
    """A stock exchange's calendar.

    Attributes
    ----------
    code
        Market identifier that `exchange_calendars` knows, such as ``XNYS``.
    interval
        Of the bars.
    """

    code: str
    interval: str

    def expected(self, begin_ns: int, end_ns: int) -> Stamps | None:
        """Dates of sessions, or the bars within them, counted from each session's opening."""
        if self.interval.endswith("w"):
            return None
        table = _sessions(self.code)
        if is_daily(self.interval):
            dates = table[0]
            return dates[(dates >= begin_ns) & (dates < end_ns)]
        step = length_ns(self.interval)
        near = (table[2] > begin_ns) & (table[1] < end_ns)
        opens, closes = table[1][near], table[2][near]
        bars = [np.arange(begin, end, step, dtype=np.int64) for begin, end in zip(opens, closes, strict=True)]
        labels = np.concatenate(bars) if bars else np.empty(0, np.int64)
        return labels[(labels >= begin_ns) & (labels < end_ns)]

    def closed_until(self, now_ns: int) -> int:
        """Return the first session's date, or bar, that has not ended (for daily bars: and settled)."""
        if not is_daily(self.interval):
            return now_ns - length_ns(self.interval) + 1
        dates, _, closes = _sessions(self.code)
        ended = dates[closes + _SETTLE_NS <= now_ns]
        if not self.interval.endswith("w"):
            return int(ended[-1]) + 1 if len(ended) else 0
        return Always(self.interval).closed_until(now_ns)


@dataclass(frozen=True)
class Unknown:
    """A market whose hours nobody told: bars close when their time is over, and none is expected.

    Attributes
    ----------
    interval
        Of the bars.
    timezone
        Where a date begins and ends.
    """

    interval: str
    timezone: str = "UTC"

    def expected(self, begin_ns: int, end_ns: int) -> Stamps | None:
        """Nobody knows."""
        return None

    def closed_until(self, now_ns: int) -> int:
        """Return the label of the day, or of the bar, that goes on at `now_ns`."""
        if not is_daily(self.interval):
            return now_ns - length_ns(self.interval) + 1
        return Always(self.interval).closed_until(now_ns - _SETTLE_NS + _offset_ns(self.timezone, now_ns))


def calendar_of(code: str | None, interval: str, timezone: str | None = None) -> Calendar:
    """Choose by what is known of an instrument: ``24/7``, a code of `exchange_calendars`, or nothing."""
    if code == ALWAYS:
        return Always(interval)
    if code:
        return Sessions(code, interval)
    return Unknown(interval, timezone or "UTC")


@lru_cache(maxsize=8)
def _sessions(code: str) -> tuple[Stamps, Stamps, Stamps]:
    """Dates, openings and closings of all sessions that are known, each of shape (N,), nanoseconds UTC."""
    calendars: Any = require_extra("exchange_calendars", "data")
    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses what pandas 3.1 has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        if code not in calendars.get_calendar_names():
            raise UsageError("there is no such calendar", seen=code, hint="XNYS, XLON, XETR ..., or 24/7")
        for start in (*_EARLIEST, None):
            try:
                calendar = calendars.get_calendar(code, start=start)
                break
            except ValueError:  # not defined that far back
                continue
    opens, closes = (column.dt.tz_convert(None).to_numpy() for column in (calendar.opens, calendar.closes))
    return _as_ns(calendar.sessions.to_numpy()), _as_ns(opens), _as_ns(closes)


def _as_ns(values: npt.NDArray[np.datetime64]) -> Stamps:
    return values.astype("datetime64[ns]").astype(np.int64)


def _offset_ns(timezone: str, now_ns: int) -> int:
    from datetime import UTC, datetime

    offset = datetime.fromtimestamp(now_ns // NS, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * NS
