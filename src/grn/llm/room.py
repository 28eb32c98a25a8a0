"""The room as a person's machine furnishes it: where things lie, which day it is, who is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.clock import Clock, SystemClock
from grn.kit.errors import UsageError
from grn.kit.paths import grn_home
from grn.llm.calls import Caller, Mode
from grn.llm.port import Provider
from grn.llm.tape import Tape

if TYPE_CHECKING:
    from grn.llm.catalogue import Catalogue
    from grn.llm.plan.placement import Placer
    from grn.llm.spend import Book

TIMEOUT_S = 600.0
"""How long to wait for the next byte of an answer, unless told otherwise: thinking models take minutes."""

TAPE_VARIABLE = "GRN_TAPE"
"""A tape for all calls of a run: ``record:NAME``, ``replay:NAME`` or ``refresh:NAME``."""

_MODES: Mapping[str, Mode] = {"record": "record", "replay": "replay", "refresh": "refresh"}


def llm_dir() -> Path:
    """Folder of everything that calls leave behind: ``llm`` in :func:`grn.kit.paths.grn_home`."""
    return grn_home() / "llm"


def tapes_dir() -> Path:
    """Folder of the tapes."""
    return llm_dir() / "tapes"


def conversation_dir(*, replayed: bool = False) -> Path:
    """Folder of what was said last; what a replay says goes on apart from it, and leaves it alone."""
    return llm_dir() / "conversation" / "replayed" if replayed else llm_dir() / "conversation"


def indexes_dir() -> Path:
    """Folder of the indexes of documents and code: their vectors may have been paid for."""
    return llm_dir() / "indexes"


def later_dir() -> Path:
    """Folder of the questions that can wait."""
    return llm_dir() / "later"


def caches_dir() -> Path:
    """Folder of notes on prompts that providers keep."""
    return llm_dir() / "caches"


def cache_plan_file() -> Path:
    """File of what calls have taught about the provider's prompt cache."""
    return llm_dir() / "cache_plan.json"


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


def tape_of_environment(environ: Mapping[str, str] | None = None) -> tuple[str | None, Mode]:
    """Read :data:`TAPE_VARIABLE`; without it calls are made and not recorded.

    Raises
    ------
    UsageError
        It is not of its form.
    """
    text = (os.environ if environ is None else environ).get(TAPE_VARIABLE)
    if not text:
        return None, "live"
    word, _, name = text.partition(":")
    if word not in _MODES or not name:
        raise UsageError(
            f"{TAPE_VARIABLE} is no mode and tape",
            seen=text,
            hint=f"{TAPE_VARIABLE}=replay:NAME; or record:NAME, refresh:NAME",
        )
    return name, _MODES[word]


def open_caller(
    *,
    tape: str | None = None,
    mode: Mode | None = None,
    timeout_s: float = TIMEOUT_S,
    notify: Callable[[str], None] = lambda _: None,
) -> Caller:
    """Make what makes calls, with this person's book, tapes and keys.

    Parameters
    ----------
    tape, mode
        The tape's name, and what to do with it; see :data:`grn.llm.calls.Mode`. Neither: as
        :data:`TAPE_VARIABLE` says.
    timeout_s
        See :data:`TIMEOUT_S`.
    notify
        Told what a person should know.
    """
    if tape is None and mode is None:
        tape, mode = tape_of_environment()

    def connect(name: str) -> Provider:
        from grn.llm import providers

        return providers.connect(name, timeout_s=timeout_s)

    def placer() -> Placer:
        from grn.llm.plan.placement import Placer

        return Placer(cache_plan_file(), SystemClock())

    return Caller(
        book=open_book,
        catalogue=open_catalogue,
        connect=connect,
        tape=None if tape is None else Tape(tapes_dir(), tape),
        mode=mode or "live",
        notify=notify,
        placer=placer,
    )
