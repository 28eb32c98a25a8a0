from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from grn.kit.errors import LedgerError, OutputError, TapeError, UsageError
from grn.llm.events import (
    Finished,
    Ranking,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolAsked,
    Vectors,
    plain_event,
)
from grn.llm.events import event_from_plain as read_event
from grn.llm.request import Embedding, File, Message, Request, Rerank, Text, canonical, key_of
from grn.llm.tape import Record, Tape, list_tapes, store
from grn.llm.usage import Usage
from tests.llm.asks import HAIKU, asking

EVENTS = (Started(HAIKU, Usage(input=3)), TextDelta("ja…"), Finished("end", HAIKU, Usage(3, output=1)))


def record(words: str = "hi", answer: str = "ja…", **fields: object) -> Record:
    request = json.loads(canonical("anthropic", asking(words, **fields)))
    events = (EVENTS[0], TextDelta(answer), EVENTS[2])
    frames = ("event: x\n\n",)
    return Record(request, HAIKU, HAIKU, frames, events, Usage(3, output=1), 42, {}, "2026-11-23T00:00:00Z")


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(tmp_path, "paper-1")


def key(words: str) -> str:
    return key_of(canonical("anthropic", asking(words)))


def with_file(data: bytes, name: str) -> Request:
    file = File("application/pdf", data, name)
    return Request(HAIKU, (Message("user", (file, Text("hi"))),), max_tokens=64)


def test_a_call_is_found_by_what_was_asked(tape: Tape) -> None:
    """All of it comes back: events, frames, usage, cost."""
    made = record()
    assert tape.add(made) == key("hi") == made.key
    assert tape.find(key("hi")) == made
    assert tape.find(key("hi!")) is None


def test_everything_that_decides_an_answer_is_part_of_its_name() -> None:
    """One byte of a prompt, the model, a parameter, an attachment's content: each makes another call."""
    asks = [
        asking("hi"),
        asking("hi "),
        asking("hi", model="claude-sonnet-5-5"),
        asking("hi", max_tokens=65),
        asking("hi", temperature=0.0),
        asking("hi", system="s"),
        asking("hi", schema={"type": "object"}),
        asking("hi", effort="low"),
        asking("hi", cache="5m"),
        with_file(b"%PDF-1", "a.pdf"),
        with_file(b"%PDF-2", "a.pdf"),
        Embedding(HAIKU, ("hi",)),
        Rerank(HAIKU, "hi", ("hi",)),
    ]
    names = {key_of(canonical(provider, ask)) for ask in asks for provider in ("anthropic", "google")}
    assert len(names) == 2 * len(asks)
    assert canonical("anthropic", with_file(b"%PDF-1", "b.pdf")) == canonical("anthropic", asks[9])


def test_a_miss_fails_closed_and_shows_what_changed(tape: Tape) -> None:
    """The nearest recorded call, place by place, around the first differing byte."""
    tape.add(record("tell me of the moon"))
    words = "why is the sky above London blue in the morning and red in the evening?"
    tape.add(record(words))
    asked = canonical("anthropic", asking(words.replace("red", "Red")))
    with pytest.raises(TapeError) as caught:
        tape.require(key_of(asked), asked)
    assert caught.value.exit_code == 3
    assert caught.value.what == (
        "this call is not on the tape 'paper-1', and a replay sends nothing\n"
        "the nearest of 2 recorded calls differs in 1 place:\n"
        "  messages[0].parts[0].text\n"
        '    - …blue in the morning and red in the evening?"\n'
        '    + …blue in the morning and Red in the evening?"'
    )


def test_a_miss_names_parameters_too(tape: Tape) -> None:
    """What was added or left out is told as nothing on the other side."""
    tape.add(record("hi", temperature=0.0))
    asked = canonical("anthropic", asking("hi", system="s"))
    with pytest.raises(TapeError) as caught:
        tape.require(key_of(asked), asked)
    assert (
        '  system\n    - (nothing)\n    + "s"\n  temperature\n    - 0.0\n    + (nothing)' in caught.value.what
    )


def test_no_tape_and_an_empty_one(tape: Tape) -> None:
    """A name that was never recorded on is said to be unknown."""
    asked = canonical("anthropic", asking())
    with pytest.raises(TapeError, match="no such tape"):
        tape.require(key_of(asked), asked)
    assert list_tapes(tape.folder / "nowhere") == []


def test_recording_again_replaces_and_loses_nothing(tape: Tape) -> None:
    """The newest answer holds, in the place of the first recording; the old record is still there."""
    tape.add(record("a", "one"))
    tape.add(record("b"))
    tape.add(record("a", "two"))
    found = list(tape.records())
    assert [made.events[1] for made in found] == [TextDelta("two"), TextDelta("ja…")]
    assert len(list((tape.folder / "records").rglob("*.zst"))) == 3


def test_a_line_that_was_never_finished_is_written_over(tape: Tape) -> None:
    """A process killed while it wrote leaves a part of a line; the calls before and after it are whole."""
    tape.add(record("a"))
    file = tape.folder / "paper-1.calls"
    file.write_bytes(file.read_bytes() + b'{"key":"abc')
    assert len(list(tape.records())) == 1
    tape.add(record("b"))
    assert len(list(tape.records())) == 2


def test_a_damaged_tape_is_noticed(tape: Tape) -> None:
    """A line in the middle that is none, a record that is another's, bytes that changed."""
    tape.add(record("a"))
    tape.add(record("b"))
    file = tape.folder / "paper-1.calls"
    first, second = file.read_text().splitlines()
    file.write_text(f"{first[:40]}\n{second}\n")
    with pytest.raises(LedgerError, match="line 1"):
        list(tape.records())
    swapped = json.loads(first)
    swapped["record"] = json.loads(second)["record"]
    file.write_text(json.dumps(swapped) + "\n")
    with pytest.raises(LedgerError, match="another call's record"):
        list(tape.records())


def test_a_tape_travels_as_one_file(tape: Tape, tmp_path: Path) -> None:
    """Exported, imported elsewhere and exported again: the same bytes, the same records."""
    for words in ("a", "b", "c"):
        tape.add(record(words))
    assert tape.export(tmp_path / "supplement.jsonl") == 3
    other = Tape(tmp_path / "elsewhere", "theirs")
    assert other.add_file(tmp_path / "supplement.jsonl") == 3
    assert list(other.records()) == list(tape.records())
    other.export(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "supplement.jsonl").read_bytes()
    assert [found.name for found in list_tapes(tmp_path)] == ["paper-1"]


def test_without_room_nothing_is_taken(tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: no empty tape, no half of an imported one, no part of a line."""
    for words in ("a", "b"):
        tape.add(record(words))
    tape.export(tmp_path / "supplement.jsonl")
    before = (tape.folder / "paper-1.calls").read_bytes()
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda descriptor, data, at: len(data) // 2)
        full.setattr(store, "write_atomic", _no_room)
        with pytest.raises(OSError, match="No space left"):
            tape.add(record("c"))
        other = Tape(tmp_path / "elsewhere", "theirs")
        for attempt in (
            lambda: other.add(record("c")),
            lambda: other.add_file(tmp_path / "supplement.jsonl"),
        ):
            with pytest.raises(OutputError):
                attempt()
    assert (tape.folder / "paper-1.calls").read_bytes() == before
    assert not other.exists()


def _no_room(path: object, data: object) -> None:
    raise OutputError("cannot write", seen="No space left on device")


@pytest.mark.parametrize("text", ["", "hello", '{"calls":2}\n{}', '{"calls":1}\n{"format":9}', "[]\n"])
def test_a_file_that_is_no_tape_is_refused(tape: Tape, tmp_path: Path, text: str) -> None:
    """And nothing of it is taken."""
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match="is no tape"):
        tape.add_file(path)
    assert not tape.exists()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 101])
def test_a_tape_s_name_is_a_file_s(tmp_path: Path, name: str) -> None:
    """No name leads out of the folder."""
    with pytest.raises(UsageError, match="name"):
        Tape(tmp_path, name)


@pytest.mark.parametrize(
    "event",
    [
        *EVENTS,
        ThinkingDelta("hm"),
        ToolAsked("1", "add", "{}"),
        Vectors(((0.1, -0.0), (1e-300, 2.0))),
        Ranking(((2, 0.5), (0, 0.25))),
    ],
)
def test_events_come_back_from_data(event: object) -> None:
    """Through JSON, bit by bit."""
    assert read_event(json.loads(json.dumps(plain_event(event)))) == event  # type: ignore[arg-type]


@pytest.mark.parametrize("plain", [{}, {"event": "x"}, {"event": "text"}, {"event": "text", "words": "x"}])
def test_what_is_no_event_is_refused(plain: dict[str, object]) -> None:
    """A record of a later version is not read as something else."""
    with pytest.raises(ValueError, match="no "):
        read_event(plain)
