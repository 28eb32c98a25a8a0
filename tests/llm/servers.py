"""Doubles of the providers' servers, written for these tests: loopback HTTP, wire formats, faults on demand.
demand.

They stand in where no public double exists (faults in mid-stream, batches, usage by class, Voyage), and they
keep an account of their own of what they would have billed.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Answer:
    """What the server does with one request.

    Attributes
    ----------
    status, headers, chunks
        The answer; chunks are written one by one.
    cut
        Close the connection after the chunks, in the middle of the body.
    before_s
        Seconds of silence before the first byte.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    cut: bool = False
    before_s: float = 0.0


@dataclass
class Server:
    """A running double: where it is, what it was asked, and what it is going to answer."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, Body]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    otherwise: Callable[[str, Body], Answer] | None = None


@contextmanager
def serve() -> Iterator[Server]:
    """Run a double on a free port until the block ends."""
    server = Server("")
    taking = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # as real servers do: else a chunk waits for the last one's receipt

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.handle_one({})

        def do_DELETE(self) -> None:
            self.handle_one({})

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                body = json.loads(data or b"{}")
            except ValueError:  # a file that is uploaded
                body = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            self.handle_one(body)

        def handle_one(self, body: Body) -> None:
            with taking:
                server.asked.append((self.path, body))
                server.methods.append(str(self.command))
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                answer = server.answers.pop(0) if server.answers else None
            if answer is None:
                assert server.otherwise is not None, f"nothing to answer to {self.path}"
                answer = server.otherwise(self.path, body)
            self.write(answer)

        def write(self, answer: Answer) -> None:
            time.sleep(answer.before_s)
            self.send_response(answer.status)
            for name, value in {"content-type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for chunk in answer.chunks:
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
            if answer.cut:
                self.close_connection = True
                return
            self.wfile.write(b"0\r\n\r\n")

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what some tests are about."""

    running = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, daemon=True, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def sse(event: str, data: Body) -> bytes:
    """Write one server-sent event as Anthropic does."""
    return f"event: {event}\ndata: {json.dumps({'type': event, **data})}\n\n".encode()


def anthropic_stream(
    words: list[str],
    *,
    model: str = "claude-haiku-5-5",
    first: Body | None = None,
    last: Body | None = None,
    reason: str = "end_turn",
    blocks: list[bytes] | None = None,
) -> Answer:
    """Answer as the Messages API streams: usage at the beginning and, cumulative, at the end."""
    start = {"input_tokens": 12, "output_tokens": 1} | (first or {})
    message: dict[str, object] = {
        "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": model,
        "stop_reason": None, "stop_sequence": None, "usage": start,
    }  # fmt: skip
    chunks = [sse("message_start", {"message": message})]
    if blocks is None:
        chunks.append(sse("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}))
        chunks += [
            sse("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}})
            for word in words
        ]
        chunks.append(sse("content_block_stop", {"index": 0}))
    else:
        chunks += blocks
    end = {"output_tokens": len(words)} | (last or {})
    chunks.append(
        sse("message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": end})
    )
    chunks.append(sse("message_stop", {}))
    return Answer(headers={"content-type": "text/event-stream", "request-id": "req_011"}, chunks=chunks)


def refusal(status: int, words: str = "no", **headers: str) -> Answer:
    """Refuse as Anthropic does."""
    body = {"type": "error", "error": {"type": "some_error", "message": words}, "request_id": "req_011"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"request-id": "req_011", **named}, [json.dumps(body).encode()])


def gemini_stream(chunks: list[Body], model: str = "gemini-3.8-flash") -> Answer:
    """Answer as the Gemini API streams: whole JSON chunks, each with usage so far."""
    sent = [
        f"data: {json.dumps({'modelVersion': model, 'responseId': 'resp-1', **chunk})}\r\n\r\n".encode()
        for chunk in chunks
    ]
    return Answer(headers={"content-type": "text/event-stream"}, chunks=sent)


def gemini_text(text: str, reason: str | None = None, usage: Body | None = None, **part: Any) -> Body:
    """Make one chunk with a piece of text."""
    candidate: Body = {"content": {"role": "model", "parts": [{"text": text, **part}]}}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], **({"usageMetadata": usage} if usage else {})}


def plain(body: Body, **headers: str) -> Answer:
    """Answer with one JSON object."""
    return Answer(headers=headers, chunks=[json.dumps(body).encode()])
