"""Strategy files: ordinary Python files that define a strategy, run by path from the command line.

A file defines `strategy` (a :class:`Strategy`; or exactly one under any name) and may define `data` (a
sample name, a path beside the file, a Polars frame, or a function that returns one) and the rules `costs`,
`fill`, `size`, `cash`.  The command line's options win over the file's.  As with ``python FILE``, modules
beside the file can be imported; what the file prints goes to stderr, because stdout is for data.
"""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from grn.kit.errors import GrnError, StrategyError, UsageError
from grn.quant.strategy.advice import explain
from grn.quant.strategy.expr import Expr
from grn.quant.strategy.rules import Rules, merge_rules
from grn.quant.strategy.weights import AnyStrategy

RULES = tuple(f.name for f in fields(Rules))
"""Rules that a file may name alone, beside or in place of `rules`."""


@dataclass(frozen=True)
class StrategyFile:
    """What a strategy file defines; `data` is None when the file leaves it open."""

    path: Path
    strategy: AnyStrategy
    data: Any
    rules: Rules


def load_strategy_file(path: str | Path) -> StrategyFile:
    """Run a strategy file and read its definitions.

    Raises
    ------
    UsageError
        There is no such file, or one of its rules is none.
    StrategyError
        It raises, or does not define exactly one strategy.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(
            "no such strategy file",
            seen=str(path),
            hint="give the path of a Python file, such as examples/ma_cross.py",
        )
    if file.suffix != ".py":
        raise UsageError("a strategy file is a Python file", seen=str(path), hint="its name ends in .py")
    full = str(file.resolve())
    module = ModuleType(f"grn_strategy_{file.stem}")
    module.__file__ = full
    sys.modules[module.__name__] = module
    with _as_a_script(file):
        with _explained("the strategy file raised an error", path, full):
            # Not through the import system: it would leave bytecode beside the file, and trust it for an edit
            # of the same length in the same second.
            exec(compile(file.read_bytes(), full, "exec", dont_inherit=True), vars(module))  # noqa: S102  # the user's own code
        data = vars(module).get("data")
        if callable(data):
            with _explained("data() of the strategy file raised an error", path, full):
                data = data()
    if isinstance(data, str | Path) and (file.parent / data).is_file():
        data = file.parent / data
    given = {k: vars(module)[k] for k in RULES if k in vars(module)}
    with _explained("the rules of the strategy file raised an error", path, full):
        rules = merge_rules(vars(module).get("rules"), **given)
    return StrategyFile(file, _only_strategy(vars(module), file), data, rules)


@contextlib.contextmanager
def _as_a_script(file: Path) -> Iterator[None]:
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(ValueError):  # the file may have edited the path itself
            sys.path.remove(folder)


@contextlib.contextmanager
def _explained(what: str, path: str | Path, full: str) -> Iterator[None]:
    """Raise what the user's code raises as our own error, with the line of the file."""
    try:
        yield
    except GrnError as error:
        error.hint = "; ".join(filter(None, [error.hint, _where(error, path, full)]))
        raise
    except (Exception, SystemExit) as error:
        raise StrategyError(
            what,
            seen=f"{_where(error, path, full)}: {type(error).__name__}: {_said(error)}",
            hint=_advice(error) or "run it with python to see the traceback",
        ) from error


def _said(error: BaseException) -> str:
    """What the error says, without the advice of ours and without the folder that a package lies in."""
    if isinstance(error, AttributeError) and isinstance(error.obj, Expr):
        return str(error).partition("; ")[0]
    return re.sub(r" \(.*[/\\].*\)$", "", str(error)) if isinstance(error, ImportError) else str(error)


def _advice(error: BaseException) -> str:
    if isinstance(error, AttributeError) and isinstance(error.obj, Expr):
        return str(error).partition("; ")[2]
    return explain(error)


def _where(error: BaseException, path: str | Path, full: str) -> str:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == full]
    if isinstance(error, SyntaxError) and error.filename == full:
        lines.append(error.lineno)
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _only_strategy(found: Mapping[str, Any], file: Path) -> AnyStrategy:
    named = found.get("strategy")
    if isinstance(named, AnyStrategy):
        chosen = named
    else:
        every = {id(v): k for k, v in reversed(list(found.items())) if isinstance(v, AnyStrategy)}
        if len(every) != 1:
            names = ", ".join(reversed(list(every.values())))
            raise StrategyError(
                "a strategy file defines one strategy",
                seen=f"{len(every)} in {file}" + (f": {names}" if names else ""),
                hint="name it `strategy`",
            )
        chosen = next(v for v in found.values() if isinstance(v, AnyStrategy))
    # Absent sides were filled in at construction; the direction is passed on as it was resolved.
    return replace(chosen, name=file.stem) if chosen.name in ("strategy", "portfolio") else chosen
