"""Bringing a series up to date: what is new, what was never asked for, what is missing, what has changed.

The order within a pull: first from a little before the last row to the present (what comes again is
compared), then what lies before the first row, then the gaps. What came is written every ten seconds, so a
pull that ends early, however it ends, is gone on with by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from grn.kit.clock import Clock
from grn.kit.errors import GrnError, MissingError
from grn.kit.paths import grn_home
from grn.quant.lake.calendars import Stamps
from grn.quant.lake.gaps import asked_again, find_gaps, open_gaps
from grn.quant.lake.holdings import Lake
from grn.quant.lake.interval import DAY_NS, is_daily, length_ns
from grn.quant.lake.kinds import TS
from grn.quant.lake.pace import Pace, Sleep
from grn.quant.lake.series import Series
from grn.quant.lake.source import Feed, Page, Source, find_source, load_source_settings
from grn.quant.lake.spans import Span, minus, union
from grn.quant.lake.store import Merged, Writer

_EPOCH_NS: Final = 1_230_768_000 * 10**9
"""2009-01-01: before the first exchange that trades around the clock."""
_FIRST_DAYS: Final = 30
_GAP_QUESTIONS: Final = 50
_NEAR_BARS: Final = 500
"""Gaps closer than this are asked for together."""
_ROWS_PER_COMMIT: Final = 20_000
_SCALE_BARS: Final = 3
_SCALE_SPREAD: Final = 1e-4
_SCALE_LEAST: Final = 0.01
"""Three closes or more that all differ from the stored ones by one factor, at least one per cent from 1."""
_BYTES_PER_BAR: Final = 40
"""Upper end of what a bar takes, compressed."""
_COMMIT_NS: Final = 10 * 10**9

OnPage = Callable[[Series, int], None]


@dataclass(frozen=True)
class Pulled:
    """What a pull did to one series.

    Attributes
    ----------
    series
        Which one.
    added, revised
        Rows that are new, and rows whose values the source had changed.
    open_gaps
        Stretches that are expected, not there, and not explained yet.
    rows
        Rows that the series has now.
    first_ns, last_ns
        Its first and last row.
    notes
        What a person should know.
    """

    series: Series
    added: int
    revised: int
    open_gaps: int
    rows: int
    first_ns: int | None
    last_ns: int | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A series that could not be pulled, and why. What was written before is kept."""

    series: Series
    error: GrnError


@dataclass(frozen=True)
class PullOptions:
    """How to pull.

    Attributes
    ----------
    since_ns
        Where the series should begin; ``None`` leaves it as it is.
    wait_s
        How long to wait for another writer.
    every_gap
        Ask for gaps that were believed, too.
    again
        Spans to fetch once more, to compare.
    """

    since_ns: int | None = None
    wait_s: float = 10.0
    every_gap: bool = False
    again: Sequence[Span] = ()


def pull(
    lake: Lake,
    wanted: Sequence[Series],
    options: PullOptions,
    *,
    on_page: OnPage | None = None,
    sleep: Sleep = asyncio.sleep,
) -> list[Pulled | Failed]:
    """Pull several series; those of different sources at the same time.

    A series that fails does not keep the others from being pulled.
    """
    return asyncio.run(_pull_all(lake, list(dict.fromkeys(wanted)), options, on_page, sleep))


async def _pull_all(
    lake: Lake, wanted: list[Series], options: PullOptions, on_page: OnPage | None, sleep: Sleep
) -> list[Pulled | Failed]:
    by_source: dict[str, list[int]] = {}
    for number, series in enumerate(wanted):
        by_source.setdefault(series.source, []).append(number)
    done: dict[int, Pulled | Failed] = {}

    async def run(name: str, numbers: list[int]) -> None:
        try:
            source = open_source(lake, name, sleep)
        except GrnError as error:
            done.update({number: Failed(wanted[number], error) for number in numbers})
            return
        try:
            for number in numbers:
                try:
                    done[number] = await pull_one(lake, source, wanted[number], options, on_page)
                except GrnError as error:
                    done[number] = Failed(wanted[number], error)
        finally:
            await source.close()

    await asyncio.gather(*(run(name, numbers) for name, numbers in by_source.items()))
    return [done[number] for number in range(len(wanted))]


def open_source(lake: Lake, name: str, sleep: Sleep = asyncio.sleep) -> Source:
    """Make a source, at the pace that all processes with this lake share.

    Raises
    ------
    UsageError
        There is no such source, or its settings are wrong.
    MissingExtraError
        Its package is not installed.
    """
    make, argument = find_source(name)
    settings = load_source_settings(grn_home(), name)
    pace = Pace(name, lake.root / "pace", settings.per_s, settings.tries, lake.clock, sleep)
    return make(argument, settings, pace)


async def pull_one(
    lake: Lake, source: Source, series: Series, options: PullOptions, on_page: OnPage | None = None
) -> Pulled:
    """Pull one series.

    Raises
    ------
    UsageError
        The source does not know the series, or another process is writing it.
    MissingError
        The source does not answer.
    OutputError, BudgetError
        The lake cannot be written.
    DataError
        What is stored already is damaged.
    """
    store = lake.store(series)
    fresh = not store.folder.exists()
    try:
        with contextlib.ExitStack() as held:
            writer = await asyncio.to_thread(held.enter_context, store.writing(options.wait_s))
            feed = await source.open(series, store.table(writer.manifest, "actions"))
            return await _Pull(series, writer, feed, options, lake.clock, on_page).run()
    finally:
        if fresh and not store.manifest().generation:
            _remove_empty(lake, series)


@dataclass
class _Pull:
    """One pull of one series."""

    series: Series
    writer: Writer
    feed: Feed
    options: PullOptions
    clock: Clock
    on_page: OnPage | None
    done: Merged = field(default_factory=Merged)
    pages: list[Page] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: int = 0
    committed_ns: int = 0

    async def run(self) -> Pulled:
        self.committed_ns = self.clock.now_ns()
        end = self._end()
        spans = self._spans(end)
        if self.series.interval is not None:
            bars = sum(high - low for low, high in spans) // length_ns(self.series.interval)
            self.writer.store.room.ask(bars * _BYTES_PER_BAR, f"{bars:,} bars of {self.series}")
        for span in spans:
            await self._ask(span, self._last_id(span))
        gaps = None
        await self._commit()
        if self.series.interval is not None:
            gaps = await self._ask_gaps(end)
        elif self.feed.facts.get("numbered") == "yes":
            await self._ask_holes()
        await self._commit(gaps, final=True)
        if self.writer.compact():
            self.writer.commit()
        manifest = self.writer.manifest
        return Pulled(
            self.series,
            self.done.added,
            self.done.revised,
            0 if gaps is None else len(open_gaps(gaps)),
            manifest.rows,
            manifest.first_ns,
            manifest.last_ns,
            tuple(self.notes),
        )

    def _end(self) -> int:
        """Return the label up to which bars are closed; for other kinds, the present."""
        now_ns = self.feed.now_ns()
        return now_ns if self.series.interval is None else self.feed.calendar.closed_until(now_ns)

    def _spans(self, end: int) -> list[Span]:
        """What to ask for, the newest first."""
        manifest = self.writer.manifest
        begin = self._begin(end)
        todo = minus([(begin, end)], manifest.covered)
        if manifest.last_ns is not None:
            todo.append((max(begin, manifest.last_ns - self.feed.overlap_ns), end))
        todo += [(max(begin, low), min(high, end)) for low, high in self.options.again]
        return sorted(union(todo), reverse=True)

    def _begin(self, end: int) -> int:
        since_ns = self.options.since_ns
        if since_ns is None:
            covered = self.writer.manifest.covered
            since_ns = covered[0][0] if covered else self._default_begin(end)
        earliest = self.feed.earliest_ns()
        if earliest is not None and since_ns < earliest:
            if self.options.since_ns is not None or not self.writer.manifest.rows:
                when = pl.select(pl.lit(earliest).cast(TS).dt.strftime("%Y-%m-%d")).item()
                self.notes.append(f"{self.series.source} has nothing before {when}")
            since_ns = earliest
        step = length_ns(self.series.interval) if self.series.interval else 1
        return min(since_ns // step * step if is_daily(self.series.interval or "1m") else since_ns, end)

    def _default_begin(self, end: int) -> int:
        interval = self.series.interval
        if interval is not None and is_daily(interval):
            return self.feed.earliest_ns() or _EPOCH_NS
        days = 1 if interval is None else _FIRST_DAYS
        self.notes.append(
            f"the last {days} days; --since gives more" if days > 1 else "the last day; --since gives more"
        )
        return (end // DAY_NS - days) * DAY_NS

    def _last_id(self, span: Span) -> str | None:
        """Identity of the newest row, where the span goes on from it."""
        manifest, store = self.writer.manifest, self.writer.store
        if "id" not in store.kind.key or manifest.last_ns is None or span[0] < manifest.last_ns:
            return None
        last = store.scan(manifest, (manifest.last_ns, manifest.last_ns + 1)).select("id").collect()
        return str(last["id"][-1])

    async def _ask(self, span: Span, last: str | None = None) -> None:
        """Ask for a span; what comes is stored every few thousand rows, and every ten seconds."""
        async for page in self.feed.pages(span, last):
            self._take(page)
            now_ns = self.clock.now_ns()
            if self.waiting >= _ROWS_PER_COMMIT or now_ns - self.committed_ns > _COMMIT_NS:
                await self._commit()

    def _take(self, page: Page) -> None:
        if self.feed.rtol and not self.options.again:
            self._check_scale(page)
        self.pages.append(page)
        self.waiting += page.rows.height
        if self.on_page is not None:
            self.on_page(self.series, page.rows.height)

    def _check_scale(self, page: Page) -> None:
        """Refuse an answer that is the stored one times a constant: a split that it did not tell.

        Raises
        ------
        MissingError
            At least three bars are stored already, and all closes differ by the same factor.
        """
        if page.rows.is_empty():
            return
        stamps = page.rows["ts"].to_physical()
        stored = self.writer.store.scan(self.writer.manifest, (int(stamps[0]), int(stamps[-1]) + 1))
        both = page.rows.lazy().join(stored.select("ts", was="close"), on="ts")
        ratios = both.select(pl.col("close") / pl.col("was")).collect().to_series()
        if len(ratios) < _SCALE_BARS:
            return
        low, high = float(ratios.min()), float(ratios.max())  # type: ignore[arg-type]
        if abs(high / low - 1) < _SCALE_SPREAD and abs(low - 1) > _SCALE_LEAST:
            raise MissingError(
                f"{self.series} comes with all prices on another scale, and no split with them",
                seen=f"{low:.6g} times what it gave before",
                hint="pull again when the split has arrived; grn quant repair --refetch takes it as it is",
            )

    async def _commit(self, gaps: pl.DataFrame | None = None, *, final: bool = False) -> None:
        rows = pl.concat([self.writer.store.kind.empty(), *(page.rows for page in self.pages)])
        # The last row of an answer comes again as the first of the next: the later one is the newer.
        rows = rows.unique(self.writer.store.kind.key, keep="last", maintain_order=True)
        self.done += self.writer.merge(rows, rtol=self.feed.rtol)
        self.writer.commit(
            covered=[page.covered for page in self.pages],
            actions=await self.feed.actions(),
            gaps=gaps,
            facts=self.feed.facts,
            skew_ns=self.feed.skew_ns,
            pulled=final,
        )
        self.pages, self.waiting = [], 0
        self.committed_ns = self.clock.now_ns()

    async def _ask_gaps(self, end: int) -> pl.DataFrame:
        """Ask once for every gap that is not explained; returns the gaps that are left."""
        gaps = self._find_gaps(end)
        spans = self._questions(open_gaps(gaps, all_states=self.options.every_gap))
        if len(spans) > _GAP_QUESTIONS:
            self.notes.append(f"gaps: {_GAP_QUESTIONS} of {len(spans)} asked for; the next pull goes on")
            spans = spans[-_GAP_QUESTIONS:]
        for span in spans:
            await self._ask(span)
        await self._commit()
        return self._find_gaps(end, asked_again(gaps, spans))

    async def _ask_holes(self) -> None:
        """Ask once for trades that are missing by number: of the last day, or, to repair, of all."""
        manifest, store = self.writer.manifest, self.writer.store
        if manifest.last_ns is None:
            return
        begin = 0 if self.options.every_gap else manifest.last_ns - DAY_NS
        number = pl.col("id").cast(pl.Int64)
        holes = (
            store.scan(manifest, (begin, manifest.last_ns + 1))
            .select(pl.col("ts").to_physical(), before=pl.col("id").shift(1), step=number.diff())
            .with_columns(since=pl.col("ts").shift(1))
            .filter(pl.col("step") > 1)
            .select("since", "ts", "before")
            .collect(engine="streaming")
        )
        for since, until, before in holes.tail(_GAP_QUESTIONS).rows():
            await self._ask((since, until + 1), before)

    def _questions(self, gaps: list[Span]) -> list[Span]:
        """Join gaps that one answer can hold."""
        near = _NEAR_BARS * length_ns(str(self.series.interval))
        spans: list[Span] = []
        for begin, until in sorted(gaps):
            if spans and until - spans[-1][0] <= near:
                spans[-1] = (spans[-1][0], until)
            else:
                spans.append((begin, until))
        return spans

    def _find_gaps(self, end: int, old: pl.DataFrame | None = None) -> pl.DataFrame:
        store, manifest = self.writer.store, self.writer.manifest
        if old is None:
            old = store.table(manifest, "gaps")
        stamps: Stamps = store.scan(manifest).select("ts").collect()["ts"].to_physical().to_numpy()
        covered = [(low, min(high, end)) for low, high in manifest.covered]
        return find_gaps(self.feed.calendar, stamps, covered, length_ns(str(self.series.interval)), old)


def _remove_empty(lake: Lake, series: Series) -> None:
    """Take away the folders of a series that came to nothing: an unknown symbol leaves no trace."""
    folder = series.folder(lake.root)
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {"lock"}:
            (folder / "lock").unlink()
            for place in (folder, *folder.parents[:3]):
                place.rmdir()
