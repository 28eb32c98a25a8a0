"""How fast a source may be asked, by all series and all processes together, and what happens when it fails.

The next moment at which a source may be asked stands in a file below the lake's root, changed under a lock: a
source that says "too many requests" to one process is left alone by all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from grn.kit.clock import Clock
from grn.kit.errors import MissingError
from grn.kit.files import lock, make_dir
from grn.quant.lake.interval import NS

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

_LONGEST_S: Final = 900.0
"""A source that wants to be left alone for longer than this is given up for now."""
_FIRST_S: Final = 0.5
_MOST_S: Final = 60.0


class FlakyError(Exception):
    """A fault of the moment: cut connection, server error, an answer that cannot be right."""


class ThrottledError(Exception):
    """The source wants fewer requests.

    Parameters
    ----------
    reason
        What it said.
    after_s
        For how long it wants to be left alone, if it said so.
    """

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


@dataclass(frozen=True)
class Pace:
    """The pace at which one source is asked.

    Attributes
    ----------
    source
        Its name.
    folder
        Where the shared moment is kept.
    per_s
        Requests a second, over all processes.
    tries
        How often one request is made before it is given up.
    clock, sleep
        Time, and the way to let it pass.
    """

    source: str
    folder: Path
    per_s: float
    tries: int
    clock: Clock
    sleep: Sleep = asyncio.sleep

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a request when it is due; again, later and later, when it fails in passing.

        Raises
        ------
        MissingError
            It failed every time, or the source wants to be left alone for more than a quarter of an hour.
        """
        reason: Exception | None = None
        for attempt in range(self.tries):
            await self._turn()
            try:
                return await call()
            except ThrottledError as error:
                reason = error
                pause_s = _backoff_s(attempt) if error.after_s is None else error.after_s
                self._hold(pause_s)
                if pause_s > _LONGEST_S:
                    raise MissingError(
                        f"{self.source} asks to be left alone for {pause_s:,.0f} s",
                        seen=str(error),
                        hint="run the same command again then: it goes on where it stopped",
                    ) from error
            except FlakyError as error:
                reason = error
                if attempt + 1 < self.tries:
                    await self.sleep(_backoff_s(attempt))
        raise MissingError(
            f"{self.source} did not answer, asked {self.tries} times",
            seen=str(reason),
            hint="check the network; then run the same command again: it goes on where it stopped",
        ) from reason

    async def _turn(self) -> None:
        """Take the next free moment and wait for it."""
        now_ns = self.clock.now_ns()
        with self._shared() as path:
            due_ns = max(now_ns, _read(path, now_ns))
            path.write_text(str(due_ns + round(NS / self.per_s)), encoding="ascii")
        if due_ns > now_ns:
            await self.sleep((due_ns - now_ns) / NS)

    def _hold(self, seconds: float) -> None:
        """Let nobody ask for a while."""
        now_ns = self.clock.now_ns()
        with self._shared() as path:
            due_ns = max(now_ns + round(seconds * NS), _read(path, now_ns))
            path.write_text(str(due_ns), encoding="ascii")

    def _shared(self) -> _Shared:
        return _Shared(self.folder / quote(self.source, safe=""))


class _Shared:
    """The file with the next free moment, locked for the length of a ``with`` block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = lock(path.with_name(f"{path.name}.lock"))

    def __enter__(self) -> Path:
        make_dir(self._path.parent)
        self._lock.__enter__()
        return self._path

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(None, None, None)


def retry_after_s(header: str | None, now_ns: int) -> float | None:
    """Read ``Retry-After``: seconds, or a date (RFC 9110, section 10.2.3); ``None`` if it says neither."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now_ns / NS)


def date_ns(header: str | None) -> int | None:
    """Read the header ``Date`` as nanoseconds since 1970; ``None`` if there is none, or it is no date."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * NS


def utc(ts_ns: int) -> datetime:
    """Give a moment as a datetime in UTC, to the microsecond."""
    return datetime.fromtimestamp(ts_ns // NS, UTC).replace(microsecond=ts_ns % NS // 1000)


def _backoff_s(attempt: int) -> float:
    return min(_FIRST_S * 2.0**attempt, _MOST_S)


def _read(path: Path, now_ns: int) -> int:
    try:
        due_ns = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
    # A moment far away was left by a clock that was wrong, not by a source.
    return due_ns if due_ns - now_ns < 2 * _LONGEST_S * NS else 0
