from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grn.cli.main import main
from grn.kit.errors import BudgetError, ProviderError, UsageError
from grn.llm.batch import Result, fetch, state, submit
from grn.llm.calls import Caller, Terms
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.llm.asks import HAIKU, asking
from tests.llm.conftest import KEY
from tests.llm.servers import Answer, Body, Server, plain, refusal

Make = Callable[..., Caller]


def message_batch(server: Server, status: str = "in_progress", **counts: int) -> Answer:
    """Describe a batch as Anthropic does."""
    every = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0, **counts}
    return plain(
        {
            "id": "msgbatch_1",
            "type": "message_batch",
            "processing_status": status,
            "created_at": "2026-11-23T00:00:00Z",
            "expires_at": "2026-11-24T00:00:00Z",
            "ended_at": None,
            "cancel_initiated_at": None,
            "archived_at": None,
            "results_url": f"{server.url}/v1/messages/batches/msgbatch_1/results",
            "request_counts": every,
        }
    )


def results(*lines: Body) -> Answer:
    return Answer(chunks=["".join(json.dumps(line) + "\n" for line in lines).encode()])


def succeeded(place: int, text: str) -> Body:
    message: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": HAIKU,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": 30, "output_tokens": 4},
    }
    return {"custom_id": f"r{place}", "result": {"type": "succeeded", "message": message}}


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)


def test_a_batch_is_billed_by_its_results(server: Server, caller: Make, book: Book, tmp_path: Path) -> None:
    """At half the price; all it can cost counts until it is fetched; what has no answer costs nothing."""
    made = caller()
    server.answers = [message_batch(server, processing=2)]
    handed_in = submit(made, [asking("2+2"), asking("3+3")], tmp_path, Terms(project="thesis"))
    assert (handed_in.id, handed_in.counts) == ("msgbatch_1", {"processing": 2})
    (row,) = book.calls()
    assert (row.kind, row.how, row.project, row.cost_pusd) == (
        "batch",
        "assumed",
        "thesis",
        row.reserved_pusd,
    )
    ended = message_batch(server, "ended", succeeded=1, expired=1)
    expired = {"custom_id": "r1", "result": {"type": "expired"}}
    server.answers = [ended, ended, results(expired, succeeded(0, "four"))]
    # Half of Claude Haiku 5.5's $0.10 and $0.50 per million tokens.
    cost = 30 * 50_000 + 4 * 250_000
    assert fetch(made, "msgbatch_1", tmp_path) == [
        Result(0, "four", "end", Usage(input=30, output=4), cost),
        Result(1, None, "expired", Usage(), 0),
    ]
    (row,) = book.calls()
    assert (row.how, row.cost_pusd) == ("corrected", cost)
    book.check()


def test_a_batch_that_is_refused_costs_nothing(
    server: Server, caller: Make, book: Book, tmp_path: Path
) -> None:
    """The provider's words are told, and nothing stays reserved."""
    server.answers = [refusal(400, "too many")]
    with pytest.raises(ProviderError, match="too many"):
        submit(caller(), [asking()], tmp_path)
    assert (book.calls()[0].how, book.standing("anthropic").spent_pusd) == ("refused", 0)


def test_what_cannot_be_a_batch(caller: Make, server: Server, tmp_path: Path) -> None:
    """No requests, two models, no price for them, a key in one, more than is allowed: nothing is sent."""
    made = caller()
    for asks in ([], [asking(), asking(model="claude-opus-5-5")]):
        with pytest.raises(UsageError, match="one model"):
            submit(made, asks, tmp_path)
    with pytest.raises(UsageError, match="no price for batches"):
        submit(made, [asking(model="local")], tmp_path)
    with pytest.raises(UsageError, match="contains a key"):
        submit(made, [asking(KEY)], tmp_path)
    with pytest.raises(BudgetError):
        submit(made, [asking()] * 3, tmp_path, Terms(max_cost_pusd=1))
    with pytest.raises(UsageError, match="handed in from here"):
        state(made, "msgbatch_2", tmp_path)
    assert server.asked == []


def test_a_batch_from_the_command_line(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Handed in from a file, asked after, too early, fetched: code 1 when a request has no answer."""
    file = tmp_path / "asks.jsonl"
    file.write_text('{"prompt": "2+2", "max_tokens": 5}\n{"prompt": "3+3", "system": "be brief"}\n')
    running, ended = (
        message_batch(server, processing=2),
        message_batch(server, "ended", succeeded=1, errored=1),
    )
    server.answers = [running, running, running, ended, ended]
    server.answers.append(results(succeeded(0, "four"), {"custom_id": "r1", "result": {"type": "canceled"}}))
    assert main(["llm", "batch", "submit", str(file), "-m", "haiku", "--max-cost", "0.01"]) == 0
    assert "msgbatch_1" in capsys.readouterr().out
    sent = server.asked[0][1]["requests"]
    assert [request["params"]["max_tokens"] for request in sent] == [5, 4096]
    assert sent[1]["params"]["system"] == "be brief"
    assert main(["llm", "batch", "status", "msgbatch_1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ended"] is False
    assert main(["llm", "batch", "fetch", "msgbatch_1"]) == 2
    assert "not ended" in capsys.readouterr().err
    assert main(["llm", "batch", "fetch", "msgbatch_1"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["place"], line["text"], line["reason"]) for line in lines] == [
        (0, "four", "end"),
        (1, None, "canceled"),
    ]
    file.write_text('{"words": 1}\n')
    assert main(["llm", "batch", "submit", str(file), "-m", "haiku"]) == 2
    assert 'has no "prompt"' in capsys.readouterr().err
