"""A change to code, proposed by a model and believed only when a check passes on a copy.

The model answers with edits: a piece of a file that occurs in it exactly once, and what takes its place. They
are applied to a copy of the tree, the check runs there, and what comes out is a patch. The tree itself is
never touched.
"""

from __future__ import annotations

import difflib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grn.kit.errors import ProviderError, UsageError
from grn.llm.attach import files_below
from grn.llm.calls import Caller, Terms, answer_text
from grn.llm.keys import without_keys
from grn.llm.request import Message, Request, Text

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "edits": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "file": {"type": "string"},
                    "old": {"type": "string"},
                    "new": {"type": "string"},
                },
                "required": ["file", "old", "new"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["edits"],
    "additionalProperties": False,
}
_RULES = (
    "Change the files as asked. Answer with edits: `old` is a piece of that file, copied exactly and "
    "occurring in it once; `new` takes its place. Edit no other file, and nothing that was not asked for."
)
_TAIL = 4_000


@dataclass(frozen=True)
class Proposal:
    """What came of asking for a change.

    Attributes
    ----------
    patch
        Unified diff that ``git apply`` takes; empty when nothing would change.
    passed
        Whether the check passed on the copy.
    said
        The end of what the check printed, or why the edits could not be applied.
    """

    patch: str
    passed: bool
    said: str


def propose(
    caller: Caller,
    root: Path,
    files: Sequence[Path],
    instruction: str,
    check: Sequence[str],
    *,
    model: str,
    attempts: int = 1,
    max_tokens: int = 16_000,
    check_s: float = 600.0,
    terms: Terms | None = None,
) -> Proposal:
    """Ask for a change and try it on a copy.

    Parameters
    ----------
    root
        The tree that the check needs; copied without what Git ignores.
    files
        Files below it that may change; the model sees these and no others.
    instruction
        What to change.
    check
        Command that has to succeed in the copy, such as ``["pytest", "-q"]``. **It runs code that a model has
        written**, on this machine; providers' keys are not in its environment.
    attempts
        How often the model may try again, told what went wrong.
    check_s
        Seconds after which the check counts as failed.

    Raises
    ------
    UsageError
        A file is not below the root or is no text.
    ProviderError
        The answer is not what was asked for.
    """
    before = {_below(root, file): _read(root, file) for file in files}
    told = "\n\n".join(f"{name}\n```\n{text}\n```" for name, text in before.items())
    words = Message("user", (Text(told), Text(f"{_RULES}\n\n{instruction}")))
    ask = Request(model, (words,), max_tokens=max_tokens, schema=SCHEMA)
    found = Proposal("", False, "")
    for _ in range(attempts):
        answer = answer_text(list(caller.stream(ask, terms)))
        found = _try(root, before, answer, check, check_s)
        if found.passed:
            break
        again = Message("user", (Text(f"That failed:\n\n{found.said}\n\nAnswer with all edits anew."),))
        ask = replace(ask, messages=(*ask.messages, Message("assistant", (Text(answer),)), again))
    return found


def apply_edits(before: Mapping[str, str], answer: str) -> dict[str, str]:
    """Apply a model's edits to texts, by name.

    Raises
    ------
    ProviderError
        The answer is not JSON of that form, or an edit does not fit: another file, a piece that is not there
        or more than once.
    """
    after = dict(before)
    try:
        edits = [(edit["file"], edit["old"], edit["new"]) for edit in json.loads(answer)["edits"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderError(
            "the model did not answer with edits", seen=answer[:80], hint="try again"
        ) from error
    for name, old, new in edits:
        if name not in after:
            raise ProviderError("the model edits a file that it was not given", seen=name)
        times = after[name].count(old) if old else 0
        if times != 1:
            raise ProviderError(f"a piece to replace occurs {times} times in {name}, not once", seen=old[:80])
        after[name] = after[name].replace(old, new)
    return after


def patch_of(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Write what differs as a patch, file by file."""
    parts = []
    for name in before:
        lines = difflib.unified_diff(
            before[name].splitlines(keepends=True),
            after[name].splitlines(keepends=True),
            f"a/{name}",
            f"b/{name}",
        )
        for line in lines:
            parts.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(parts)


def _try(root: Path, before: dict[str, str], answer: str, check: Sequence[str], check_s: float) -> Proposal:
    try:
        after = apply_edits(before, answer)
    except ProviderError as error:
        return Proposal("", False, str(error))
    patch = patch_of(before, after)
    with tempfile.TemporaryDirectory(prefix="grn-refactor-") as folder:
        copy = Path(folder)
        for path in files_below(root):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, copy / path)
        for name, text in after.items():
            (copy / name).write_bytes(text.encode("utf-8"))
        try:
            ran = subprocess.run(
                check,
                cwd=copy,
                env=without_keys(),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=check_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Proposal(patch, False, f"the check took more than {check_s:g} s")
        except OSError as error:
            raise UsageError("the check cannot be run", seen=f"{check[0]}: {error.strerror}") from error
    return Proposal(patch, ran.returncode == 0, (ran.stdout + ran.stderr)[-_TAIL:])


def _below(root: Path, file: Path) -> str:
    try:
        return file.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        raise UsageError(
            "the file is not below the root", seen=str(file), hint=f"--root {file.parent}"
        ) from None


def _read(root: Path, file: Path) -> str:
    try:
        return (root.resolve() / _below(root, file)).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the file cannot be read as text", seen=f"{file}: {error}") from error
