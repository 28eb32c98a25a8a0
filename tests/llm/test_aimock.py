"""The makers' clients against a public double of their servers: `@copilotkit/aimock`, from npm."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grn.kit.errors import ProviderError
from grn.kit.files import lock
from grn.llm.calls import Caller
from grn.llm.events import Finished, ToolAsked, Vectors
from grn.llm.providers.google import Google
from grn.llm.request import Embedding, Tool
from grn.llm.spend import Book
from tests.llm.asks import FLASH, HAIKU, asking, text
from tests.llm.conftest import Said

VERSION = "1.43.0"
FIXTURES = {
    "fixtures": [
        {
            "match": {"userMessage": "add"},
            "response": {"toolCalls": [{"name": "add", "arguments": {"a": 1}}]},
        },
        {
            "match": {"userMessage": "sky"},
            "response": {"content": "Because of Rayleigh scattering, – übrigens."},
        },
        {"match": {"userMessage": "busy"}, "response": {"error": {"message": "slow down"}, "status": 429}},
    ]
}
Make = Callable[..., Caller]


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Install the package once per environment, run its server, give its address."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not installed")
    home = Path(sys.prefix) / "grn" / f"aimock-{VERSION}"
    home.mkdir(parents=True, exist_ok=True)
    script = home / "node_modules/@copilotkit/aimock/dist/cli.js"
    with lock(home / "install.lock"):
        if not script.exists():
            command = [
                npm,
                "install",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(home),
                f"@copilotkit/aimock@{VERSION}",
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
    folder = tmp_path_factory.mktemp("fixtures")
    (folder / "all.json").write_text(json.dumps(FIXTURES))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = [
        node,
        str(script),
        "-p",
        str(port),
        "-f",
        str(folder),
        "--log-level",
        "silent",
        "--chunk-size",
        "5",
    ]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/__aimock/journal", timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("aimock did not start")


@pytest.fixture(autouse=True)
def _address(aimock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", aimock)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", aimock)
    monkeypatch.setenv("VOYAGE_BASE_URL", f"{aimock}/v1")


@pytest.fixture
def asker(caller: Make) -> Caller:
    """A caller whose Google client speaks the version of the API that the double knows."""
    made = caller()
    made._providers["google"] = Google.connect(5.0, version="v1beta")
    return made


@pytest.mark.parametrize("model", [HAIKU, FLASH])
def test_an_answer_streams(model: str, asker: Caller, book: Book) -> None:
    """In several pieces, with usage and an end, from both wire formats."""
    events = list(asker.stream(asking("why is the sky blue?", model)))
    assert text(events) == "Because of Rayleigh scattering, – übrigens."
    assert len(events) > 5
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.reason == "end"
    assert (book.calls()[0].how, book.calls()[0].usage) == ("reported", end.usage)


@pytest.mark.parametrize("model", [HAIKU, FLASH])
def test_a_tool_is_asked_for(model: str, asker: Caller) -> None:
    """With its arguments as JSON."""
    tool = Tool("add", "adds", {"type": "object", "properties": {"a": {"type": "integer"}}})
    events = list(asker.stream(asking("add", model, tools=(tool,))))
    (call,) = [event for event in events if isinstance(event, ToolAsked)]
    assert (call.name, json.loads(call.arguments)) == ("add", {"a": 1})


@pytest.mark.parametrize("model", [HAIKU, FLASH])
def test_a_limit_is_waited_for(model: str, asker: Caller, said: Said, book: Book) -> None:
    """Four attempts at a server that is always busy; nothing is billed."""
    with pytest.raises(ProviderError, match="HTTP 429"):
        list(asker.stream(asking("busy", model)))
    assert book.calls()[0].attempts == 4
    assert len(said.slept) == 3


def test_texts_become_vectors(asker: Caller) -> None:
    """One vector a text: its embeddings have the form that Voyage's client reads."""
    events = list(asker.stream(Embedding("voyage-4", ("one", "two"))))
    assert isinstance(events[0], Vectors)
    assert len(events[0].vectors) == 2
