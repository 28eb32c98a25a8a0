"""Decisions in a process of their own, which can be ended: bounded time and memory, whatever a step asks for.

The process reads questions and writes answers, one line of JSON each. It is started once and used for many
steps; one that is too slow or too large is ended, and the next step gets a new process.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import subprocess
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import Self

from grn.maths.verdict import Verdict

TIME_S = 20.0
"""Wall clock for one step: a safety net. Deciders have limits of work, which no clock moves."""

MEMORY_MIB = 2048

_READY = "ready"


class Worker:
    """A process that decides steps; a context manager.

    Parameters
    ----------
    time_s
        Seconds that one step may take; then its verdict is ``timeout``.
    memory_mib
        Address space of the process beyond what it has when it is ready.
    """

    def __init__(self, time_s: float = TIME_S, memory_mib: int = MEMORY_MIB) -> None:
        self.time_s = time_s
        self.memory_mib = memory_mib
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self.cpu_s = 0.0
        """Processor time that the latest step took."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def decide(self, latex: str, given: tuple[str, ...]) -> Verdict:
        """The verdict on one line under what is given; ``timeout`` where a limit was met."""
        process = self._started()
        question = json.dumps({"latex": latex, "given": list(given)}).encode() + b"\n"
        try:
            assert process.stdin is not None
            process.stdin.write(question)
            process.stdin.flush()
        except BrokenPipeError:
            self.end()
            return Verdict("timeout", "memory limit", "the process that decides has ended")
        answer = self._line(self.time_s)
        if answer is None:
            self.cpu_s = self.time_s
            ended = process.poll() is not None
            self.end()
            if ended:
                return Verdict("timeout", "memory limit", f"more than {self.memory_mib} MiB")
            return Verdict("timeout", "time limit", f"more than {self.time_s:g} s")
        found = json.loads(answer)
        self.cpu_s = found["cpu_s"]
        return Verdict(found["kind"], found["rule"], found["detail"], tuple(found["needs"]))

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._pending = b""

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            command = [sys.executable, "-m", "grn.maths.worker", str(self.memory_mib)]
            # A fixed hash seed: SymPy's orders of terms do not then depend on the process.
            environment = {**os.environ, "PYTHONHASHSEED": "0"}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            if self._line(60.0) != _READY:
                self.end()
                raise RuntimeError("the process that decides steps does not start")
        return self._process

    def _line(self, timeout_s: float) -> str | None:
        """One line of what the process writes; None when it ends, or says nothing for too long."""
        assert self._process is not None
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        while b"\n" not in self._pending:
            ready, _, _ = select.select([stream], [], [], timeout_s)
            if not ready:
                return None
            chunk = os.read(stream, 65536)
            if not chunk:
                self._process.wait()
                return None
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode("utf-8")


def answer(latex: str, given: list[str]) -> Verdict:
    """Read and decide one line in this process."""
    from grn.maths.deciders.ladder import decide
    from grn.maths.reader.grammar import read_line
    from grn.maths.reader.tokens import UnparsedError
    from grn.maths.reader.words import declare
    from grn.maths.symbols import Symbols

    symbols = Symbols()
    try:
        for line in given:
            declare(line, symbols)
        statement = read_line(latex, symbols)
    except UnparsedError as error:
        return Verdict("unparsed", detail=error.what)
    try:
        return decide(statement, symbols)
    except MemoryError:
        raise
    except Exception as error:
        # SymPy raises what it likes; a decider that fails has decided nothing.
        return Verdict("undecided", detail=f"a decider failed: {type(error).__name__}")


def main() -> None:
    """Answer questions until there are no more."""
    # What is imported now does not count against a step.
    importlib.import_module("grn.maths.deciders.ladder")

    limit = int(sys.argv[1]) * 2**20
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 a file of the kernel
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + limit, held + limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(3000)
    sys.stdout.write(f"{_READY}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        question = json.loads(line)
        began = time.process_time()
        verdict = answer(question["latex"], question["given"])
        told = {**asdict(verdict), "cpu_s": time.process_time() - began}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
