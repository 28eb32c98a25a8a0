from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from grn.kit.clock import FixedClock
from grn.llm import providers
from grn.llm.calls import Caller, Mode
from grn.llm.catalogue import Catalogue
from grn.llm.local.engine import Engine, load
from grn.llm.pricelist import load_pricelist
from grn.llm.spend import Book
from grn.llm.tape import Tape
from tests.llm.servers import Server, serve

# Threads of llama.cpp that wait for each other spin, and starve on a machine that is busy with other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

KEY = "sk-ant-api03-planted-secret-planted-secret"
NOW_NS = 1_795_400_000 * 10**9  # 2026-11-23
TODAY = date(2026, 11, 23)


@pytest.fixture
def server() -> Iterator[Server]:
    """A double on a free port; see tests/llm/servers.py."""
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's real key is used, and no real server can be reached by accident."""
    for names in (("ANTHROPIC_API_KEY", KEY), ("GEMINI_API_KEY", "AIza-planted-planted-planted"),
                  ("VOYAGE_API_KEY", "pa-planted-planted-planted-key")):  # fmt: skip
        monkeypatch.setenv(*names)
    for name in ("GOOGLE_API_KEY", "GRN_TAPE", "GRN_LOCAL_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for name in providers.ADDRESSES.values():
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book.open(tmp_path / "llm", FixedClock(NOW_NS)) as opened:
        yield opened


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The embedded model, loaded once per test process."""
    return load("local", threads=1)


class Said(list[str]):
    """What a person was told, and how long was waited."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def caller(book: Book, tmp_path: Path, said: Said) -> Iterator[Callable[..., Caller]]:
    """Make callers on one book and one folder of tapes, on a fixed day."""
    made: list[Caller] = []

    def make(tape: str | None = None, mode: Mode = "live", timeout_s: float = 5.0, **fields: Any) -> Caller:
        new = Caller(
            book=lambda: book,
            catalogue=lambda: Catalogue(TODAY, load_pricelist()),
            connect=lambda name: providers.connect(name, timeout_s=timeout_s),
            tape=None if tape is None else Tape(tmp_path / "tapes", tape),
            mode=mode,
            notify=said.append,
            clock=fields.pop("clock", FixedClock(NOW_NS)),
            sleep=said.slept.append,
            random=lambda: 0.5,
            **fields,
        )
        made.append(new)
        return new

    yield make
    for one in made:
        for name in list(one._providers):
            one._providers[name].close()
