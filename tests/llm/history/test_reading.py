"""Transcripts and exports: every call once, in disjoint classes of tokens, and nothing that was said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import MissingError, UsageError
from grn.llm.history.past import moment_ms
from grn.llm.history.reading import Found, _calls, places, read
from grn.llm.usage import Usage
from tests.llm.history import transcripts


def test_an_answer_of_many_lines_is_one_call(tmp_path: Path) -> None:
    """By the message's id: lines of its blocks, and a copy in a side conversation; the last count holds."""
    found = read([transcripts.claude_code(tmp_path)])
    calls = sorted(found.calls.values(), key=lambda call: call.at_ms)
    assert [(call.ident, call.model, call.session) for call in calls] == [
        ("claude-code:msg_1", "claude-opus-5-5", "s-1"),
        ("claude-code:msg_2", "claude-opus-5-5", "s-1"),
        ("claude-code:msg_3", "claude-haiku-5-5", "s-1/7"),
    ]
    assert calls[0].usage == Usage(4, 400, 600, 20_000, 300)
    assert calls[0].at_ms == moment_ms("2026-10-05T08:00:05Z")
    assert calls[0].project == "thesis"
    assert (found.files, found.damaged, found.unknown) == (2, 1, [])
    assert "secret" not in repr(found)


def test_repeated_sums_are_no_calls(tmp_path: Path) -> None:
    """Codex: an event with the sum of the one before is none; without a last count sums are subtracted."""
    calls = list(read([transcripts.codex(tmp_path)]).calls.values())
    assert [call.usage for call in calls] == [
        Usage(input=400, cache_read=600, output=50, thinking=20),
        Usage(input=600, cache_read=900, output=40, thinking=10),
    ]
    assert {(call.model, call.session, call.project) for call in calls} == {("gpt-6.1", "c-1", "solver")}


def test_both_forms_of_gemini_cli(tmp_path: Path) -> None:
    """Cached tokens are part of input there, thoughts come on top of output; a message's last state holds."""
    old, new = transcripts.gemini_cli(tmp_path)
    (call,) = read([old]).calls.values()
    assert call.usage == Usage(input=420, cache_read=600, output=80, thinking=30)
    assert (call.session, call.model, call.project) == ("g-old", "gemini-3.8-flash", "f" * 12)
    (call,) = read([new]).calls.values()
    assert call.usage == Usage(input=420, cache_read=600, output=90, thinking=30)
    assert len(read([tmp_path]).calls) == 2


def test_an_export_s_rows_are_sums(tmp_path: Path) -> None:
    """Rows apart by all that they are told apart by; no name of a key is kept; empty rows are none."""
    found = read([transcripts.export(tmp_path)])
    once, batch = found.calls.values()
    assert (once.kind, once.usage) == ("sum", Usage(189, 61_624, 0, 61_624, 675))
    assert (batch.kind, batch.usage) == ("batch-sum", Usage(input=1000, output=100))
    assert once.project == "Thesis"
    assert "planted" not in repr(found)


def test_what_is_no_transcript(tmp_path: Path) -> None:
    """A named file of another format is an error, one in a folder is told; what is missing is missing."""
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')
    (tmp_path / "binary.jsonl").write_bytes(b"\x00\xff\xfe")
    (tmp_path / "empty.jsonl").write_text("")
    assert len(read([tmp_path]).unknown) == 3
    with pytest.raises(UsageError):
        read([other])
    with pytest.raises(MissingError):
        read([tmp_path / "none"])


def test_the_places_of_agents_are_those_that_exist(tmp_path: Path) -> None:
    """Folders below the home folder, in a fixed order."""
    for place in (".gemini/tmp", ".claude/projects"):
        (tmp_path / place).mkdir(parents=True)
    assert places(tmp_path) == [tmp_path / ".claude/projects", tmp_path / ".gemini/tmp"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.sampled_from(["assistant", "gemini", "x",
    "2026-10-05"]), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["type", "message", "usage", "sessionId", "payload", "info", "tokens", "id", "model", "$set",
            "messages",
             "timestamp", "input_tokens", "cache_creation", "total_token_usage", "input", "cached"]
        ),
        inner,
        max_size=5,
    ),
)  # fmt: skip


@given(st.lists(_JSON, max_size=4))
def test_nothing_that_is_json_is_too_much(rows: list[object]) -> None:
    """Fields of any type, missing or twisted: calls or none, and never a crash."""
    import json

    text = "\n".join(json.dumps(row) for row in rows)
    for call in _calls(text, Found()) or ():
        assert call.usage.prompt >= 0
