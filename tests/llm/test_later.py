"""Real clients against a double of Anthropic's API: questions that can wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grn.kit.errors import BudgetError, GrnError, ProviderError, UsageError
from grn.llm import batch
from grn.llm.calls import Caller, Terms
from grn.llm.later import collect, drop, find, put_off, questions, request_from_plain, send
from grn.llm.request import File, Message, Request, Text
from grn.llm.spend import Book
from tests.llm.asks import asking
from tests.llm.conftest import NOW_NS, Said
from tests.llm.servers import Answer, Server, refusal
from tests.llm.test_batch import message_batch, results, succeeded

Make = Callable[..., Caller]


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)


def states(folder: Path) -> list[tuple[str, str, str | None]]:
    return [(one.asked, one.state, one.text) for one in questions(folder)]


def wait(folder: Path, *words: str, project: str = "") -> list[str]:
    return [put_off(folder, asking(word), project, NOW_NS + at * 10**9) for at, word in enumerate(words)]


def test_questions_wait_are_sent_and_collected(
    server: Server, caller: Make, book: Book, said: Said, tmp_path: Path
) -> None:
    """One batch at half the price; collected by another process; each answer goes to its question."""
    wait(tmp_path, "2+2", "3+3")
    assert states(tmp_path) == [("2+2", "waiting", None), ("3+3", "waiting", None)]
    server.answers = [message_batch(server, processing=2)]
    assert send(caller(), tmp_path, Terms(), said.append) == 2
    assert said == ["2 handed in as msgbatch_1"]
    sent = [one["params"]["messages"][0]["content"][0]["text"] for one in server.asked[0][1]["requests"]]
    assert sent == ["2+2", "3+3"]
    assert send(caller(), tmp_path, Terms(), said.append) == 0
    server.answers = [message_batch(server, processing=2)]
    assert collect(caller(), tmp_path) == 0
    assert [state for _, state, _ in states(tmp_path)] == ["sent", "sent"]
    ended = message_batch(server, "ended", succeeded=1, errored=1)
    gone = {"custom_id": "r0", "result": {"type": "expired"}}
    server.answers = [ended, ended, ended, results(succeeded(1, "six"), gone)]
    assert collect(caller(), tmp_path) == 2
    assert states(tmp_path) == [("2+2", "failed", None), ("3+3", "done", "six")]
    # Half of Claude Haiku 5.5's $0.10 and $0.50 per million tokens.
    (row,) = book.calls()
    assert row.cost_pusd == 30 * 50_000 + 4 * 250_000 == questions(tmp_path)[1].cost_pusd
    assert collect(caller(), tmp_path) == 0


def test_groups_are_by_model_and_project(server: Server, caller: Make, book: Book, tmp_path: Path) -> None:
    """A batch is for one model, and the book knows whose it is."""
    wait(tmp_path, "a", project="one")
    wait(tmp_path, "b", project="two")
    server.answers = [message_batch(server, processing=1)] * 2
    send(caller(), tmp_path, Terms(), lambda _: None)
    assert sorted(row.project for row in book.calls()) == ["one", "two"]


@pytest.mark.parametrize("answer", [refusal(400, "too many"), None], ids=["refused", "over budget"])
def test_what_was_not_taken_goes_on_waiting(
    server: Server, caller: Make, tmp_path: Path, answer: Answer | None
) -> None:
    """Refused by the provider, or over the budget before anything was sent."""
    wait(tmp_path, "2+2")
    server.answers = [] if answer is None else [answer]
    terms = Terms() if answer else Terms(max_cost_pusd=1)
    with pytest.raises((ProviderError, BudgetError)):
        send(caller(), tmp_path, terms, lambda _: None)
    assert states(tmp_path) == [("2+2", "waiting", None)]


def test_what_may_have_been_taken_is_not_sent_again(
    server: Server, caller: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the provider's answer, or killed before our note: unsure, and a person decides."""
    (first,) = wait(tmp_path, "2+2")
    server.answers = [Answer(chunks=[b'{"id": "msgba'], cut=True)]
    with pytest.raises(GrnError):
        send(caller(), tmp_path, Terms(), lambda _: None)
    assert states(tmp_path) == [("2+2", "unsure", None)]
    assert send(caller(), tmp_path, Terms(), lambda _: None) == 0
    assert collect(caller(), tmp_path) == 0
    assert drop(tmp_path, first).state == "unsure"
    assert questions(tmp_path) == []

    wait(tmp_path, "3+3", "4+4")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "submit", die)
    with pytest.raises(KeyboardInterrupt):
        send(caller(), tmp_path, Terms(), lambda _: None)
    assert [state for _, state, _ in states(tmp_path)] == ["unsure", "unsure"]


def test_what_can_wait(tmp_path: Path) -> None:
    """Words only; a request comes back as it was; names are told apart by their beginning."""
    full = Request(
        "claude-haiku-5-5",
        (
            Message("user", (Text("a"), Text("b"))),
            Message("assistant", (Text("c"),)),
            Message("user", (Text("d"),)),
        ),
        "be brief", 99, 0.5, {"type": "object"}, (), "low", "5m",
    )  # fmt: skip
    assert request_from_plain(full.plain()) == full
    picture = Request("haiku", (Message("user", (File("image/png", b"x", "a.png"),)),))
    with pytest.raises(UsageError, match="only questions in words"):
        put_off(tmp_path, picture, "", NOW_NS)
    first, second = wait(tmp_path, "x", "y")
    assert find(tmp_path, first).asked == "x"
    with pytest.raises(UsageError, match="2 questions begin"):
        find(tmp_path, first[:4])
    with pytest.raises(UsageError, match="no question"):
        find(tmp_path, "zzz")
    drop(tmp_path, second)
    assert [one.id for one in questions(tmp_path)] == [first]
