"""What the lake holds: one schema per kind, the key that is unique, and how files are cut.

Stored tables have no column ``symbol``: a series is one symbol, and its folder names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from grn.kit.errors import UsageError
from grn.quant.lake.interval import is_daily, length_ns

TS: Final = pl.Datetime("ns", "UTC")
_HOUR_NS: Final = 3600 * 10**9


@dataclass(frozen=True)
class Kind:
    """A kind of table.

    Attributes
    ----------
    name
        Of the kind, and of its folder.
    columns
        Name to Polars type, in order; the first is ``ts``.
    key
        Columns whose values together occur once in a series.
    notes
        Columns that not every way into the lake knows: null until one does, and never a reason to call a row
        revised.
    """

    name: str
    columns: Mapping[str, pl.DataType]
    key: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def schema(self) -> pl.Schema:
        """The columns as Polars wants them."""
        return pl.Schema(dict(self.columns))

    @property
    def values(self) -> tuple[str, ...]:
        """The columns outside the key that the source vouches for."""
        return tuple(name for name in self.columns if name not in (*self.key, *self.notes))

    def empty(self) -> pl.DataFrame:
        """Return a table without rows."""
        return pl.DataFrame(schema=self.schema)

    def fit(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Select the columns, in order, in their types; notes that are not there are null."""
        absent = [pl.lit(None).alias(name) for name in self.notes if name not in frame.columns]
        return frame.with_columns(absent).select(*self.columns).cast(self.schema)

    def sort(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Put rows in their order: time, then identity (``"9"`` before ``"10"``)."""
        if "id" in self.key:
            return frame.sort("ts", pl.col("id").str.len_bytes(), "id")
        return frame.sort(self.key)


def _kind(name: str, key: tuple[str, ...], notes: tuple[str, ...] = (), /, **columns: pl.DataType) -> Kind:
    return Kind(name, MappingProxyType({"ts": TS, **columns}), key, notes)


_F64: Final = pl.Float64()
_I64: Final = pl.Int64()
_TEXT: Final = pl.String()

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _kind("bars", ("ts",), open=_F64, high=_F64, low=_F64, close=_F64, volume=_F64),
            _kind(
                *("trades", ("ts", "id"), ("received",)),
                **{"id": _TEXT, "price": _F64, "amount": _F64, "side": _TEXT, "received": TS},
            ),
            _kind("quotes", ("ts",), bid=_F64, bid_size=_F64, ask=_F64, ask_size=_F64),
            _kind(
                *("book", ("ts", "seq", "line")),
                **{"seq": _I64, "line": pl.Int32(), "event": _TEXT, "side": _TEXT},
                **{"price": _F64, "amount": _F64, "first_id": _I64, "last_id": _I64, "received": TS},
                why=_TEXT,
            ),
        )
    }
)
"""Kinds that a series can be of.

``received`` is this machine's time at which a trade or an update came over a websocket; trades that were
pulled have none. What the columns of ``book`` mean is told in `grn.quant.lake.book`.
"""

ACTIONS: Final = _kind("actions", ("ts", "action"), action=_TEXT, value=_F64)
"""Corporate actions beside bars: ``split`` (new shares for one old), ``dividend`` and ``capital_gain``
(currency per share, as paid on that day). ``ts`` is the ex-date at 00:00 UTC."""

REVISIONS: Final = _kind("revisions", ("ts", "field", "seen"), field=_TEXT, seen=TS, was=_F64, now=_F64)
"""Values that a source changed after the lake had them: what was stored, what replaced it, and when."""

GAPS: Final = _kind("gaps", ("ts",), until=TS, state=_TEXT, asked=pl.Int32())
"""Stretches without a bar where one was expected: from ``ts`` to ``until``, how often the source was
asked."""


def kind_of(name: str) -> Kind:
    """Look a kind up.

    Raises
    ------
    UsageError
        There is no such kind.
    """
    if name not in KINDS:
        raise UsageError("the lake holds no such kind of data", seen=name, hint=", ".join(KINDS))
    return KINDS[name]


def partition(kind: Kind, interval: str | None) -> pl.Expr:
    """Say which file group a row belongs to: decades of daily bars, years, months, days; hours of a book."""
    ts = pl.col("ts")
    if kind.name == "book":
        return ts.dt.strftime("%Y-%m-%dT%H")
    if interval is None:
        return ts.dt.strftime("%Y-%m-%d")
    if is_daily(interval):
        return (ts.dt.year() // 10 * 10).cast(pl.String) + "s"
    if length_ns(interval) >= _HOUR_NS:
        return ts.dt.strftime("%Y")
    return ts.dt.strftime("%Y-%m")
