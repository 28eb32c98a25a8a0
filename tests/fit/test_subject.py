from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from grn.fit.hub import fetch_config
from grn.fit.known import MODELS
from grn.fit.subject import find_subject
from grn.kit.errors import AccessError, DataError, GrnError, UnreachableError, UsageError
from tests.fit.test_configs import LLAMA

ANSWERS = {
    "/meta/Llama/resolve/main/config.json": (200, json.dumps(LLAMA)),
    "/meta/Gated/resolve/main/config.json": (401, "{}"),
    "/meta/Page/resolve/main/config.json": (200, "<html>"),
    "/meta/Broken/resolve/main/config.json": (503, ""),
}


@pytest.fixture
def hub() -> Iterator[dict[str, str]]:
    """A double of the hub on this machine, as the environment that names it; it writes down what it was
    sent.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            Handler.sent = self.headers.get("Authorization")
            code, text = ANSWERS.get(self.path, (404, ""))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

        sent: str | None = None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_TOKEN": "hf_secret"}
    server.shutdown()
    thread.join()
    server.server_close()
    assert Handler.sent in (None, "Bearer hf_secret")


def test_the_hub_is_asked_for_a_config_only(hub: dict[str, str]) -> None:
    """A real request over a real socket; the answer is an architecture."""
    assert fetch_config("meta/Llama", hub) == LLAMA


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("meta/Gated", AccessError, 4),
        ("meta/None", UsageError, 2),
        ("meta/Page", DataError, 2),
        ("meta/Broken", UnreachableError, 3),
        ("no-owner", UsageError, 2),
        ("a/b/c", UsageError, 2),
    ],
)
def test_what_the_hub_refuses_is_told(
    hub: dict[str, str], name: str, error: type[GrnError], code: int
) -> None:
    """Each with its exit code and a next step; the token is in no message."""
    with pytest.raises(error) as caught:
        fetch_config(name, hub)
    assert caught.value.exit_code == code
    assert "hf_secret" not in f"{caught.value} {caught.value.hint}"


def test_no_network_is_told() -> None:
    """A port that nobody listens on; an address that is none."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="cannot be reached"):
            fetch_config("meta/Llama", {"HF_ENDPOINT": address})
    with pytest.raises(UsageError, match="no web address"):
        fetch_config("meta/Llama", {"HF_ENDPOINT": "file:///etc"})


def test_a_name_means_one_thing(tmp_path: Path) -> None:
    """Table, config, folder; an unknown name names its neighbours and the flag; nothing is fetched
    unasked.
    """
    assert find_subject("llama3.1:8b").model is MODELS["Llama-3.1-8B"]
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert find_subject(str(tmp_path)).model.parameters == MODELS["Llama-3.1-8B"].parameters
    with pytest.raises(UsageError) as caught:
        find_subject("meta-llama/Llama-3.1-9B")
    assert "Llama-3.1-8B" in str(caught.value.hint)
    assert "--hub" in str(caught.value.hint)
    (tmp_path / "weights.safetensors").write_bytes(b"\x00")
    with pytest.raises(DataError, match="neither"):
        find_subject(str(tmp_path / "weights.safetensors"))
