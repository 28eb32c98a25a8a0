"""Hold-outs: periods of a market that no run may touch, but for one opening.

Every run passes here before anything of it is computed (`request`): sweeps, backtests, searches and streamed
sweeps, on any engine. What a run may do is said around it, so that no function between has to hand it on::

    lock("SP500", "2015-01-01")
    with only_before("2015-01-01"):
        best = grn.sweep(strategy, "SP500")
    with open_holdout():
        last = grn.backtest(strategy, "SP500", {"n": 20})
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from grn.kit.errors import DataError, UsageError
from grn.ledger import Ledger
from grn.ledger.holdouts import Holdout, Look
from grn.quant import record
from grn.quant.schema import Bars, load_bars
from grn.quant.schema.source import UNNAMED
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close

if TYPE_CHECKING:
    from grn.quant.schema import BarSource

_ALLOWED: ContextVar[bool] = ContextVar("open_holdout", default=False)
_UNTIL: ContextVar[int | None] = ContextVar("only_before", default=None)
_EVER: Final = 2**63 - 1
_NOTHING = Strategy(close > 0, close < 0)
"""Signals have an account for each symbol: what a lock is kept under."""


@contextmanager
def open_holdout() -> Iterator[None]:
    """Allow the runs inside to touch locked periods: each period once, and it is recorded."""
    token = _ALLOWED.set(True)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


@contextmanager
def only_before(moment: str | date) -> Iterator[None]:
    """Leave out, for the runs inside, bars that end after a moment (ISO 8601; UTC where no zone is said)."""
    token = _UNTIL.set(parse_moment(moment))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def parse_moment(moment: str | date) -> int:
    """Nanoseconds since 1970 of a day or time.

    Raises
    ------
    UsageError
        It is none.
    """
    try:
        found = datetime.fromisoformat(moment if isinstance(moment, str) else moment.isoformat())
    except ValueError:
        raise UsageError("this is no day or time", seen=str(moment), hint="2024-12-31") from None
    zoned = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(zoned.timestamp()) * 10**9


def lock(source: BarSource, start: str | date, *, ledger: Ledger) -> list[Holdout]:
    """Lock every symbol of some data from a moment on.

    A lock cannot be taken back or moved.  It holds for the market, under whatever name and in whatever cut
    (:mod:`grn.ledger.sketch`), and for bars that are still to come under its name.

    Raises
    ------
    DataError
        The data cannot be read.
    """
    bars = load_bars(source)
    ledger.enter_data(record.unknown_data(ledger, _NOTHING, bars))
    return [ledger.lock_holdout(look, parse_moment(start)) for look in looks(bars)]


def cut(bars: tuple[Bars, ...]) -> tuple[Bars, ...]:
    """The bars that a run may see: those that end before the moment of :func:`only_before`.

    Raises
    ------
    DataError
        A symbol has no bar that early.
    """
    until = _UNTIL.get()
    if until is None:
        return bars
    kept = []
    for b in bars:
        n = int(np.searchsorted(b.ts_ns + _step(b), until, side="right"))
        if n == 0:
            raise DataError(f"{b.symbol!r} has no bars before the end that was asked for", seen=str(b))
        kept.append(b.head(n))
    return tuple(kept)


def check(book: Ledger, bars: Sequence[Bars]) -> list[Holdout]:
    """The locked periods that a run is about to open.

    Raises
    ------
    HoldoutError
        It touches one and is not allowed to.
    """
    return book.check_holdouts(looks(bars), allowed=_ALLOWED.get())


def locks_on(book: Ledger, bars: Sequence[Bars]) -> list[Holdout]:
    """The locked periods of some markets, whether or not these bars reach into them."""
    ever = [dataclasses.replace(look, end_ns=_EVER) for look in looks(bars)]
    return book.check_holdouts(ever, allowed=True)


def looks(bars: Sequence[Bars]) -> list[Look]:
    """Up to which moment each history reaches: the label of its last bar, and what most bars last."""
    return [Look(b.identity, b.symbol, int(b.ts_ns[-1]) + _step(b), named=b.symbol != UNNAMED) for b in bars]


def _step(bars: Bars) -> int:
    """What most bars last: the median distance of labels, 0 for a single bar."""
    return int(np.median(np.diff(bars.ts_ns))) if len(bars) > 1 else 0
