"""The process that keeps a model loaded, so that the next command need not load it again.

``python -m grn.llm.local.host SOCKET MODEL THREADS IDLE_S`` goes into the background as soon as it listens.
One process per file of weights: a lock beside the socket, which dies with its owner. It ends by itself when
nobody has asked for a while.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from grn.kit.errors import GrnError
from grn.kit.files import lock
from grn.llm.local import channel
from grn.llm.local.channel import Channel, Line, plain_error
from grn.llm.local.engine import Engine, identify, load

_TAKEOVER_S = 600.0  # a predecessor that was asked to leave may be in the middle of a long answer


class Host:
    """Answers orders at a socket.

    Parameters
    ----------
    path, listener
        The socket, and its name.
    facts
        What is (going to be) loaded; see :func:`grn.llm.local.engine.identify`.
    open_engine
        Loads it; called once, at the first order that needs it.
    idle_s
        Seconds without an order after which :meth:`serve` returns.
    clock
        Seconds, monotonic.
    end
        Ends the process, in the middle of whatever it does.
    """

    def __init__(
        self,
        path: Path,
        listener: socket.socket,
        facts: Line,
        open_engine: Callable[[], Engine],
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._path, self._listener, self._facts = path, listener, facts
        self._open, self._idle_s, self._clock, self._end = open_engine, idle_s, clock, end
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._active = self._answers = 0
        self._last = clock()
        self._left = False
        self._wake, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Answer until idle or told to leave; what is being answered then is answered to its end."""
        threads: list[threading.Thread] = []
        with self._listener, self._wake, self._waker:
            while not self._left and (wait_s := self._wait_s()) > 0:
                ready, _, _ = select.select([self._listener, self._wake], [], [], wait_s)
                if self._listener in ready:
                    connection, _ = self._listener.accept()
                    thread = threading.Thread(target=self._attend, args=(connection,), daemon=True)
                    thread.start()
                    threads = [*(one for one in threads if one.is_alive()), thread]
            self._unlink()
            for thread in threads:
                thread.join()

    def _wait_s(self) -> float:
        with self._lock:
            return self._idle_s if self._active else self._last + self._idle_s - self._clock()

    def _attend(self, connection: socket.socket) -> None:
        with Channel(connection) as line, contextlib.suppress(OSError, ValueError):
            for order in line.lines():
                try:
                    for told in self._obey(order):
                        line.send(told)
                except OSError:  # whoever asked has hung up: leaving the generator has stopped the model
                    return
                except Exception as error:
                    line.send(plain_error(error))

    def _obey(self, order: Line) -> Iterator[Line]:
        match order:
            case {"do": "status"}:
                yield self._status()
            case {"do": "stop"}:
                self._unlink()
                yield {"done": True}
                self._end(0)
            case {"do": "leave"}:
                self._left = True
                self._unlink()
                self._waker.send(b"x")
                yield {"done": True}
            case {"do": "hello"}:
                with self._working():
                    yield {"facts": self._facts, "chat": self._loaded().chat}
            case {"do": "complete", "fields": dict(fields)}:
                with self._working():
                    with contextlib.closing(self._loaded().stream(fields)) as chunks:
                        for chunk in chunks:
                            yield {"chunk": chunk}
                    self._answers += 1
                    yield {"done": True}
            case {"do": "count", "text": str(text)}:
                with self._working():
                    yield {"tokens": self._loaded().count(text)}
            case _:
                raise ValueError(f"no order: {order!r:.80}")

    def _status(self) -> Line:
        with self._lock:
            idle_s = 0.0 if self._active else self._clock() - self._last
            state = "answering" if self._active else "idle"
            return {
                **self._facts,
                "pid": os.getpid(),
                "state": state if self._engine is not None else "loading",
                "answers": self._answers,
                "memory_bytes": _resident_bytes(),
                "ends_in_s": round(max(self._idle_s - idle_s, 0.0), 1),
            }

    def _loaded(self) -> Engine:
        with self._loading:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
                self._last = self._clock()

    def _unlink(self) -> None:
        """Let nobody come any more, once: the name may soon be a successor's."""
        with self._lock, contextlib.suppress(OSError):
            path, self._path = self._path, Path("/nowhere")
            path.unlink()


def _resident_bytes() -> int | None:
    """Memory of this process (field 2 of proc_pid_statm(5)); ``None`` where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(arguments: list[str]) -> int:
    """Take the lock, listen, go into the background, serve: whoever started it may connect on return."""
    path, model, threads, idle_s = Path(arguments[0]), arguments[1], int(arguments[2]), float(arguments[3])
    sys.stderr.write(f"{model}\n")  # the log's first line: what was here, should nobody be left to ask
    sys.stderr.flush()
    try:
        with lock(path.with_suffix(".lock"), timeout_s=_TAKEOVER_S):
            listener = channel.listen(path)
            if os.fork():
                os._exit(0)
            os.setsid()
            Host(path, listener, identify(model, threads), lambda: load(model, threads), idle_s).serve()
    except GrnError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
