"""The program in the jail: runs proposed tests, each in processes of its own; run by its path.

It reads questions and writes answers, a line of JSON each. It is the first process of its jail, so that no
signal of a test ends it; it never imports what is proposed. A question names the subject's source, a test and
mutants; the answer says whether the test collects and passes in every order, what it runs of the subject, and
which mutants it fails on.
"""

from __future__ import annotations
import __future__

import contextlib
import gc
import importlib
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

BOX = Path("/box")
_LARGEST_ANSWER = 4 * 2**20


def main() -> None:
    """Answer questions until there are no more."""
    answers = os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    for name in ("coverage", "hypothesis", "mpmath", "numpy", "numpy.testing", "pytest", "scipy.special"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    os.write(answers, b'{"ready": true}\n')
    for line in sys.stdin:
        question = json.loads(line)
        answer = in_a_child(partial(_judge, question), question["time_s"], question["cpu_s"])
        _sweep()
        os.write(answers, json.dumps(answer).encode() + b"\n")


def in_a_child(work: Callable[[], dict[str, Any]], time_s: float, cpu_s: int | None = None) -> dict[str, Any]:
    """What a function says in a process of its own, or how that process ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        code = 1
        try:
            if cpu_s is not None:
                resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
            told = json.dumps(work()).encode()
            sent = 0
            while sent < len(told):
                sent += os.write(writing, told[sent:])
            code = 0
        except MemoryError:
            code = 3
        finally:
            os._exit(code)
    os.close(writing)
    text, late = _read(reading, os.pidfd_open(child), time.monotonic() + time_s)
    os.close(reading)
    if late:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if late or code == -signal.SIGXCPU:
        return {"ended": "time"}
    if code == 3:
        return {"ended": "memory"}
    try:
        return dict(json.loads(text)) if code == 0 else {"ended": f"status {code}"}
    except (ValueError, TypeError):
        return {"ended": "no answer"}


def _read(reading: int, child: int, deadline: float) -> tuple[bytes, bool]:
    """All that a child writes until it closes the pipe or ends, and whether that took too long."""
    text, late = b"", True
    while len(text) < _LARGEST_ANSWER:
        # The child too: what it has started may hold the pipe open for ever.
        ready, _, _ = select.select([reading, child], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(reading, 65536) if reading in ready else b""
        if not chunk:
            late = not ready
            break
        text += chunk
    os.close(child)
    return text, late


def _sweep() -> None:
    """End whatever a test has left running, and remove what it wrote."""
    for _ in range(3):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    for place in (BOX, Path("/tmp")):  # the jail's own
        for path in place.iterdir():
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _judge(question: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own: load subject and test, run the test in several orders, then on mutants."""
    import pytest

    os.setsid()
    sys.dont_write_bytecode = True
    subject_file = BOX / f"{question['module']}.py"
    subject_file.write_text(question["source"], encoding="utf-8")
    test_file = BOX / "test_proposed.py"
    test_file.write_text(question["test"], encoding="utf-8")
    sys.path.insert(0, str(BOX))
    plan = _Plan(question, str(subject_file))
    options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:faulthandler"]
    status = pytest.main([*options, "--rootdir", str(BOX), "-c", "/dev/null", str(test_file)], plugins=[plan])
    if not plan.answer["collected"] and not plan.answer["fault"]:
        plan.answer["fault"] = f"pytest ended with {status!r}"
    return plan.answer


class _Plan:
    """A plugin that runs the items that were collected as often as is asked."""

    def __init__(self, question: dict[str, Any], subject_file: str) -> None:
        self.question = question
        self.subject_file = subject_file
        self.answer: dict[str, Any] = {"collected": 0, "fault": "", "runs": [], "killed": [], "arcs": []}

    def pytest_collectreport(self, report: Any) -> None:
        """Keep why a file was not collected."""
        if report.failed:
            self.answer["fault"] = str(report.longrepr)[-600:]

    def pytest_runtestloop(self, session: Any) -> bool:
        """Run the items; True: nothing is left for pytest to do."""
        self.answer["collected"] = len(session.items)
        if not session.items or self.answer["fault"]:
            return True
        limit = self.question["run_s"]
        for run in range(self.question["runs"]):
            told = in_a_child(partial(self._run, session.items, run, covered=run == 0), limit)
            self.answer["runs"].append(told.get("failed", told.get("ended")))
            if self.answer["runs"][-1] != "":
                return True
            if run == 0:
                self.answer["arcs"], self.answer["exits"] = told["arcs"], told["exits"]
        ran = {line for arc in self.answer["arcs"] for line in arc}
        for number, name, first, last, source in self.question["mutants"]:
            if not any(first <= line <= last for line in ran):
                continue
            told = in_a_child(partial(self._mutated, session.items, name, source), limit)
            if told.get("failed") != "":
                self.answer["killed"].append(number)
        return True

    def _mutated(self, items: list[Any], name: str, source: str) -> dict[str, Any]:
        """Run the items on a mutant: the code of one function is another one, whoever holds the function."""
        subject = sys.modules[self.question["module"]]
        room = dict(vars(subject))
        flags = __future__.annotations.compiler_flag
        code = compile(source, self.subject_file, "exec", flags, dont_inherit=True)
        exec(code, room)  # noqa: S102 a mutant is there to be run, and here is the place for it
        function: Any = subject
        for part in name.split("."):
            function = getattr(function, part)
        mutant = room[name.rsplit(".", 1)[-1]]
        function.__code__, function.__defaults__ = mutant.__code__, mutant.__defaults__
        return self._run(items, 0)

    def _run(self, items: list[Any], run: int, *, covered: bool = False) -> dict[str, Any]:
        """Run the items in an order of this run; the first failure, or an empty text."""
        from _pytest.runner import runtestprotocol

        random.seed(run)
        ordered = list(items)
        random.shuffle(ordered)
        random.seed(self.question["seed"] + run)
        watch = _watch(self.subject_file) if covered else None
        failed = ""
        for item in ordered:
            reports = runtestprotocol(item, log=False, nextitem=None)
            bad = [report for report in reports if report.outcome != "passed"]
            if bad:
                failed = f"{bad[0].outcome}: {str(bad[0].longrepr)[-600:]}"
                break
        if watch is None:
            return {"failed": failed}
        watch.stop()
        arcs = watch.get_data().arcs(self.subject_file) or []
        exits = {str(line): total for line, (total, _) in watch.branch_stats(self.subject_file).items()}
        return {"failed": failed, "arcs": sorted([abs(a), abs(b)] for a, b in arcs), "exits": exits}


def _watch(subject_file: str) -> Any:
    import coverage

    watch = coverage.Coverage(branch=True, include=[subject_file], data_file=None, config_file=False)
    watch.start()
    return watch


if __name__ == "__main__":
    main()
