"""A loopback web server with faults on demand, and a time of its own: the ground that the doubles stand on.

Nothing here is recorded; the two doubles built on it (`yahoo_double`, `binance_double`) say what of theirs
is.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NS = 10**9
TRANSPORT = ("429", "429 retry-after", "500", "503", "cut", "slow", "garbage")
"""Faults of the way: they spoil any answer."""
CONTENT = ("duplicate", "conflict", "missing", "stale", "short")
"""Faults of the answer: the doubles make them."""


@dataclass
class World:
    """Time as the server has it; waiting clients let it pass."""

    now_ns: int
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += round(seconds * NS)


class Present:
    """A world whose time is this machine's: for clients that cannot be given a clock."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @property
    def now_ns(self) -> int:
        return time.time_ns()


@dataclass
class Clock:
    """A client's clock: the world's, wrong by `skew_ns`."""

    world: World
    skew_ns: int = 0

    def now_ns(self) -> int:
        return self.world.now_ns + self.skew_ns

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


@dataclass
class Faults:
    """Which answers fail, and how: drawn from a seed, at a rate that the test sets."""

    dice: random.Random
    rate: float = 0.0
    kinds: tuple[str, ...] = (*TRANSPORT, *CONTENT)
    drawn: list[str] = field(default_factory=list)

    def draw(self) -> str | None:
        if self.dice.random() >= self.rate:
            return None
        kind = self.dice.choice(self.kinds)
        self.drawn.append(kind)
        return kind


Answer = Callable[[str, Mapping[str, str], str | None], tuple[int, Any]]
"""Path, query and content fault to status and JSON."""


class Loopback:
    """A web server on a free port of this machine, as a context manager."""

    def __init__(self, world: World | Present, faults: Faults, answer: Answer, slow_s: float = 0.5) -> None:
        self.world, self.faults, self.answer, self.slow_s = world, faults, answer, slow_s
        outer = self
        self.turn = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are two small writes: without this each answer waits 40 ms for an
            # acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer.serve(self)

            def log_message(self, *_: object) -> None:
                pass

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(outer.world.now_ns // NS, usegmt=True)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that went away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> Loopback:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        target = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        with self.turn:
            self.world.asked.append(handler.path)
            fault = self.faults.draw()
            status, content = self.answer(target.path, query, fault if fault in CONTENT else None)
        body = json.dumps(content).encode()
        headers = {"Content-Type": "application/json;charset=utf-8"}
        if fault is not None and fault.startswith("429"):
            status, body = 429, b'{"code":-1003,"msg":"Too many requests."}'
            if fault.endswith("after"):
                headers["Retry-After"] = "7"
        elif fault in ("500", "503"):
            status, body = int(fault), b"<html><body>upstream connect error</body></html>"
            headers["Content-Type"] = "text/html"
        elif fault == "garbage":
            body = body[: len(body) // 2]
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if fault == "cut":
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.close()
        elif fault == "slow":
            handler.wfile.write(body[:1])
            handler.wfile.flush()
            time.sleep(self.slow_s)
            handler.close_connection = True
        else:
            handler.wfile.write(body)
