"""What goes wrong at a provider, what is said of it, what is billed: the real client against the double."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grn.kit.errors import AccessError, GrnError, ProviderError, UnreachableError
from grn.llm.calls import Caller
from grn.llm.events import Event, TextDelta
from grn.llm.port import Fault
from grn.llm.providers.http import refused
from grn.llm.retry import Policy, pause_s
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.llm.asks import HAIKU, asking, text
from tests.llm.conftest import KEY, Said
from tests.llm.servers import Answer, Server, anthropic_stream, refusal, sse

Make = Callable[..., Caller]


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_a_busy_provider_is_asked_again(
    server: Server, caller: Make, book: Book, said: Said, status: int
) -> None:
    """With growing, jittered pauses; the answer is billed once, and the book tells the attempts."""
    server.answers = [refusal(status), refusal(status), anthropic_stream(["ok"])]
    assert text(list(caller().stream(asking()))) == "ok"
    assert said.slept == [0.375, 0.75]
    assert len(server.asked) == 3
    (row,) = book.calls()
    assert (row.how, row.attempts, row.usage) == ("reported", 3, Usage(input=12, output=1))
    book.check()


def test_attempts_are_bounded(server: Server, caller: Make, book: Book, said: Said) -> None:
    """Four requests, then the provider's own words; nothing is billed and nothing stays reserved."""
    server.answers = [refusal(529, "Overloaded") for _ in range(9)]
    with pytest.raises(ProviderError) as caught:
        list(caller().stream(asking()))
    assert str(caught.value) == "anthropic refused the call (request req_011): HTTP 529 (seen: 'Overloaded')"
    assert len(server.asked) == 4
    (row,) = book.calls()
    assert (row.how, row.cost_pusd, row.attempts, row.request_id) == ("refused", 0, 4, "req_011")
    assert book.standing("anthropic").open_pusd == 0


def test_retry_after_is_honoured(server: Server, caller: Make, said: Said) -> None:
    """Seconds as the provider says; more than a minute is too long, and the call fails at once."""
    server.answers = [refusal(429, retry_after="7"), anthropic_stream(["ok"])]
    list(caller().stream(asking()))
    assert said.slept == [7.0]
    server.answers = [refusal(429, retry_after="3600"), anthropic_stream(["never"])]
    with pytest.raises(ProviderError, match="HTTP 429"):
        list(caller().stream(asking()))


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_wrong_request_is_not_repeated(server: Server, caller: Make, said: Said, status: int) -> None:
    """The provider's words say what is wrong; asking again would not help."""
    server.answers = [refusal(status, "messages: too many")]
    with pytest.raises(ProviderError, match="too many"):
        list(caller().stream(asking()))
    assert said.slept == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_bad_key_says_where_to_look(server: Server, caller: Make, status: int) -> None:
    """Exit code 4, the variable's name, and never the key, even if the provider repeats it."""
    server.answers = [refusal(status, f"invalid x-api-key: {KEY}")]
    with pytest.raises(AccessError) as caught:
        list(caller().stream(asking()))
    assert caught.value.exit_code == 4
    assert "ANTHROPIC_API_KEY" in (caught.value.hint or "")
    assert KEY not in str(caught.value)
    assert "[key]" in str(caught.value)


def test_a_server_that_is_not_there(
    caller: Make, book: Book, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was never reached, so nothing was billed, and asking again is safe."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError) as caught:
        list(caller().stream(asking()))
    assert caught.value.exit_code == 3
    assert len(said.slept) == 3
    assert book.calls()[0].how == "refused"


def draw(made: Caller, events: list[Event]) -> None:
    for event in made.stream(asking(max_tokens=4096)):
        events.append(event)


@pytest.mark.parametrize("cut", [True, False])
def test_a_connection_cut_in_mid_stream_is_billed_for_what_came(
    server: Server, caller: Make, book: Book, said: Said, cut: bool
) -> None:
    """The prompt as reported, a token for every three bytes of answer, marked as an estimate; never sent
    again.

    With and without the end of the HTTP body: a stream that just stops is cut too.
    """
    answer = anthropic_stream(["What ", "came", "lost"], first={"input_tokens": 1_000})
    answer.chunks, answer.cut = answer.chunks[:4], cut
    server.answers = [answer]
    events: list[Event] = []
    with pytest.raises(ProviderError, match="broke off"):
        draw(caller(), events)
    assert text(events) == "What came"
    assert len(server.asked) == 1
    (row,) = book.calls()
    assert (row.how, row.usage) == ("estimated", Usage(input=1_000, output=3))
    assert row.cost_pusd == 1_000 * 100_000 + 3 * 500_000
    assert "broke off" in (row.note or "")
    book.check()


def test_an_error_event_in_mid_stream(server: Server, caller: Make, book: Book) -> None:
    """An overload behind a status of 200: what came is billed, the provider's words are told."""
    answer = anthropic_stream(["half"])
    error = {"error": {"type": "overloaded_error", "message": "Overloaded"}}
    answer.chunks = [*answer.chunks[:3], sse("error", error)]
    server.answers = [answer]
    events: list[Event] = []
    with pytest.raises(ProviderError, match="Overloaded"):
        draw(caller(), events)
    assert book.calls()[0].how == "estimated"


def test_a_reader_who_leaves_ends_the_call(server: Server, caller: Make, book: Book) -> None:
    """Ctrl-C or a closed pipe: what was drawn is billed by estimate, nothing stays reserved."""
    server.answers = [anthropic_stream(["one ", "two ", "three "])]
    stream = caller().stream(asking())
    next(stream)
    assert next(stream) == TextDelta("one ")
    stream.close()
    (row,) = book.calls()
    assert (row.how, row.usage) == ("estimated", Usage(input=12, output=2))
    assert row.note == "left before the answer was whole"
    assert book.standing("anthropic").open_pusd == 0


@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers={"content-type": "text/html"}, chunks=[b"<html>sign in</html>"]),
        Answer(headers={"content-type": "application/json"}, chunks=[b'{"hello": 1}']),
        Answer(
            headers={"content-type": "text/event-stream"}, chunks=[b"event: message_start\ndata: {broken\n\n"]
        ),
        Answer(headers={"content-type": "text/event-stream"}, chunks=[b"\xff\xfe\x00nonsense\n\n"]),
        Answer(headers={"content-type": "text/event-stream"}, chunks=[]),
    ],
    ids=["html", "json", "malformed", "binary", "empty"],
)
def test_what_is_no_answer_is_told_apart(server: Server, caller: Make, book: Book, answer: Answer) -> None:
    """A proxy's page, JSON instead of a stream, broken frames: nobody knows what was billed, so the whole
    reservation counts until it is corrected; no traceback, no retry.
    """
    server.answers = [answer]
    with pytest.raises(ProviderError):
        list(caller().stream(asking()))
    assert len(server.asked) == 1
    (row,) = book.calls()
    assert (row.how, row.cost_pusd) == ("assumed", row.reserved_pusd)


def test_a_malformed_frame_in_mid_stream(server: Server, caller: Make, book: Book) -> None:
    """What came before it is kept and billed."""
    answer = anthropic_stream(["good"])
    answer.chunks = [*answer.chunks[:3], b"event: content_block_delta\ndata: {oops\n\n"]
    server.answers = [answer]
    events: list[Event] = []
    with pytest.raises(ProviderError, match="no answer"):
        draw(caller(), events)
    assert text(events) == "good"
    assert book.calls()[0].how == "estimated"


def test_a_slow_first_byte_is_given_up_once(server: Server, caller: Make, book: Book) -> None:
    """After the time-out the request may still be worked on and billed: it is not sent twice."""
    server.answers = [Answer(before_s=0.6, chunks=[b"late"])]
    with pytest.raises(ProviderError, match="silent for too long"):
        list(caller(timeout_s=0.2).stream(asking()))
    assert len(server.asked) == 1
    assert book.calls()[0].how == "assumed"


def test_a_failed_recording_leaves_no_tape(server: Server, caller: Make, tmp_path: Path) -> None:
    """Only whole answers are recorded."""
    answer = anthropic_stream(["half"])
    answer.chunks, answer.cut = answer.chunks[:3], True
    server.answers = [answer]
    with pytest.raises(ProviderError):
        list(caller("paper", "record").stream(asking(model=HAIKU)))
    assert not (tmp_path / "tapes" / "paper.calls").exists()


def test_a_tape_without_room_is_billed(server: Server, caller: Make, book: Book, tmp_path: Path) -> None:
    """The answer has come and been paid for: the bill is settled, and the tape's error is told."""
    server.answers = [anthropic_stream(["one "])]
    (tmp_path / "tapes" / "full.calls").mkdir(parents=True)
    with pytest.raises((OSError, GrnError)):
        list(caller("full", "refresh").stream(asking()))
    (row,) = book.calls()
    assert (row.how, row.tape) == ("reported", None)
    assert book.standing("anthropic").open_pusd == 0


def test_pauses_grow_and_end() -> None:
    """It doubles up to a limit, shortened by up to a half; what may have been billed is never repeated."""
    policy = Policy(attempts=9, first_s=1.0, longest_s=4.0)
    busy = Fault(ProviderError("busy"), again=True, billed="no")
    assert [pause_s(busy, n, policy, lambda: 0.0) for n in range(1, 6)] == [1.0, 2.0, 4.0, 4.0, 4.0]
    assert pause_s(busy, 1, policy, lambda: 1.0) == 0.5
    assert pause_s(busy, 9, policy, lambda: 0.0) is None
    assert pause_s(Fault(ProviderError("cut"), again=True), 1, policy, lambda: 0.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2.0), ("-1", 0.0), ("Mon, 23 Nov 2026 10:00:10 GMT", 10.0), ("soon", None), (None, None)],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """RFC 9110, 10.2.3: both forms; what is neither asks for nothing."""
    fault = refused("anthropic", 429, "", lambda _: value, None, 1_795_428_000.0)
    assert fault.after_s == seconds
