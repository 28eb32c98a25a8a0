"""A recorded run, replayed where there is no network, no client, no key, and everything else is different."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from grn.kit.errors import TapeError
from grn.llm.calls import Caller
from grn.llm.spend import Book
from tests.llm.asks import asking
from tests.llm.replayed_run import asks, run
from tests.llm.servers import Answer, Body, Server, anthropic_stream, gemini_stream, gemini_text, plain

ROOT = Path(__file__).parents[2]
Make = Callable[..., Caller]
CLIENTS = {"anthropic", "google.genai", "voyageai", "genai_prices", "xllamacpp", "keyring"}

NO_NETWORK = """
import socket
class Refused(socket.socket):
    def __init__(self, *a, **k):
        raise OSError("the network is forbidden here")
socket.socket = Refused
"""


def answer(path: str, body: Body) -> Answer:
    """Answer any of the run's calls, each one differently."""
    if path == "/v1/messages":
        words = json.dumps(body["messages"], ensure_ascii=False)
        return anthropic_stream([words[:7], words[7:9], f"… {len(words)}"], model=body["model"])
    if ":streamGenerateContent" in path:
        usage = {"promptTokenCount": 5, "candidatesTokenCount": 2}
        return gemini_stream([gemini_text("Ant"), gemini_text("wort"), gemini_text(path[-9:], "STOP", usage)])
    if ":batchEmbedContents" in path:
        return plain({"embeddings": [{"values": [0.1, 1e-30]}]})
    if path.endswith("/rerank"):
        found = [{"index": n, "relevance_score": 1 / (3 + n)} for n in (2, 0, 1)]
        return plain({"object": "list", "data": found, "model": "rerank-2.5", "usage": {"total_tokens": 9}})
    data = [
        {"object": "embedding", "embedding": [0.1 + n, -0.3], "index": n} for n in range(len(body["input"]))
    ]
    return plain({"object": "list", "data": data, "model": body["model"], "usage": {"total_tokens": 4}})


@pytest.fixture
def recorded(server: Server, caller: Make, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Record the run; returns what it printed."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    monkeypatch.setenv("VOYAGE_BASE_URL", f"{server.url}/v1")
    server.otherwise = answer
    return run(caller("run", "record"))


def test_a_run_replays_to_the_byte_elsewhere(recorded: bytes, server: Server, tmp_path: Path) -> None:
    """22 mixed calls by three providers: in another environment without their clients, without a network,
    with another home, time zone, locale and hash seed, the same bytes and the same boundaries of the streams.
    """
    assert len(asks()) == 22
    assert len(server.asked) == 22
    other = tmp_path / "venv"
    venv.create(other, with_pip=False)
    (packages,) = other.glob("lib/python3*/site-packages")
    (packages / "grn").symlink_to(ROOT / "src" / "grn")
    (packages / "zstandard").symlink_to(Path(sysconfig.get_path("platlib")) / "zstandard")
    (packages / "sitecustomize.py").write_text(NO_NETWORK)
    ran = subprocess.run(
        [other / "bin" / "python", "-m", "tests.llm.replayed_run", tmp_path / "tapes"],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "4711",
             "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )  # fmt: skip
    assert ran.stderr == b""
    assert ran.stdout == recorded


def test_recording_twice_asks_once(recorded: bytes, server: Server, caller: Make, book: Book) -> None:
    """What is on the tape is answered from it, also while recording; a refresh asks again."""
    before = len(server.asked), len(book.calls())
    assert run(caller("run", "record")) == recorded
    assert (len(server.asked), len(book.calls())) == before
    assert run(caller("run", "refresh")) == recorded
    assert len(server.asked) == 2 * before[0]


def test_the_book_names_the_record(recorded: bytes, caller: Make, book: Book) -> None:
    """Every call of the run is billed, and its row leads to the tape."""
    rows = book.calls()
    assert len(rows) == 22
    assert all(row.tape for row in rows)
    tape = caller("run", "replay")._tape
    assert tape is not None
    by_key = {record.key: record for record in tape.records()}
    assert {by_key[row.tape or ""].cost_pusd for row in rows} == {row.cost_pusd for row in rows}


def test_one_byte_more_finds_nothing(server: Server, caller: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay never falls back to asking."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    server.answers = [anthropic_stream(["ok"])]
    list(caller("one", "record").stream(asking("hi")))
    with pytest.raises(TapeError, match="differs in 1 place"):
        list(caller("one", "replay").stream(asking("hi!")))
    assert len(server.asked) == 1


def test_raw_frames_stand_beside_the_events(recorded: bytes, caller: Make) -> None:
    """Split where the protocol splits them: one server-sent event a frame, a JSON body in one piece."""
    tape = caller("run", "replay")._tape
    assert tape is not None
    records = list(tape.records())
    assert [frame.split("\n")[0] for frame in records[0].frames] == [
        "event: message_start",
        "event: content_block_start",
        *["event: content_block_delta"] * 3,
        "event: content_block_stop",
        "event: message_delta",
        "event: message_stop",
    ]
    assert [len(made.frames) for made in records[8:14]] == [3] * 6
    assert json.loads(records[18].frames[0])["usage"] == {"total_tokens": 4}


def test_a_live_call_pays_for_one_client_only(server: Server, tmp_path: Path) -> None:
    """Asking Anthropic imports no other client nor, once its list is cached, the price package."""
    code = (
        "import sys\n"
        "from grn.cli.main import main\n"
        "code = main(['ask', '-m', 'haiku', '--no-stream', 'hi'])\n"
        f"print(code, sorted({CLIENTS} & set(sys.modules)))\n"
    )
    environ = {**os.environ, "ANTHROPIC_BASE_URL": server.url, "GRN_HOME": str(tmp_path)}
    server.otherwise = lambda path, body: anthropic_stream(["hello"])
    for expected in (None, "hello\n0 ['anthropic']\n"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert expected in (None, ran.stdout)
