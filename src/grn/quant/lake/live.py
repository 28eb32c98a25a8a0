"""What a source that streams has to give, and how one is found by name.

A stream is one file, as a source is. Those of this package are listed here; others register the entry point
group ``grn.lake_streams`` in their distribution, with a name and a class called with (argument, settings,
pace).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from grn.quant.lake.pace import Pace
from grn.quant.lake.series import Series
from grn.quant.lake.source import SourceSettings, find_maker

_GROUP: Final = "grn.lake_streams"
_OWN: Final = {"ccxt": ("grn.quant.lake.sources.stream:ExchangeStream", "ccxt")}

Level = tuple[float, float]
"""Price, and the amount that is offered there now; 0 where nothing is any more."""


@dataclass(frozen=True)
class BookChange:
    """A message about an order book.

    Attributes
    ----------
    event
        ``snapshot``: the whole book as far as the exchange shows it; ``update``: levels that changed.
    ts_ns
        The exchange's time; ``None`` where it tells none.
    received_ns
        This machine's time when the message was taken from the socket.
    first_id, last_id
        The exchange's numbers of the first and last change that the message holds; ``None`` where it counts
        none.
    bids, asks
        Levels, in the order of the message.
    fetched
        Whether a snapshot was asked for beside the stream, and so may be ahead of what the stream has told.
    """

    event: Literal["snapshot", "update"]
    ts_ns: int | None
    received_ns: int
    first_id: int | None
    last_id: int | None
    bids: Sequence[Level]
    asks: Sequence[Level]
    fetched: bool = False


@dataclass(frozen=True)
class TradeHeard:
    """A trade as it came.

    Attributes
    ----------
    ts_ns
        The exchange's time.
    received_ns
        This machine's.
    id, price, amount, side
        As in the kind ``trades``.
    """

    ts_ns: int
    received_ns: int
    id: str
    price: float
    amount: float
    side: str | None


class Listener(Protocol):
    """Who hears what comes over a stream. Called between two messages; has to return at once."""

    def book(self, change: BookChange) -> None:
        """Take a message about the book."""
        ...

    def trade(self, trade: TradeHeard) -> None:
        """Take a trade."""
        ...

    def lost(self, why: str) -> None:
        """Take notice that something may have been missed since the last message."""
        ...


class Stream(Protocol):
    """Where live market data come from."""

    async def open(self, series: Series) -> Mapping[str, str]:
        """Find the instrument; returns facts about it, as a feed's.

        Raises
        ------
        UsageError
            The source does not know the symbol, or does not stream this kind.
        MissingError
            It cannot be reached.
        """
        ...

    async def follow(self, series: Series, listener: Listener) -> None:
        """Subscribe, and tell the listener what comes, until cancelled; goes on after every fault.

        Raises
        ------
        UsageError
            The source refuses for good.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


StreamMaker = Callable[[str, SourceSettings, Pace], Stream]


def find_stream(name: str) -> tuple[StreamMaker, str]:
    """Find a stream by name: ``ccxt:binance`` (what follows the colon is its argument).

    Raises
    ------
    UsageError
        Nobody registered that name.
    MissingExtraError
        Its package is not installed.
    """
    maker, argument = find_maker(name, _OWN, _GROUP, ["ccxt:EXCHANGE"])
    return maker, argument
