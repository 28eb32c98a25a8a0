"""Prompts that Google keeps: the maker's client against a double of the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.kit.errors import BudgetError, MissingError, ProviderError, TapeError, UnsupportedError, UsageError
from grn.llm.caches import Cache, find, forget, keep, list_caches, rent_pusd
from grn.llm.calls import Caller, Terms
from grn.llm.conversation import load_last
from grn.llm.events import Finished
from grn.llm.lifecycle import storage_pusd
from grn.llm.request import Message, Request, Text
from grn.llm.room import llm_dir
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.llm.asks import FLASH, HAIKU, asking
from tests.llm.conftest import KEY, NOW_NS, TODAY
from tests.llm.gemini import Gemini
from tests.llm.servers import Server, gemini_stream, gemini_text, refusal

Make = Callable[..., Caller]
HOUR_NS = 3600 * 10**9
COUNTED = {"promptTokenCount": 10_020, "cachedContentTokenCount": 10_000, "candidatesTokenCount": 5}
REPORT = Request(FLASH, (Message("user", (Text("a long report"),)),), system="be brief")


@pytest.fixture
def gemini(server: Server, monkeypatch: pytest.MonkeyPatch) -> Gemini:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    return Gemini(server)


@pytest.mark.parametrize("ttl_s", [1, 300, 3599, 3600, 86_400, 604_800])
@pytest.mark.parametrize("tokens", [1, 4_096, 999_983])
def test_rent_is_exact(tokens: int, ttl_s: int) -> None:
    """The least whole number of picodollars that is not below the exact product."""
    for rate in (500_000, 1_000_000, 4_500_000):
        exact = Fraction(rate * tokens * ttl_s, 3600)
        assert 0 <= rent_pusd(rate, tokens, ttl_s) - exact < 1


def test_a_prompt_is_kept_asked_and_taken_out(
    gemini: Gemini, caller: Make, book: Book, tmp_path: Path
) -> None:
    """Billed as input and rent when laid down, at the cached price when read; gone, it cannot be asked."""
    made = caller()
    kept = keep(made, REPORT, 1800, tmp_path, Terms(project="thesis"))
    laid = gemini.caches["cachedContents/c1"]["asked"]
    assert laid["ttl"] == "1800s"
    assert laid["systemInstruction"]["parts"] == [{"text": "be brief"}]
    # Gemini 3.8 Flash until 2026-12-31: $0.75 per million tokens in, $0.50 per million tokens and hour.
    cost = 10_000 * 750_000 + 10_000 * 500_000 // 2
    assert kept == Cache("c1", "cachedContents/c1", FLASH, kept.sha256, 10_000, NOW_NS + HOUR_NS, cost)
    (row,) = book.calls()
    assert (row.kind, row.how, row.cost_pusd, row.project) == ("cache", "reported", cost, "thesis")
    assert (row.usage, row.note) == (Usage(input=10_000), "kept for 1800 s: $0.0025 of it")
    assert row.reserved_pusd >= cost
    assert list_caches(tmp_path, NOW_NS) == [kept]

    gemini.server.answers = [gemini_stream([gemini_text("42", "STOP", COUNTED)])]
    ask = asking("what is it?", FLASH, cached=find(tmp_path, "c1", NOW_NS))
    events = list(made.stream(ask))
    _, sent = gemini.server.asked[-1]
    assert sent["cachedContent"] == "cachedContents/c1"
    assert events[-1] == Finished("end", FLASH, Usage(input=20, cache_read=10_000, output=5))
    assert book.calls()[0].cost_pusd == 20 * 750_000 + 10_000 * 75_000 + 5 * 3_750_000
    assert made.quote(ask).prompt_most > 10_000

    forget(made, "c1", tmp_path)
    assert (gemini.caches, list_caches(tmp_path, NOW_NS)) == ({}, [])
    with pytest.raises(MissingError, match="keeps no such prompt"):
        list(made.stream(ask))
    book.check()


def test_what_lies_in_the_cache_identifies_a_call(gemini: Gemini, caller: Make, tmp_path: Path) -> None:
    """By content, not by the provider's name for it: kept anew, a recorded answer is found again."""
    keep(caller(), REPORT, 60, tmp_path / "one")
    keep(caller(), REPORT, 60, tmp_path / "two")
    other = Request(FLASH, (Message("user", (Text("another report"),)),), system="be brief")
    keep(caller(), other, 60, tmp_path / "three")
    gemini.server.answers = [gemini_stream([gemini_text("42", "STOP", COUNTED)])]
    first = asking("?", FLASH, cached=find(tmp_path / "one", "c1", 0))
    events = list(caller("t", "record").stream(first))
    again = asking("?", FLASH, cached=find(tmp_path / "two", "c2", 0))
    assert list(caller("t", "replay").stream(again)) == events
    with pytest.raises(TapeError):
        list(caller("t", "replay").stream(asking("?", FLASH, cached=find(tmp_path / "three", "c3", 0))))


def test_what_cannot_be_kept(gemini: Gemini, caller: Make, book: Book, tmp_path: Path) -> None:
    """Too short, of a maker without it, at an unknown price, with a key in it, too dear: nothing is laid."""
    made = caller()
    with pytest.raises(UnsupportedError, match="only Google"):
        keep(made, asking(model=HAIKU), 60, tmp_path)
    with pytest.raises(UsageError, match="not known"):
        keep(made, asking(model="gemini-3.5-flash"), 60, tmp_path)
    with pytest.raises(UsageError, match="contains a key"):
        keep(made, asking(KEY, FLASH), 60, tmp_path)
    with pytest.raises(BudgetError, match="max-cost"):
        keep(made, REPORT, 60, tmp_path, Terms(max_cost_pusd=1))
    gemini.tokens = 4_095
    with pytest.raises(UsageError, match="from 4,096 tokens on"):
        keep(made, REPORT, 60, tmp_path)
    assert gemini.caches == {}
    assert book.calls() == []


def test_a_cache_that_is_refused_costs_nothing(
    gemini: Gemini, caller: Make, book: Book, tmp_path: Path
) -> None:
    """And one of which nobody knows what became of it counts with all that it could cost."""
    count, broken = gemini.answer, refusal(400, "too many")
    gemini.server.otherwise = lambda path, body: broken if "cached" in path else count(path, body)
    with pytest.raises(ProviderError, match="too many"):
        keep(caller(), REPORT, 60, tmp_path)
    assert (book.calls()[0].how, book.calls()[0].cost_pusd) == ("refused", 0)
    broken.status, broken.cut, broken.chunks = 200, True, [b"{"]
    with pytest.raises(ProviderError):
        keep(caller(), REPORT, 60, tmp_path)
    assert (book.calls()[0].how, book.calls()[0].cost_pusd) == ("assumed", book.calls()[0].reserved_pusd)


def test_a_cached_prompt_is_read_by_its_model_alone(gemini: Gemini, caller: Make, tmp_path: Path) -> None:
    """Another model, a system prompt beside it, a time that is over: said before anything is sent."""
    keep(caller(), REPORT, 60, tmp_path)
    cached = find(tmp_path, "c1", NOW_NS)
    for model in (HAIKU, "gemini-3.7-flash"):
        with pytest.raises(UsageError, match=f"for {FLASH} alone"):
            list(caller().stream(asking("?", model, cached=cached)))
    with pytest.raises(UsageError, match="lie in the cache"):
        list(caller().stream(asking("?", FLASH, cached=cached, system="be long")))
    with pytest.raises(UsageError, match="time in the cache is over"):
        find(tmp_path, "c1", NOW_NS + HOUR_NS)
    with pytest.raises(UsageError, match="no prompt of that name"):
        find(tmp_path, "c9", NOW_NS)


def test_the_price_of_keeping_has_a_last_day() -> None:
    """Introductory until the end of 2026; after that it is not known, and nothing is kept."""
    assert storage_pusd(FLASH, TODAY) == 500_000
    assert storage_pusd(FLASH, TODAY.replace(year=2027)) is None
    assert storage_pusd("gemini-2.5-pro", TODAY.replace(year=2027)) == 4_500_000
    assert storage_pusd(HAIKU, TODAY) is None


def test_keeping_from_the_command_line(
    gemini: Gemini, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Laid down, listed, asked, gone on with, taken out."""
    monkeypatch.setattr("tests.llm.gemini.EXPIRES", "2096-11-23T00:00:00Z")
    (tmp_path / "report.txt").write_text("a long report")
    assert main(["llm", "cache", "add", str(tmp_path / "report.txt"), "--ttl", "2h", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["id"], made["tokens"]) == ("c1", 10_000)
    assert gemini.caches["cachedContents/c1"]["asked"]["ttl"] == "7200s"
    assert main(["llm", "cache", "add", str(tmp_path / "report.txt"), "-s", "be brief"]) == 0
    assert "cachedContents" not in capsys.readouterr().out
    assert main(["llm", "cache", "ls"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["NAME", "c1", "c2"]

    for number, words in enumerate((["what is it?", "--cached", "c1"], ["and then?", "-c"])):
        gemini.server.answers = [gemini_stream([gemini_text("42", "STOP", COUNTED)])]
        assert main(["ask", *words]) == 0
        assert capsys.readouterr().out == "42\n"
        path, sent = gemini.server.asked[-1]
        assert FLASH in path
        assert sent["cachedContent"] == "cachedContents/c1"
        assert len(sent["contents"]) == 1 + 2 * number
    assert load_last(llm_dir() / "conversation").cached == "cachedContents/c1"

    for name in ("c1", "c2"):
        assert main(["llm", "cache", "rm", name]) == 0
    assert main(["llm", "cache", "ls"]) == 0
    assert capsys.readouterr().err == "nothing is kept\n"
    assert main(["llm", "cache", "rm", "c1"]) == 2
    for wrong in ("1", "0h", "h", "1w", "-1h"):
        assert main(["llm", "cache", "add", str(tmp_path / "report.txt"), f"--ttl={wrong}"]) == 2
        assert "no time" in capsys.readouterr().err
