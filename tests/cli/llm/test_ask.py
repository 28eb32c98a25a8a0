from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.kit.errors import OutputError
from grn.llm import conversation, providers
from grn.llm.events import Event, Finished, Started, TextDelta, ThinkingDelta
from grn.llm.port import Wire
from grn.llm.request import Embedding, File, Request, Rerank, Text
from grn.llm.usage import Usage
from tests.llm.conftest import _keys as keys  # noqa: F401 - a fixture: nobody's real key is used

Capture = pytest.CaptureFixture[str]


class Echo:
    """A provider that repeats what it is told: a double, for what the command line does around a call."""

    def __init__(self) -> None:
        self.asked: list[tuple[Request, str]] = []
        self.reason = "end"

    def complete(self, ask: Request, model: str, wire: Wire) -> Iterator[Event]:
        self.asked.append((ask, model))
        usage = Usage(input=10, output=2)
        words = " | ".join(part.text for part in ask.messages[-1].parts if hasattr(part, "text"))
        yield Started(model, Usage(input=10))
        yield ThinkingDelta("hm")
        yield TextDelta("you said: ")
        yield TextDelta(words)
        yield Finished(self.reason, model, usage)

    def count(self, ask: Request, model: str) -> int | None:
        return 1

    def embed(self, ask: Embedding | Rerank, model: str, wire: Wire) -> Iterator[Event]:
        raise NotImplementedError

    def close(self) -> None:
        pass


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Echo:
    provider = Echo()
    monkeypatch.setattr(providers, "connect", lambda name, timeout_s: provider)
    monkeypatch.chdir(tmp_path)
    piped(monkeypatch, b"")
    return provider


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_words_become_a_question(echo: Echo, capsys: Capture) -> None:
    """Stdout carries the answer alone; `grn llm ask` is the same command."""
    assert main(["ask", "why", "not?", "-m", "haiku"]) == 0
    assert capsys.readouterr() == ("you said: why not?\n", "")
    assert main(["llm", "ask", "why", "-m", "haiku", "--no-stream"]) == 0
    assert capsys.readouterr() == ("you said: why\n", "")
    ask, model = echo.asked[0]
    assert (ask.system, ask.temperature, ask.tools, ask.max_tokens, model) == (
        None,
        None,
        (),
        4096,
        "claude-haiku-5-5",
    )


def test_what_is_piped_in_comes_first(echo: Echo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git diff | grn ask "review this": the diff, then attachments, then the words."""
    piped(monkeypatch, b"- old\n+ new\n")
    Path("notes.txt").write_text("notes")
    assert main(["ask", "review this", "-a", "notes.txt", "-m", "haiku"]) == 0
    assert capsys.readouterr().out == "you said: - old\n+ new | notes | review this\n"


def test_a_document_is_piped_in(echo: Echo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PDF or a picture is told by its first bytes; other bytes that are no text are refused unsent."""
    piped(monkeypatch, b"%PDF-1.7 and so on")
    assert main(["ask", "summarise", "-m", "haiku"]) == 0
    document, words = echo.asked[0][0].messages[0].parts
    assert document == File("application/pdf", b"%PDF-1.7 and so on", "stdin")
    assert words == Text("summarise")
    piped(monkeypatch, b"\xff\xfe\x00")
    assert main(["ask", "summarise", "-m", "haiku"]) == 2
    assert "neither text (UTF-8) nor PDF" in capsys.readouterr().err
    assert len(echo.asked) == 1


def test_nothing_to_ask(echo: Echo, capsys: Capture) -> None:
    """No words, nothing piped in: code 2 and how to do it."""
    assert main(["ask"]) == 2
    assert "nothing to ask" in capsys.readouterr().err


def test_a_conversation_goes_on(echo: Echo) -> None:
    """--continue sends what was said before, to the model that said it; --private keeps no copy."""
    main(["ask", "first", "-m", "haiku", "-s", "be brief"])
    main(["ask", "second", "-c"])
    ask, model = echo.asked[1]
    assert (model, ask.system) == ("claude-haiku-5-5", "be brief")
    assert [message.role for message in ask.messages] == ["user", "assistant", "user"]
    main(["ask", "secret", "-m", "haiku", "--private"])
    main(["ask", "third", "-c"])
    assert "secret" not in str(echo.asked[-1])


def test_the_bill_is_shown_when_asked_for(echo: Echo, capsys: Capture) -> None:
    """--stats on stderr, spend by project on stdout, exact to the picodollar in JSON."""
    main(["ask", "hi", "-m", "haiku", "--stats", "--project", "thesis"])
    assert "claude-haiku-5-5: 10 tokens in (0 from the cache), 2 out, $0.000002" in capsys.readouterr().err
    assert main(["llm", "spend", "--by", "project", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "project": "thesis",
        "calls": 1,
        "usage": {"input": 10, "output": 2},
        "cost_pusd": 2_000_000,
        "open_pusd": 0,
        "unsure": 0,
    }
    main(["llm", "spend", "--calls"])
    assert "reported" in capsys.readouterr().out
    main(["llm", "spend"])
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "claude-haiku-5-5",
        "1",
        "10",
        "0",
        "0",
        "2",
        "0",
        "$0.000002",
    ]


def test_a_dry_run_sends_nothing(echo: Echo, capsys: Capture) -> None:
    """Tokens and price from the price list alone."""
    assert main(["ask", "x" * 400, "-m", "opus", "--max-tokens", "100", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "about 108 tokens, at most 528" in out
    assert "sent      nothing" in out
    assert main(["ask", "x", "-m", "claude-3-5-sonnet-20241022", "--dry-run", "--json"]) == 0
    quote = json.loads(capsys.readouterr().out)
    assert quote["model"] == "claude-sonnet-4-6"
    assert "retired" in quote["notice"]
    assert echo.asked == []


def test_too_dear_is_code_4(echo: Echo, capsys: Capture) -> None:
    """Over --max-cost or the month's budget nothing is sent; the override lets one call pass."""
    assert main(["ask", "hi", "-m", "opus", "--max-cost", "0.0001"]) == 4
    assert "more than --max-cost allows" in capsys.readouterr().err
    assert main(["llm", "budget", "set", "anthropic", "0.001", "--funding", "invoice"]) == 0
    assert main(["ask", "hi", "-m", "opus"]) == 4
    assert "$0.00 spent and $0.00 reserved of $0.001 in " in capsys.readouterr().err
    assert echo.asked == []
    assert main(["ask", "hi", "-m", "opus", "--over-budget"]) == 0


def test_a_tape_answers_without_the_provider(
    echo: Echo, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Recorded, replayed, missed by a byte, listed, exported, imported elsewhere and replayed there."""
    assert main(["ask", "hi", "-m", "haiku", "--record", "paper"]) == 0
    assert main(["ask", "hi", "-m", "haiku", "--replay", "paper", "--stats"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "you said: hi\n" * 2
    assert captured.err == "replayed: nothing was sent, nothing was billed\n"
    assert main(["ask", "hi!", "-m", "haiku", "--replay", "paper"]) == 3
    assert '+ "hi!"' in capsys.readouterr().err
    assert len(echo.asked) == 1
    assert main(["llm", "tape", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"tape": "paper", "calls": 1, "cost_pusd": 2_000_000}
    assert main(["llm", "tape", "show", "paper"]) == 0
    assert "hi" in capsys.readouterr().out
    assert main(["llm", "tape", "export", "paper", "out.jsonl"]) == 0
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "another"))
    assert main(["llm", "tape", "import", "theirs", "out.jsonl"]) == 0
    capsys.readouterr()
    assert main(["ask", "hi", "-m", "haiku", "--replay", "theirs"]) == 0
    assert capsys.readouterr().out == "you said: hi\n"
    for verb in (["show", "nope"], ["export", "nope", "x"]):
        assert main(["llm", "tape", *verb]) == 3


def test_a_call_has_one_tape(echo: Echo, capsys: Capture) -> None:
    """Two at once make no sense."""
    assert main(["ask", "hi", "--record", "a", "--replay", "b"]) == 2
    assert "one tape" in capsys.readouterr().err


def test_a_run_names_its_tape(echo: Echo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRN_TAPE holds for every call of a script; an option outweighs it; what is on no tape asks nobody."""
    monkeypatch.setenv("GRN_TAPE", "record:run")
    assert main(["ask", "hi", "-m", "haiku"]) == 0
    assert main(["ask", "other", "-m", "haiku", "--record", "apart"]) == 0
    monkeypatch.setenv("GRN_TAPE", "replay:run")
    capsys.readouterr()
    assert main(["ask", "hi", "-m", "haiku"]) == 0
    assert capsys.readouterr().out == "you said: hi\n"
    assert main(["ask", "other", "-m", "haiku"]) == 3
    assert main(["ask", "other", "-m", "haiku", "--replay", "apart"]) == 0
    Path("questions.jsonl").write_text('{"prompt": "hi"}\n')
    for command in (
        ["batch", "submit", "questions.jsonl", "-m", "haiku"],
        ["cache", "add", "questions.jsonl"],
    ):
        assert main(["llm", *command]) == 3
        assert "a replay asks nobody" in capsys.readouterr().err
    assert len(echo.asked) == 2
    for wrong in ("run", "play:run", "replay:"):
        monkeypatch.setenv("GRN_TAPE", wrong)
        assert main(["ask", "hi", "-m", "haiku"]) == 2
        assert "GRN_TAPE=replay:NAME" in capsys.readouterr().err


def test_a_conversation_is_replayed(echo: Echo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call by call as it was recorded, without touching what was really said last."""
    for mode in ("record", "replay"):
        monkeypatch.setenv("GRN_TAPE", f"{mode}:talk")
        assert main(["ask", "first", "-m", "haiku"]) == 0
        assert main(["ask", "second", "-c"]) == 0
        monkeypatch.delenv("GRN_TAPE")
        main(["ask", "really", "-m", "opus"])
    assert capsys.readouterr().out.splitlines().count("you said: second") == 2
    assert [len(ask.messages) for ask, _ in echo.asked] == [1, 3, 1, 1]
    main(["ask", "on", "-c"])
    assert echo.asked[-1][1] == "claude-opus-5-5"


def test_an_answer_outlives_a_full_disk(echo: Echo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is printed whatever becomes of the conversation, and the exit code is the answer's."""

    def full(*_: object) -> None:
        raise OutputError("cannot write", seen="No space left on device")

    monkeypatch.setattr(conversation, "save_last", full)
    for option in ("--json", "--no-stream"):
        assert main(["ask", "hi", "-m", "haiku", option]) == 0
        captured = capsys.readouterr()
        assert "you said: hi" in captured.out
        assert "the conversation is not kept" in captured.err


def test_json_for_programs(echo: Echo, capsys: Capture) -> None:
    """One object with text, thinking, model, reason and usage; no text is streamed before it."""
    main(["ask", "hi", "-m", "haiku", "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "text": "you said: hi",
        "thinking": "hm",
        "model": "claude-haiku-5-5",
        "reason": "end",
        "usage": {"input": 10, "output": 2},
    }


def test_ends_that_a_person_should_know_of(echo: Echo, capsys: Capture) -> None:
    """A cut answer is a word on stderr; a refusal is a clean no, code 1."""
    echo.reason = "length"
    assert main(["ask", "hi", "-m", "haiku", "--max-tokens", "5"]) == 0
    assert capsys.readouterr().err == "the answer was cut at 5 tokens: --max-tokens allows more\n"
    echo.reason = "refused"
    assert main(["ask", "hi", "-m", "haiku"]) == 1
    assert capsys.readouterr().err == "the model refused to answer\n"


def test_a_schema_is_json_or_a_file(echo: Echo, capsys: Capture) -> None:
    """What is neither is refused before anything is sent."""
    Path("s.json").write_text('{"type": "array"}')
    main(["ask", "hi", "-m", "haiku", "--json-schema", '{"type": "object"}'])
    main(["ask", "hi", "-m", "haiku", "--json-schema", "s.json"])
    assert [ask.schema for ask, _ in echo.asked] == [{"type": "object"}, {"type": "array"}]
    assert main(["ask", "hi", "--json-schema", "nope"]) == 2
    Path("l.json").write_text("[]")
    assert main(["ask", "hi", "--json-schema", "l.json"]) == 2
    assert "is an object" in capsys.readouterr().err


def test_templates_and_the_default_model(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins over the template, the template over GRN_MODEL, that over the default."""
    folder = Path(os.environ["GRN_HOME"]) / "llm" / "templates"
    folder.mkdir(parents=True)
    (folder / "short.toml").write_text('prompt = "Briefly: {input}"\nmodel = "opus"\nmax_tokens = 9\n')
    main(["ask", "why", "-t", "short"])
    main(["ask", "why", "-t", "short", "-m", "fable", "--max-tokens", "3"])
    monkeypatch.setenv("GRN_MODEL", "flash")
    main(["ask", "why"])
    monkeypatch.delenv("GRN_MODEL")
    main(["ask", "why"])
    assert [model for _, model in echo.asked] == [
        "claude-opus-5-5", "claude-fable-5-2", "gemini-3.8-flash", "claude-sonnet-5-5",
    ]  # fmt: skip
    assert [ask.max_tokens for ask, _ in echo.asked[:2]] == [9, 3]


def test_listings(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models with prices, keys by source, budgets: tables for people, lines of JSON for programs."""
    assert main(["llm", "models", "--provider", "voyage"]) == 0
    assert "voyage-code-4" in capsys.readouterr().out
    assert main(["llm", "models", "--provider", "anthropic", "--json"]) == 0
    lines = {row["model"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines["claude-haiku-5-5"]["price_pusd"]["tiers"][0]["over"] == 100_000
    monkeypatch.delenv("VOYAGE_API_KEY")
    assert main(["llm", "keys", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[0] == {"provider": "anthropic", "source": "environment variable ANTHROPIC_API_KEY"}
    assert found[2]["source"] is None
    main(["llm", "keys"])
    assert "set VOYAGE_API_KEY" in capsys.readouterr().out
    assert main(["llm", "budget", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["provider"], first["budget_pusd"], first["funding"]) == (
        "anthropic",
        20 * 10**12,
        "prepaid",
    )
    main(["llm", "budget"])
    assert "$19.99" in capsys.readouterr().out
    assert main(["llm", "spend"]) == 0


def test_all_that_is_known_of_a_model(capsys: Capture) -> None:
    """Tiers, batches, announced prices and ends; a retired name shows what is sent in its place."""
    assert main(["llm", "models", "haiku"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    # genai-prices 0.2.3: $0.10 and $0.50 a million tokens, five times as much above 100,000, batches half
    assert ["batch", ">100,000", "$0.25", "$0.3125", "$0.50", "$0.025", "$1.25"] in rows
    assert main(["llm", "models", "gemini-2.0-flash-001", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["model"] == "gemini-3.5-flash"
    assert found["notice"] in captured.err
    assert "was retired on 2026-06-01" in found["notice"]
    assert main(["llm", "models", "gemini-3.8-flash", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["next_change"] == "2027-01-01"
    assert found["next_price_pusd"]["base"]["input"] > found["price_pusd"]["base"]["input"]
    assert main(["llm", "models", "nope"]) == 2


def test_a_correction_changes_the_sum(echo: Echo, capsys: Capture) -> None:
    """The provider's own account of a call outweighs ours."""
    main(["ask", "hi", "-m", "haiku"])
    main(["llm", "spend", "--calls", "--json"])
    call = json.loads(capsys.readouterr().out.splitlines()[-1])["call"]
    assert main(["llm", "budget", "correct", call, "0.5", "--source", "console"]) == 0
    main(["llm", "spend", "--by", "provider", "--json"])
    assert json.loads(capsys.readouterr().out)["cost_pusd"] == 5 * 10**11
    assert main(["llm", "budget", "correct", "nope", "1", "--source", "x"]) == 2


def test_the_local_model_is_cut_early(capsys: pytest.CaptureFixture[str]) -> None:
    """A base model seldom ends by itself: 256 tokens unless told otherwise; 4096 for everybody else."""
    for model, most in (("local", 256), ("haiku", 4096)):
        assert main(["ask", "hi", "-m", model, "--dry-run", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["answer_tokens_most"] == most


def test_what_a_local_model_lacks_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Degrees of thinking and a cache are refused, not left out in silence."""
    for option in (["--effort", "low"], ["--cache", "1h"]):
        assert main(["ask", "hi", "-m", "local", *option]) == 2
        assert option[0] in capsys.readouterr().err


def test_a_plan_of_the_cache_is_told(echo: Echo, capsys: Capture) -> None:
    """--cache plan: where the provider keeps the prompt, why, and what that costs, on stderr alone."""
    Path("book.txt").write_text("night " * 20_000)
    question = ["ask", "who?", "-a", "book.txt", "-m", "haiku", "--cache", "plan"]
    assert main([*question, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["cache"]
    assert [(mark["block"], mark["behind"], mark["life"]) for mark in told["marks"]] == [
        (0, "the material", "5m"), (1, "the question", "5m"),
    ]  # fmt: skip
    assert echo.asked == []
    assert main(question) == 0
    first = capsys.readouterr()
    assert first.out.endswith("| who?\n")
    assert first.err == f"cache: {told['why']}\n", "what a dry run says is what happens"
    assert echo.asked[0][0].marks == ((0, "5m"), (1, "5m"))
    assert main([*question, "--dry-run"]) == 0
    assert "cache     about 30,001 tokens read, 0 written, to the end of" in capsys.readouterr().out
    main(["ask", "x", "-m", "haiku", "--cache", "5m"])
    assert capsys.readouterr().err == "", "nothing is planned unless asked for"


def test_what_waits_has_no_plan(echo: Echo, capsys: Capture) -> None:
    """Nobody knows when a batch is sent; other makers' models are told apart before anything is sent."""
    assert main(["ask", "x", "-m", "haiku", "--cache", "plan", "--later"]) == 2
    assert "--cache 1h" in capsys.readouterr().err
    assert main(["ask", "x", "-m", "flash", "--cache", "plan", "--dry-run"]) == 2
    assert "grn llm cache" in capsys.readouterr().err
