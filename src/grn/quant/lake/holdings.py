"""The lake as its users see it: series by symbol, as lazy frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Final

import polars as pl

from grn.kit.clock import Clock, SystemClock
from grn.kit.config import load_settings
from grn.kit.errors import UsageError
from grn.kit.paths import grn_home
from grn.quant.lake.book import Stamp, book_at, find_breaks, messages
from grn.quant.lake.interval import is_daily, parse_interval
from grn.quant.lake.kinds import TS
from grn.quant.lake.room import Room
from grn.quant.lake.series import Series, find_series
from grn.quant.lake.store import Store
from grn.quant.lake.view import adjust

_FOLDER: Final = "lake"


@dataclass(frozen=True)
class Lake:
    """A data lake. Reading never waits: a writer's changes are seen all or not at all.

    Attributes
    ----------
    root
        Its folder.
    quota_gib
        Most that it may hold, in GiB; ``None`` for no limit.
    clock
        For the moments that are recorded.
    """

    root: Path
    quota_gib: float | None = None
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def room(self) -> Room:
        """What may be written."""
        return Room(self.root, self.quota_gib)

    def series(self) -> list[Series]:
        """List every series, in order of kind, source, symbol and interval."""
        return sorted(
            find_series(self.root), key=lambda one: (one.kind, one.source, one.symbol, str(one.interval))
        )

    def store(self, series: Series) -> Store:
        """Open the files of a series, there or not."""
        return Store(self.root, series, self.clock, self.room)

    def find(self, symbol: str, kind: str, interval: str | None = None, source: str | None = None) -> Series:
        """Find the one series that is meant.

        Raises
        ------
        UsageError
            There is none, or there are several and `source` does not choose.
        """
        wanted = None if interval is None else parse_interval(interval)
        of_kind = [one for one in self.series() if one.kind == kind]
        found = [
            one
            for one in of_kind
            if one.symbol == symbol and one.interval == wanted and source in (None, one.source)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"several sources have {symbol!r}",
                seen=", ".join(one.source for one in found),
                hint=f"say which: source={found[0].source!r}",
            )
        same = [one for one in of_kind if one.symbol == symbol]
        near = get_close_matches(symbol, {one.symbol for one in of_kind}, n=3)
        if same:
            hint = "there is: " + "; ".join(str(one) for one in same)
        elif near:
            hint = f"did you mean {' or '.join(near)}?"
        else:
            hint = "grn quant ls shows what there is; grn quant pull and grn quant import bring more"
        raise UsageError(
            f"the lake has no such series of {kind}", seen=f"{symbol} {wanted or ''}".strip(), hint=hint
        )

    def bars(
        self, symbol: str, interval: str, adjusted: bool = True, *, source: str | None = None
    ) -> pl.LazyFrame:
        """Give bars, in order of time.

        Parameters
        ----------
        symbol
            As the source writes it: ``"SPY"``, ``"BTC/USDT"``.
        interval
            Such as ``"1d"`` or ``"1m"``.
        adjusted
            Multiply prices by the factors of all later splits and distributions, and volumes by those of
            splits: a view, computed when it is read. ``False`` gives what was stored: the prices of the day.
        source
            Needed where several sources have the symbol.

        Returns
        -------
        LazyFrame
            ``ts`` (Datetime, ns, UTC; the begin of a bar, for daily bars the session's date at 00:00),
            ``symbol``, ``open``, ``high``, ``low``, ``close``, ``volume``. It reads the state of this
            moment, whatever a writer does afterwards, for at least a day.

        Raises
        ------
        UsageError
            There is no such series.
        DataError
            Its manifest is damaged.
        """
        series = self.find(symbol, "bars", interval, source)
        store = self.store(series)
        manifest = store.manifest()
        rows = store.scan(manifest)
        if adjusted:
            zone = None if is_daily(str(series.interval)) else manifest.facts.get("timezone", "UTC")
            rows = adjust(rows, store.table(manifest, "actions"), zone)
        return _named(rows, symbol)

    def trades(self, symbol: str, *, received: bool = False, source: str | None = None) -> pl.LazyFrame:
        """Give trades, in the order in which they happened, pulled or recorded.

        Parameters
        ----------
        symbol, source
            As for `bars`.
        received
            Also give the column ``received``: this machine's time at which a trade came over a websocket,
            null for trades that were pulled.

        Returns
        -------
        LazyFrame
            ``ts`` (Datetime, ns, UTC), ``symbol``, ``id`` (text), ``price``, ``amount`` (of the base
            currency), ``side`` of the taker: ``buy`` or ``sell``.

        Raises
        ------
        UsageError
            There is no such series.
        """
        rows = self._rows(symbol, "trades", source)
        return rows if received else rows.drop("received")

    def quotes(self, symbol: str, *, source: str | None = None) -> pl.LazyFrame:
        """Give best bid and ask: ``ts``, ``symbol``, ``bid``, ``bid_size``, ``ask``, ``ask_size``.

        Raises
        ------
        UsageError
            There is no such series.
        """
        return self._rows(symbol, "quotes", source)

    def book(
        self,
        symbol: str,
        at: int | datetime | None = None,
        *,
        by: Stamp = "ts",
        source: str | None = None,
    ) -> pl.DataFrame:
        """Make the order book of a moment from what was recorded.

        Parameters
        ----------
        symbol, source
            As for `bars`.
        at
            The moment, changes at that very moment included: nanoseconds since 1970 UTC, or a datetime with a
            time zone. ``None``: the last one that was recorded.
        by
            Whose time: ``ts`` is the exchange's, ``received`` this machine's; the second gives the book as it
            was known here.

        Returns
        -------
        DataFrame
            ``side`` (``bid``, ``ask``), ``price``, ``amount``: bids from the best down, then asks from the
            best up. Levels beyond the exchange's snapshot are those that have changed since.

        Raises
        ------
        UsageError
            There is no such recording.
        DataError
            The book is not known at that moment; `book_gaps` says why.
        """
        store = self.store(self.find(symbol, "book", None, source))
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise UsageError("a moment needs its time zone", seen=str(at), hint="tzinfo=datetime.UTC")
            at = int(pl.Series([at]).dt.convert_time_zone("UTC").dt.epoch("ns")[0])
        return book_at(store, store.manifest().parts, at, by)

    def book_updates(self, symbol: str, *, source: str | None = None) -> pl.LazyFrame:
        """Give what was recorded of an order book, a row per level; `grn.quant.lake.book` has the columns.

        Rows are in the order of ``ts``; that in which they came is the order of ``seq``, ``line``.

        Raises
        ------
        UsageError
            There is no such recording.
        """
        return self._rows(symbol, "book", source)

    def book_gaps(self, symbol: str, *, source: str | None = None) -> pl.DataFrame:
        """Give the times at which a recorded book is not known: ``ts``, ``until``, ``why``, ``missed``."""
        return find_breaks(messages(self._rows(symbol, "book", source)))

    def actions(self, symbol: str, interval: str = "1d", *, source: str | None = None) -> pl.DataFrame:
        """Give corporate actions: ``ts`` (ex-date at 00:00 UTC), ``action``, ``value``."""
        return self._table(symbol, interval, source, "actions")

    def revisions(self, symbol: str, interval: str, *, source: str | None = None) -> pl.DataFrame:
        """Give what the source changed afterwards: ``ts``, ``field``, ``seen``, ``was``, ``now``."""
        return self._table(symbol, interval, source, "revisions")

    def gaps(self, symbol: str, interval: str | None = None, *, source: str | None = None) -> pl.DataFrame:
        """Give what is expected and not there: ``ts``, ``until``, ``state``, ``asked``.

        Without an interval: of trades, the times at which nobody listened.
        """
        return self._table(symbol, interval, source, "gaps")

    def _table(self, symbol: str, interval: str | None, source: str | None, name: str) -> pl.DataFrame:
        kind = "trades" if interval is None else "bars"
        store = self.store(self.find(symbol, kind, interval, source))
        return store.table(store.manifest(), name)

    def _rows(self, symbol: str, kind: str, source: str | None) -> pl.LazyFrame:
        store = self.store(self.find(symbol, kind, None, source))
        return _named(store.scan(store.manifest()), symbol)


def open_lake(root: str | PathLike[str] | None = None, clock: Clock | None = None) -> Lake:
    """Open a lake; see :func:`grn.quant.lake.holdings`."""
    settings = load_settings()
    folder = root or settings.data_root or grn_home() / _FOLDER
    return Lake(Path(folder).expanduser().absolute(), settings.data_quota_gib, clock or SystemClock())


def _named(rows: pl.LazyFrame, symbol: str) -> pl.LazyFrame:
    return rows.select("ts", pl.lit(symbol).alias("symbol"), pl.exclude("ts"))


def moment(ts_ns: int) -> pl.Expr:
    """Write a time stamp as a value of the column ``ts``."""
    return pl.lit(ts_ns).cast(TS)
