"""The room as a person's machine furnishes it: where things lie, which day it is, who is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.clock import Clock, SystemClock
from grn.kit.paths import grn_home
from grn.llm.calls import Caller, Mode
from grn.llm.port import Provider
from grn.llm.tape import Tape

if TYPE_CHECKING:
    from grn.llm.catalogue import Catalogue
    from grn.llm.spend import Book

TIMEOUT_S = 600.0
"""How long to wait for the next byte of an answer, unless told otherwise: thinking models take minutes."""


def llm_dir() -> Path:
    """Folder of everything that calls leave behind: ``llm`` in :func:`grn.kit.paths.grn_home`."""
    return grn_home() / "llm"


def tapes_dir() -> Path:
    """Folder of the tapes."""
    return llm_dir() / "tapes"


def caches_dir() -> Path:
    """Folder of notes on prompts that providers keep."""
    return llm_dir() / "caches"


def today(clock: Clock | None = None) -> date:
    """Give the day, UTC."""
    now_ns = (SystemClock() if clock is None else clock).now_ns()
    return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).date()


def open_catalogue() -> Catalogue:
    """Open the catalogue as of today."""
    from grn.llm.catalogue import Catalogue

    return Catalogue(today())


def open_book() -> Book:
    """Open the book of calls."""
    from grn.llm.spend import Book

    return Book.open(llm_dir())


def open_caller(
    *,
    tape: str | None = None,
    mode: Mode = "live",
    timeout_s: float = TIMEOUT_S,
    notify: Callable[[str], None] = lambda _: None,
) -> Caller:
    """Make what makes calls, with this person's book, tapes and keys.

    Parameters
    ----------
    tape, mode
        The tape's name, and what to do with it; see :data:`grn.llm.calls.Mode`.
    timeout_s
        See :data:`TIMEOUT_S`.
    notify
        Told what a person should know.
    """

    def connect(name: str) -> Provider:
        from grn.llm import providers

        return providers.connect(name, timeout_s=timeout_s)

    return Caller(
        book=open_book,
        catalogue=open_catalogue,
        connect=connect,
        tape=None if tape is None else Tape(tapes_dir(), tape),
        mode=mode,
        notify=notify,
    )
