"""Recording: several series at once, from a stream into the lake, until told to stop.

What is heard is in a journal before the next message is looked at, and on the disk within a second. Journals
become Parquet every few minutes, in a thread of its own. A series that the source refuses ends; the others
go on. A disk that is full, or a quota that is reached, ends the recording, and what was heard is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from grn.kit.errors import GrnError, UsageError
from grn.kit.paths import grn_home
from grn.quant.lake.holdings import Lake
from grn.quant.lake.journal import find_journals
from grn.quant.lake.live import Stream, find_stream
from grn.quant.lake.pace import Pace, Sleep
from grn.quant.lake.reel import Reel, recording
from grn.quant.lake.series import Series
from grn.quant.lake.source import load_source_settings

_T = TypeVar("_T")

_MIB: Final = 1 << 20
_TICK_S: Final = 0.25
_SYNC_S: Final = 1.0
_ROOM_S: Final = 10.0
_NEEDED: Final = 64 * _MIB
"""Bytes that have to be free for a recording to begin, and to go on."""


@dataclass(frozen=True)
class RecordOptions:
    """How to record.

    Attributes
    ----------
    for_s
        For how long; ``None`` until it is stopped.
    rotate_s, rotate_bytes
        Age and size at which a journal becomes Parquet.
    wait_s
        How long to wait for another writer when a recording begins and ends.
    """

    for_s: float | None = None
    rotate_s: float = 600.0
    rotate_bytes: int = 8 * _MIB
    wait_s: float = 10.0


@dataclass(frozen=True)
class Recorded:
    """What was recorded of one series.

    Attributes
    ----------
    series
        Which one.
    messages, rows
        Messages that were heard, and levels or trades in them.
    breaks
        How often something may have been missed.
    first_ns, last_ns
        The exchange's time of the first and the last message.
    left
        Journals that could not be merged into the series; the next recording, or ``repair``, does it.
    error
        Why it ended early, if it did.
    """

    series: Series
    messages: int
    rows: int
    breaks: int
    first_ns: int | None
    last_ns: int | None
    left: int
    error: GrnError | None = None


OnTick = Callable[[Sequence[Reel]], None]


def record(
    lake: Lake,
    source: str,
    wanted: Sequence[Series],
    options: RecordOptions,
    *,
    on_tick: OnTick | None = None,
    sleep: Sleep = asyncio.sleep,
) -> list[Recorded]:
    """Record until `options` say so, or SIGINT or SIGTERM comes.

    Raises
    ------
    UsageError
        The source does not know a symbol, or another process records it.
    MissingError
        The source cannot be reached.
    OutputError, BudgetError
        There is no room to begin.
    """

    async def until_told() -> list[Recorded]:
        stop = asyncio.Event()
        with _signals(stop):
            return await record_until(lake, source, wanted, options, stop, on_tick=on_tick, sleep=sleep)

    return asyncio.run(until_told())


async def record_until(
    lake: Lake,
    source: str,
    wanted: Sequence[Series],
    options: RecordOptions,
    stop: asyncio.Event,
    *,
    on_tick: OnTick | None = None,
    sleep: Sleep = asyncio.sleep,
) -> list[Recorded]:
    """Record until `stop` is set; see `record`."""
    _ask_room(lake, [])
    stream = open_stream(lake, source, sleep)
    try:
        with contextlib.ExitStack() as held:
            reels = []
            for series in dict.fromkeys(wanted):
                facts = await _unless_stopped(stream.open(series), stop)
                if facts is None:
                    return []
                reel = recording(lake.store(series), facts, lake.clock, options.wait_s)
                reels.append(held.enter_context(reel))
            session = _Session(lake, stream, reels, options, stop, on_tick)
            return await session.run()
    finally:
        await stream.close()


def open_stream(lake: Lake, name: str, sleep: Sleep = asyncio.sleep) -> Stream:
    """Make a stream; its REST requests keep to the pace that all processes with this lake share.

    Raises
    ------
    UsageError
        There is no such stream, or its settings are wrong.
    MissingExtraError
        Its package is not installed.
    """
    make, argument = find_stream(name)
    settings = load_source_settings(grn_home(), name)
    pace = Pace(name, lake.root / "pace", settings.per_s, settings.tries, lake.clock, sleep)
    return make(argument, settings, pace)


@dataclass
class _Session:
    """One recording."""

    lake: Lake
    stream: Stream
    reels: list[Reel]
    options: RecordOptions
    stop: asyncio.Event
    on_tick: OnTick | None
    errors: dict[int, GrnError] = field(default_factory=dict)

    async def run(self) -> list[Recorded]:
        following = [asyncio.create_task(self.stream.follow(reel.store.series, reel)) for reel in self.reels]
        try:
            await self._watch_over(following)
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            for number, reel in enumerate(self.reels):
                await asyncio.to_thread(self._end, number, reel)
        return [self._recorded(number, reel) for number, reel in enumerate(self.reels)]

    async def _watch_over(self, following: list[asyncio.Task[None]]) -> None:
        monotonic = self.lake.clock.monotonic_ns
        began = synced = roomed = monotonic()
        ended = asyncio.create_task(self.stop.wait())
        merging: asyncio.Future[None] | None = None
        try:
            while not self.stop.is_set():
                await asyncio.wait({ended}, timeout=_TICK_S)
                now = monotonic()
                if self.options.for_s is not None and now - began >= self.options.for_s * 1e9:
                    break
                self._note_ends(following)
                if all(task.done() for task in following):
                    break
                if now - synced >= _SYNC_S * 1e9:
                    synced = now
                    await asyncio.to_thread(self._sync)
                if now - roomed >= _ROOM_S * 1e9:
                    roomed = now
                    await asyncio.to_thread(_ask_room, self.lake, self.reels)
                if merging is None or merging.done():
                    if merging is not None:
                        merging.result()
                    merging = self._rotate()
                if self.on_tick is not None:
                    self.on_tick(self.reels)
        except GrnError as error:
            self.errors.update(dict.fromkeys(range(len(self.reels)), error) | self.errors)
        finally:
            ended.cancel()
            if merging is not None:
                await asyncio.wait({merging})
                merging.exception()

    def _note_ends(self, following: list[asyncio.Task[None]]) -> None:
        for reel in self.reels:
            if reel.failed is not None:
                raise reel.failed
        for number, task in enumerate(following):
            if number in self.errors or not task.done():
                continue
            error = task.exception()
            if isinstance(error, GrnError):
                self.errors[number] = error
            elif error is not None:
                raise error

    def _sync(self) -> None:
        for reel in self.reels:
            reel.sync()

    def _rotate(self) -> asyncio.Future[None] | None:
        """Begin new journals where it is time, and merge the closed ones in another thread."""
        full = [
            reel
            for reel in self.reels
            if reel.bytes >= self.options.rotate_bytes or reel.age_s() >= self.options.rotate_s
        ]
        turned = [reel for reel in full if reel.rotate() is not None]
        if not turned:
            return None
        return asyncio.ensure_future(asyncio.to_thread(self._merge, turned))

    def _merge(self, reels: Sequence[Reel]) -> None:
        for reel in reels:
            # Someone else is writing the series: the journal waits for the next turn.
            with contextlib.suppress(UsageError):
                reel.take_in(1.0)

    def _end(self, number: int, reel: Reel) -> None:
        try:
            reel.close()
            reel.take_in(self.options.wait_s)
        except GrnError as error:
            self.errors.setdefault(number, error)

    def _recorded(self, number: int, reel: Reel) -> Recorded:
        last_ns = reel.last_ns if reel.heard else None
        left = len(find_journals(reel.store.folder))
        return Recorded(
            *(reel.store.series, reel.heard, reel.rows, reel.breaks, reel.first_ns, last_ns, left),
            error=self.errors.get(number),
        )


async def _unless_stopped(call: Awaitable[_T], stop: asyncio.Event) -> _T | None:
    """Await something; ``None`` when the recording is to end before it has come."""
    task, ended = asyncio.ensure_future(call), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, ended):
            one.cancel()
        await asyncio.gather(task, ended, return_exceptions=True)


def _ask_room(lake: Lake, reels: Sequence[Reel]) -> None:
    """Make sure that what was heard, and as much again, can be written."""
    lake.room.ask(_NEEDED + sum(reel.bytes for reel in reels), "what is recorded")


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the recording, and not the process."""
    loop = asyncio.get_running_loop()
    told = (signal.SIGINT, signal.SIGTERM)
    for number in told:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in told:
            loop.remove_signal_handler(number)
