"""A jail from outside: started, asked, ended; refused where the kernel gives none."""

from __future__ import annotations

import json
import os
import select
import shutil
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from grn.kit.errors import MissingError
from grn.maths.gate.jail import REFUSED

MEMORY_MIB = 1536
"""Address space of each process; NumPy, SciPy and pytest map about a third of it."""

PROCESSES = 24
TIME_S = 60.0
"""Wall clock for all that is done with one test."""

RUN_S = 10.0
"""Wall clock for one run of a test."""

CPU_S = 60

_HERE = Path(__file__).parent
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/sbin", "/etc/ld.so.cache")


class Sandbox:
    """A process that runs proposed tests where they can do no harm; a context manager.

    It has namespaces of its own (mounts, network, processes), a read-only system, no home, no network, 16 MiB
    of files in memory, and limits of memory, processes and time. Where it ends, the next question
    starts a new one.

    Raises
    ------
    MissingError
        The kernel gives no namespaces to this user: nothing is run then.
    """

    def __init__(self, memory_mib: int = MEMORY_MIB) -> None:
        self.memory_mib = memory_mib
        self._process: subprocess.Popen[bytes] | None = None
        self._root: Path | None = None
        self._pending = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask about one test; ``{"ended": why}`` where it took the jail with it."""
        process = self._started()
        assert process.stdin is not None
        limits = {"time_s": TIME_S, "run_s": RUN_S, "cpu_s": CPU_S, "seed": 0}
        try:
            process.stdin.write(json.dumps({**limits, **question}).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self.end()
            return {"ended": "the sandbox"}
        line = self._line(float(question.get("time_s", TIME_S)) + 30)
        if line is None:
            self.end()
            return {"ended": "the sandbox"}
        return dict(json.loads(line))

    def end(self) -> None:
        """End the jail and all that is in it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._pending = b""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.end()
        self._root = Path(tempfile.mkdtemp(prefix="grn-jail-"))
        plan = {
            "root": str(self._root),
            "bind": mounts(),
            "program": str(_HERE / "inside.py"),
            "python": sys.executable,
            "memory_mib": self.memory_mib,
            "processes": PROCESSES,
            "user": os.getpid(),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_HERE / "jail.py"), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if self._line(60.0) != b'{"ready": true}':
            process = self._process
            process.kill()
            said = process.communicate()[1].decode(errors="replace").strip()
            self.end()
            why = said if process.returncode == REFUSED else f"status {process.returncode}: {said[-150:]}"
            raise MissingError(
                "there is no sandbox here, and tests that nobody has read run in nothing else",
                seen=why,
                hint="it takes Linux 5.12 that gives namespaces to this user, or root that may mount",
            )
        return self._process

    def _line(self, timeout_s: float) -> bytes | None:
        assert self._process is not None
        assert self._process.stdout is not None
        stream, deadline = self._process.stdout.fileno(), time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(stream, 65536) if ready else b""
            if not chunk:
                return None
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line


def mounts() -> list[str]:
    """What of the system the jail sees, read-only: programs, libraries, Python and its packages."""
    found: dict[str, None] = {}
    wanted = [*_SYSTEM, sys.base_prefix, sys.prefix, *site.getsitepackages()]
    for name in wanted:
        inside_another = any(
            Path(name).is_relative_to(other) for other in found if not Path(other).is_symlink()
        )
        if Path(name).exists() and not inside_another:
            found[name] = None
    return list(found)
