"""What a source of market data has to be, and how one is found by name.

A source is one file. Those of this package are listed here; others register the entry point group
``grn.lake_sources`` in their distribution, with a name and a class called with (argument, settings, pace).
"""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

import polars as pl

from grn.kit.errors import UsageError, require_extra
from grn.quant.lake.calendars import Calendar
from grn.quant.lake.pace import Pace
from grn.quant.lake.series import Series
from grn.quant.lake.spans import Span

SETTINGS_FILE: Final = "sources.toml"
_GROUP: Final = "grn.lake_sources"
_OWN: Final = {
    "yfinance": ("grn.quant.lake.sources.yahoo:Yahoo", "yfinance"),
    "ccxt": ("grn.quant.lake.sources.exchange:Exchange", "ccxt"),
}


@dataclass(frozen=True)
class SourceSettings:
    """How to reach a source; a table of ``sources.toml`` named by it.

    Attributes
    ----------
    base_url
        Ask this address instead of the source's own: a mirror such as ``https://data-api.binance.vision``.
    stream_url
        The same for what is streamed, such as ``wss://data-stream.binance.vision``; default the host of
        ``base_url``.
    per_s
        Requests a second, over all processes. The limiter of `ccxt`, which knows what the exchange allows and
        what each request weighs there, stays on.
    timeout_s
        For one request.
    tries
        How often a request is made before it is given up.
    """

    base_url: str | None = None
    stream_url: str | None = None
    per_s: float = 4.0
    timeout_s: float = 20.0
    tries: int = 6

    def __post_init__(self) -> None:
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise UsageError("base_url is no address", seen=self.base_url, hint="it begins with https://")
        if self.stream_url is not None and not self.stream_url.startswith(("ws://", "wss://")):
            raise UsageError("stream_url is no address", seen=self.stream_url, hint="it begins with wss://")
        if not (self.per_s > 0 and self.timeout_s > 0 and self.tries >= 1):
            raise UsageError(
                "per_s, timeout_s and tries must be positive",
                seen=f"{self.per_s}, {self.timeout_s}, {self.tries}",
                hint=f"correct {SETTINGS_FILE}",
            )


@dataclass(frozen=True)
class Page:
    """An answer of a source.

    Attributes
    ----------
    rows
        Of the kind's schema, in order, every key once.
    covered
        The span that this answer leaves no question about, as far as the source can be believed.
    """

    rows: pl.DataFrame
    covered: Span


class Feed(Protocol):
    """One instrument at a source, ready to be asked."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What the source says of it: ``calendar``, ``timezone``, ``currency`` and the like."""
        ...

    @property
    def calendar(self) -> Calendar:
        """When it trades."""
        ...

    @property
    def rtol(self) -> float:
        """Relative difference within which the source's own numbers vary."""
        ...

    @property
    def skew_ns(self) -> int | None:
        """Clock of this machine minus the source's, once it was asked; ``None`` while nobody knows."""
        ...

    @property
    def overlap_ns(self) -> int:
        """How much of what is stored is asked for again at every pull."""
        ...

    def now_ns(self) -> int:
        """Give the time: the source's, or this machine's if it is earlier."""
        ...

    def earliest_ns(self) -> int | None:
        """Begin of what the source can give now; ``None`` if it knows no such limit."""
        ...

    def pages(self, span: Span, last: str | None) -> AsyncIterator[Page]:
        """Ask for rows with ``ts`` in `span`, in several answers, in any order.

        Parameters
        ----------
        span
            Half-open, nanoseconds.
        last
            Identity of the newest row that is stored before `span`, for kinds that have one.
        """
        ...

    async def actions(self) -> pl.DataFrame | None:
        """Corporate actions that came with the pages; ``None`` where there is no such thing."""
        ...


class Source(Protocol):
    """Where market data come from."""

    kinds: Sequence[str]

    async def open(self, series: Series, actions: pl.DataFrame) -> Feed:
        """Find the instrument.

        Parameters
        ----------
        series
            What is wanted.
        actions
            Corporate actions that the lake has already.

        Raises
        ------
        UsageError
            The source does not know the symbol, the interval or the kind.
        MissingError
            It cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


SourceMaker = Callable[[str, SourceSettings, Pace], Source]


def find_source(name: str) -> tuple[SourceMaker, str]:
    """Find a source by name: ``yfinance``, or ``ccxt:binance`` (what follows the colon is its argument).

    Raises
    ------
    UsageError
        Nobody registered that name.
    MissingExtraError
        Its package is not installed.
    """
    maker, argument = find_maker(name, _OWN, _GROUP, ["yfinance", "ccxt:EXCHANGE"])
    return maker, argument


def find_maker(
    name: str, own: Mapping[str, tuple[str, str]], group: str, known: Sequence[str]
) -> tuple[Any, str]:
    """Find what makes a source or a stream: in a table of ours, else among the entry points of a group.

    Raises
    ------
    UsageError
        Nobody registered that name.
    MissingExtraError
        Its package is not installed.
    """
    base, _, argument = name.partition(":")
    if base in own:
        target, needs = own[base]
        require_extra(needs, "data")
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute), argument
    for entry in entry_points(group=group, name=base):
        return entry.load(), argument
    raise UsageError("no such source of data", seen=name, hint=", ".join([*known, *others(group)]))


def others(group: str = _GROUP) -> list[str]:
    """Names that other packages registered."""
    return sorted(entry.name for entry in entry_points(group=group))


def load_source_settings(home: Path, name: str) -> SourceSettings:
    """Read the table of a source in ``sources.toml``; a file or table that is not there means all defaults.

    Raises
    ------
    UsageError
        The file is no TOML, or the table has a key or type that nobody knows.
    """
    path = home / SETTINGS_FILE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(name, {})
    except FileNotFoundError:
        return SourceSettings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read", seen=str(error), hint="correct that line") from error
    known = {field.name for field in fields(SourceSettings)}
    if not isinstance(table, dict) or (odd := sorted(table.keys() - known)):
        seen = ", ".join(odd) if isinstance(table, dict) else repr(table)
        raise UsageError(
            f"{path} has a setting for {name} that nobody knows", seen=seen, hint=", ".join(sorted(known))
        )
    try:
        return SourceSettings(**table)
    except TypeError as error:
        raise UsageError(f"{path} has a setting for {name} of the wrong type", seen=str(error)) from error
