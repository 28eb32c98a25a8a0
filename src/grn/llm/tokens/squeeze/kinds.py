"""Kinds of output: how each is told, and which of its lines bear a load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grn.llm.tokens.squeeze import compilers, installers, linters, logs, suites, tables, traces, versions


@dataclass(frozen=True)
class Kind:
    """A kind of output.

    Attributes
    ----------
    name
        As in ``--kind``.
    tells
        Whether lines are of it.
    keep
        Which lines are kept; blank ones among them go where many follow each other.
    """

    name: str
    tells: Callable[[Sequence[str]], bool]
    keep: Callable[[Sequence[str]], list[bool]]


def _every(lines: Sequence[str]) -> list[bool]:
    return [True] * len(lines)


JSON = Kind("json", lambda _: False, _every)
"""Told by its first letter and by parsing, not by lines; nothing of it is left out."""
TEXT = Kind("text", lambda _: True, _every)

KINDS = (
    # In order of how sure the sign is: a log may hold a traceback, a test's failure an error of the compiler.
    Kind("pytest", suites.is_pytest, suites.keep_tests),
    Kind("diff", versions.is_diff, versions.keep_diff),
    Kind("git-log", versions.is_history, versions.keep_history),
    Kind("ruff", linters.is_ruff, linters.keep_ruff),
    Kind("mypy", linters.is_mypy, linters.keep_mypy),
    Kind("log", logs.is_log, logs.keep_log),
    Kind("traceback", traces.is_trace, traces.keep_traces),
    Kind("compiler", compilers.is_compiler, compilers.keep_compiler),
    Kind("pip", installers.is_installer, installers.keep_installer),
    Kind("csv", tables.is_table, tables.keep_table),
    JSON,
    TEXT,
)

NAMES = tuple(kind.name for kind in KINDS)


def kind_of(lines: Sequence[str]) -> Kind:
    """Find the kind of lines. A history is looked for before the diffs that it may hold."""
    if versions.is_history(lines):
        return named("git-log")
    return next(kind for kind in KINDS if kind.tells(lines))


def named(name: str) -> Kind:
    """Give the kind of that name."""
    return next(kind for kind in KINDS if kind.name == name)
