"""Calls of the past: kept once, priced by their day, and counted by no budget."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from grn.llm.catalogue import Catalogue
from grn.llm.history.past import PastCall
from grn.llm.history.reading import read
from grn.llm.history.store import History
from grn.llm.spend import Book
from grn.llm.spend.views import add_up
from grn.llm.usage import Usage
from tests.llm.history import transcripts


def found(folder: Path) -> list[PastCall]:
    made = (transcripts.claude_code(folder / "c"), transcripts.codex(folder / "x"))
    return list(read([*made, transcripts.export(folder)]).calls.values())


def test_reading_again_adds_nothing(tmp_path: Path) -> None:
    """In any order, in one run or two: the same rows, each once."""
    calls = found(tmp_path)
    with History.open(tmp_path / "llm") as history:
        assert history.add(calls[:2], Catalogue) == {"new": 2}
        assert history.add(reversed(calls), Catalogue) == {"new": 5, "known": 2}
        assert history.add(calls, Catalogue) == {"known": 7}
        assert sorted(call.ident for call in history.calls()) == sorted(call.ident for call in calls)
        assert {call.ident: call for call in history.calls()} == {call.ident: call for call in calls}


def test_what_has_grown_replaces_and_what_shrank_does_not(tmp_path: Path) -> None:
    """A call that was read in the middle of its answer, and a day of an export that was not over."""
    (call, *_) = found(tmp_path)
    more = replace(call, usage=call.usage + Usage(output=70))
    with History.open(tmp_path / "llm") as history:
        history.add([call], Catalogue)
        assert history.add([more], Catalogue) == {"grown": 1}
        assert history.add([call], Catalogue) == {"known": 1}
        assert [one.usage for one in history.calls()] == [more.usage]


def test_calls_cost_what_they_did_on_their_day(tmp_path: Path) -> None:
    """Four classes at the catalogue's price; batches at theirs; without a price the dollars are not known."""
    with History.open(tmp_path / "llm") as history:
        history.add(found(tmp_path), Catalogue)
        rows = {row.call: row for row in history.rows()}
    # Opus 5.5, dollars per million tokens: 4 in, 5 and 8 written, 0.20 read, 20 out.
    usd_e6 = 4 * 4 + 400 * 5 + 600 * 8 + 300 * 20
    assert rows["claude-code:msg_1"].cost_pusd == usd_e6 * 10**6 + 20_000 * 200_000
    # In a batch: 2 in, 10 out.
    (batch,) = [row for row in rows.values() if row.kind == "batch-sum"]
    assert batch.cost_pusd == (1000 * 2 + 100 * 10) * 10**6
    (unpriced,) = {row.cost_pusd for row in rows.values() if row.sent == "gpt-6.1"}
    assert unpriced is None
    assert {row.how for row in rows.values()} == {"imported"}
    assert sum(one.calls for one in add_up(rows.values(), "model")) == 7


def test_no_budget_counts_them(tmp_path: Path) -> None:
    """They lie in a file of their own: the book of calls does not know of them."""
    with History.open(tmp_path) as history, Book.open(tmp_path) as book:
        history.add(found(tmp_path), Catalogue)
        assert book.calls() == []
        assert book.standing("anthropic", "2026-10").spent_pusd == 0


def test_rows_cannot_be_changed(tmp_path: Path) -> None:
    """The file refuses it, whoever opens it."""
    with History.open(tmp_path) as history:
        history.add(found(tmp_path)[:1], lambda day: Catalogue(min(day, date(2026, 11, 23))))
    raw = sqlite3.connect(tmp_path / "past.sqlite3")
    for statement in ("UPDATE past SET cost_pusd = 0", "DELETE FROM past"):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            raw.execute(statement)
    raw.close()
