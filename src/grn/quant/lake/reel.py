"""One series while it is recorded: every message goes to a journal at once.

A journal that is full, or old enough, is closed and another one begun; `intake` makes Parquet of the closed.

Time does not go back in the record of a book: a message that the exchange stamps earlier than the one before
gets the stamp of that one. The book of a moment is made of the messages stamped until then, in the order in
which they came, and would else be one that never was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from grn.kit.clock import Clock
from grn.kit.errors import GrnError, UsageError
from grn.kit.files import lock, make_dir
from grn.quant.lake.intake import NOT_RECORDED, RECORDING, recover, take_in
from grn.quant.lake.journal import FOLDER as JOURNALS
from grn.quant.lake.journal import Journal, Record, find_journals
from grn.quant.lake.live import BookChange, Level, TradeHeard
from grn.quant.lake.manifest import NAME as MANIFEST
from grn.quant.lake.manifest import Manifest
from grn.quant.lake.store import LOCK as WRITE_LOCK
from grn.quant.lake.store import Store

_LEAPT: Final = "a snapshot that does not go on from the last update"


class Reel:
    """What hears one series. Made by `recording`.

    Parameters
    ----------
    store
        Of the series.
    manifest
        What is there already.
    facts
        What the source says of the instrument.
    clock
        This machine's.
    """

    def __init__(self, store: Store, manifest: Manifest, facts: Mapping[str, str], clock: Clock) -> None:
        self.store = store
        self.facts = dict(facts)
        self.heard = self.breaks = self.rows = 0
        self.first_ns: int | None = None
        self.last_ns = manifest.last_ns
        self.last_id: int | None = None
        self.known = False
        """Whether what comes next goes on from what was recorded last."""
        self.skew_ns: int | None = None
        self.failed: GrnError | None = None
        """Why nothing is written any more: whoever calls in the middle of a message must not be stopped."""
        self._clock = clock
        self._seq = _next_seq(store, manifest)
        self._held: BookChange | None = None
        self._levels: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
        numbers = [int(path.stem) for path in find_journals(store.folder)]
        self._journal = Journal(store.folder, max(numbers, default=0) + 1)
        self._began_ns = clock.monotonic_ns()
        if manifest.rows:
            self.known = True
            self.lost(NOT_RECORDED)
            self.breaks = 0

    @property
    def bytes(self) -> int:
        """Size of the journal."""
        return self._journal.bytes

    def age_s(self) -> float:
        """Seconds since the journal was begun."""
        return (self._clock.monotonic_ns() - self._began_ns) / 1e9

    def book(self, change: BookChange) -> None:
        """Write a message about the book."""
        if self.failed is not None:
            return
        if change.event == "snapshot" and change.ts_ns is None:
            self._held = change  # until the exchange tells its time, with the next update
            return
        if self._held is not None:
            held, self._held = self._held, None
            self._book(held, change.ts_ns)
        self._book(change, change.ts_ns)

    def _book(self, change: BookChange, ts_ns: int | None) -> None:
        apart = change.event == "snapshot" and (change.fetched or change.ts_ns is None)
        if apart and (change.last_id is None or change.last_id != self.last_id):
            # The exchange was at another point than the last update: some may have been passed over.
            self._break(_LEAPT)
        since_ns = self.last_ns
        self._note(ts_ns, change.received_ns, borrowed=change.ts_ns is None)
        if since_ns is not None and self.last_ns is not None:
            self.last_ns = max(self.last_ns, since_ns)
        if change.event == "snapshot":
            self._levels, self.known = {"bid": {}, "ask": {}}, True
        for side, levels in (("bid", change.bids), ("ask", change.asks)):
            have = self._levels[side]
            for price, amount in levels:
                if amount > 0:
                    have[price] = amount
                else:
                    have.pop(price, None)
        self.last_id = change.last_id
        self.rows += len(change.bids) + len(change.asks)
        self._write(change.event, self.last_ns, change.received_ns, change.first_id, change.last_id,
                    bids=change.bids, asks=change.asks)  # fmt: skip

    def trade(self, trade: TradeHeard) -> None:
        """Write a trade."""
        if self.failed is not None:
            return
        since_ns = self.last_ns
        self._note(trade.ts_ns, trade.received_ns)
        if not self.known:
            self.known = True
            if self.facts.get("numbered") != "yes" and since_ns is not None and since_ns < trade.ts_ns:
                self._append(["gap", since_ns + 1, trade.ts_ns])
        self.rows += 1
        self._append(
            ["trade", trade.ts_ns, trade.received_ns, trade.id, trade.price, trade.amount, trade.side]
        )

    def lost(self, why: str) -> None:
        """Write down that something may be missing from here on; once, until it goes on."""
        self._held = None
        self._break(why)

    def _break(self, why: str) -> None:
        if not self.known or self.failed is not None:
            return
        self.known = False
        self.breaks += 1
        if self.store.kind.name == "book" and self.last_ns is not None:
            # The book is known up to the last message, that moment included.
            self.last_ns += 1
            self._write("break", self.last_ns, self._clock.now_ns(), why=why)

    def sync(self) -> None:
        """Flush the journal to the disk."""
        self._journal.sync()

    def rotate(self) -> Path | None:
        """Begin another journal; returns the one before, closed, if there was anything in it."""
        if not self._journal.bytes:
            return None
        before = self._journal
        self._journal = Journal(self.store.folder, before.number + 1)
        self._began_ns = self._clock.monotonic_ns()
        before.close()
        if self.known and self.store.kind.name == "book":
            bids, asks = (list(self._levels[side].items()) for side in ("bid", "ask"))
            # A nanosecond later than what is in the file before: files that touch would be merged.
            after_ns = (self.last_ns or 0) + 1
            self._write(
                "checkpoint", after_ns, self._clock.now_ns(), None, self.last_id, bids=bids, asks=asks
            )
        return before.path

    def close(self) -> None:
        """Close the journal.

        A snapshot that still waits for its time is not written: this machine's clock may be wrong by more
        than the recording is long, and the update that tells whether the book goes on has not come.
        """
        self._held = None
        self._journal.close()

    def take_in(self, wait_s: float) -> None:
        """Merge every closed journal into the series; see the function of this name."""
        current = None if self._journal.closed else self._journal.path
        for path in find_journals(self.store.folder):
            if path != current:
                take_in(self.store, path, self.facts, self.skew_ns, wait_s)

    def _note(self, ts_ns: int | None, received_ns: int, *, borrowed: bool = False) -> None:
        """Keep count, and the least difference of the clocks: a slow way makes it look larger."""
        self.heard += 1
        self.last_ns = received_ns if ts_ns is None else ts_ns
        self.first_ns = self.last_ns if self.first_ns is None else self.first_ns
        if ts_ns is not None and not borrowed:
            skew_ns = received_ns - ts_ns
            self.skew_ns = skew_ns if self.skew_ns is None else min(self.skew_ns, skew_ns)

    def _write(
        self,
        event: str,
        ts_ns: int | None,
        received_ns: int,
        first_id: int | None = None,
        last_id: int | None = None,
        *,
        why: str | None = None,
        bids: Sequence[Level] = (),
        asks: Sequence[Level] = (),
    ) -> None:
        self._append([event, self._seq, ts_ns, received_ns, first_id, last_id, why, bids, asks])
        self._seq += 1

    def _append(self, record: Record) -> None:
        try:
            self._journal.append(record)
        except GrnError as error:
            self.failed = error


@contextlib.contextmanager
def recording(store: Store, facts: Mapping[str, str], clock: Clock, wait_s: float) -> Iterator[Reel]:
    """Be the one recorder of a series for the length of a ``with`` block.

    What a recorder that was killed has left is taken in first.

    Raises
    ------
    UsageError
        Another process records this series, or still writes it after `wait_s`.
    OutputError
        The lake cannot be written.
    """
    make_dir(store.folder)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock(store.folder / RECORDING, timeout_s=0.0))
        except UsageError as error:
            raise UsageError(
                f"another process is recording {store.series}", hint="one recording of a series is enough"
            ) from error
        recover(store, facts, wait_s)
        with store.writing(wait_s) as writer:
            writer.commit(facts=facts)
            manifest = writer.manifest
        reel = Reel(store, manifest, facts, clock)
        try:
            yield reel
        finally:
            reel.close()
            _forget_empty(store)


def _next_seq(store: Store, manifest: Manifest) -> int:
    if store.kind.name != "book":
        return 0
    if "next_seq" in manifest.facts:
        return int(manifest.facts["next_seq"])
    last = store.scan(manifest).select(pl.col("seq").max()).collect(engine="streaming").item()
    return 0 if last is None else int(last) + 1


def _forget_empty(store: Store) -> None:
    """Take away a series that nothing was heard of: it leaves no trace."""
    folder = store.folder
    if store.manifest().rows or find_journals(folder):
        return
    with contextlib.suppress(OSError):
        (folder / JOURNALS).rmdir()
        for name in (MANIFEST, RECORDING, WRITE_LOCK):
            (folder / name).unlink(missing_ok=True)
        for place in (folder, *folder.parents[:3]):
            place.rmdir()
