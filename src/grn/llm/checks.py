"""What an answer has to pass: a command that succeeds, a JSON Schema, the tests of a tree with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import UsageError, require_extra
from grn.llm.attach import files_below
from grn.llm.keys import mask, without_keys

_TAIL = 4_000  # letters that are kept of what a check said
_FENCED = re.compile(r"\A\s*```[^\n]*\n(?P<inside>.*?)\n?```\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Verdict:
    """Whether an answer passed, and what the check said."""

    passed: bool
    said: str


Check = Callable[[str], Verdict]


def by_command(command: Sequence[str], timeout_s: float = 600.0) -> Check:
    """Check by a command that gets the answer on its stdin: it passes if the command ends with 0.

    Providers' keys are not in its environment.
    """
    return lambda answer: _run(command, answer, Path.cwd(), timeout_s)


def by_suite(command: Sequence[str], root: Path, into: str, timeout_s: float = 600.0) -> Check:
    """Check by a command, such as a test suite, in a copy of a tree with the answer as one of its files.

    **It runs code that a model has written**, on this machine. The fence of a code block around the answer is
    taken off; the tree itself is never touched, and what Git ignores is not copied.

    Raises
    ------
    UsageError
        The file would lie outside of the tree.
    """
    if not (root / into).resolve().is_relative_to(root.resolve()):
        raise UsageError("the answer's file has to lie in the tree", seen=into, hint="--into src/module.py")

    def check(answer: str) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="grn-cascade-") as folder:
            copy = Path(folder)
            for path in files_below(root):
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / path, copy / path)
            (copy / into).parent.mkdir(parents=True, exist_ok=True)
            (copy / into).write_bytes(without_fence(answer).encode("utf-8"))
            return _run(command, "", copy, timeout_s)

    return check


def by_schema(schema: Mapping[str, Any]) -> Check:
    """Check that the answer is JSON that follows a schema; a fence of a code block around it is taken off.

    Raises
    ------
    UsageError
        It is no JSON Schema.
    MissingExtraError
        jsonschema is not installed.
    """
    jsonschema = require_extra("jsonschema", "llm")
    kind = jsonschema.validators.validator_for(schema)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise UsageError("this is no JSON Schema", seen=error.message) from error
    validator = kind(schema)

    def check(answer: str) -> Verdict:
        try:
            read = json.loads(without_fence(answer))
        except ValueError as error:
            return Verdict(False, f"not JSON: {error}")
        faults = sorted(f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(read))
        return Verdict(not faults, "\n".join(faults)[:_TAIL])

    return check


def all_of(checks: Sequence[Check]) -> Check:
    """Check by several, in order; the first that fails decides."""

    def check(answer: str) -> Verdict:
        verdict = Verdict(True, "")
        for one in checks:
            verdict = one(answer)
            if not verdict.passed:
                break
        return verdict

    return check


def without_fence(answer: str) -> str:
    """Take the fence off an answer that is one block of code; any other is left as it is."""
    found = _FENCED.match(answer)
    return f"{found['inside']}\n" if found and "\n```" not in found["inside"] else answer


def _run(command: Sequence[str], told: str, folder: Path, timeout_s: float) -> Verdict:
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env=without_keys(),
            input=told,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(False, f"the check took more than {timeout_s:g} s")
    except OSError as error:
        raise UsageError("the check cannot be run", seen=f"{command[0]}: {error.strerror}") from error
    return Verdict(ran.returncode == 0, mask((ran.stdout + ran.stderr)[-_TAIL:]))
