"""A document checked: every claim with its verdict, under what the document assumed before it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from grn.kit.canonical import canonical_json
from grn.kit.files import sha256_hex, write_atomic
from grn.kit.versions import grn_version, package_version
from grn.maths.documents import Document, Formula
from grn.maths.plain import print_statement, print_tree
from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.reader.words import declare, take_statement
from grn.maths.symbols import Symbols
from grn.maths.syntax import Index, Name, Relation, Statement, Tree, sides, walk
from grn.maths.verdict import KINDS, Verdict
from grn.maths.worker import Worker

DECIDERS = ("sympy", "mpmath", "python-flint", "z3-solver")
"""Packages whose versions are part of a step's identity: another version may decide otherwise."""


@dataclass(frozen=True, slots=True)
class Step:
    """A formula of a document with its verdict.

    Attributes
    ----------
    number
        From 1, in the order of the document.
    printed
        The formula as it was read, every grouping visible; empty where it was not read.
    span
        Of an unparsed formula: where reading stopped, in characters of ``formula.latex``.
    hint
        Of an unparsed formula: what to write instead.
    given
        Assumptions that the verdict rests on: all that the document made before.
    """

    number: int
    formula: Formula
    printed: str
    verdict: Verdict
    span: tuple[int, int] | None = None
    hint: str = ""
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A document's steps in order."""

    path: Path
    steps: tuple[Step, ...]

    def counts(self) -> dict[str, int]:
        """Number of steps by verdict, kinds without one left out."""
        counted = Counter(step.verdict.kind for step in self.steps)
        return {kind: counted[kind] for kind in KINDS if counted[kind]}

    @property
    def refuted(self) -> bool:
        """Whether a step is wrong."""
        return any(step.verdict.kind == "refuted" for step in self.steps)


def check_document(
    document: Document,
    worker: Worker,
    *,
    cache: Path | None = None,
    seen: Callable[[Step], None] | None = None,
) -> Checked:
    """Check every formula of a document.

    Parameters
    ----------
    document
        What was read from a file.
    worker
        Decides; it is used for one step after the other.
    cache
        Folder of verdicts by step; None keeps none. A ``timeout`` is never kept.
    seen
        Called with each step as soon as its verdict is there.
    """
    symbols = Symbols()
    met: set[str] = set()
    given: list[str] = []
    steps: list[Step] = []
    for formula in document.formulas():
        step = _check(formula, len(steps) + 1, symbols, met, tuple(given), worker, cache)
        if step.verdict.kind == "assumed":
            given.append(formula.latex)
        steps.append(step)
        if seen is not None:
            seen(step)
    return Checked(document.path, tuple(steps))


def _check(
    formula: Formula,
    number: int,
    symbols: Symbols,
    met: set[str],
    given: tuple[str, ...],
    worker: Worker,
    cache: Path | None,
) -> Step:
    """Check one formula; `met` takes the names that the document has used so far."""
    try:
        if formula.assumed or ":=" in formula.latex:
            declare(formula.latex, symbols)
            met |= _declared(symbols)
            why = "the document says so" if formula.assumed else "a definition"
            return Step(number, formula, formula.latex, Verdict("assumed", why))
        statement = read_line(formula.latex, symbols)
        new = _defined(statement, met)
        met |= {name for side in sides(statement) for name in _names(side)}
        if new:
            declare(formula.latex, symbols)
            verdict = Verdict("assumed", f"a definition: {new} is new here")
            return Step(number, formula, print_statement(statement), verdict)
    except UnparsedError as error:
        verdict = Verdict("unparsed", detail=error.what)
        return Step(number, formula, "", verdict, (error.start, error.end), error.hint or "", given)
    verdict = _decide(formula.latex, given, worker, cache)
    if verdict.kind == "assumed":
        take_statement(statement, symbols)
    return Step(number, formula, print_statement(statement), verdict, None, "", given)


def _declared(symbols: Symbols) -> set[str]:
    """Names that are assumed something about."""
    related = {name for one in symbols.assumed for name in _names(one.left) | _names(one.right)}
    return related | symbols.kinds.keys() | {name for word in symbols.words for name in word[1:]}


def _defined(statement: Statement, met: set[str]) -> str:
    """The name that an equation gives a meaning to: alone on its left, and met nowhere before; else nothing.

    About a name of which nothing is known an equation cannot be a claim: it would be wrong for almost every
    value.
    """
    match statement:
        case Relation("Eq", (Name() | Index()) as left, right):
            name = print_tree(left)
            return "" if name in met | _names(right) else name
    return ""


def _names(tree: Tree) -> set[str]:
    """Names in a tree as they are printed, with their subscripts: ``d_1`` and ``d_2`` are two."""
    return {print_tree(part) for part in walk(tree) if isinstance(part, Name | Index)}


def _decide(latex: str, given: tuple[str, ...], worker: Worker, cache: Path | None) -> Verdict:
    if cache is None:
        return worker.decide(latex, given)
    place = cache / f"{step_key(latex, given)}.json"
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        return Verdict(kept["kind"], kept["rule"], kept["detail"], tuple(kept["needs"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or damaged: decided anew
    verdict = worker.decide(latex, given)
    if verdict.kind != "timeout":
        write_atomic(place, canonical_json(asdict(verdict)), make_parents=True)
    return verdict


def step_key(latex: str, given: tuple[str, ...]) -> str:
    """The identity of a step: its text, what is given, and the versions of what decides."""
    versions = {name: package_version(name) for name in DECIDERS} | {"grn": grn_version()}
    return sha256_hex(canonical_json({"latex": latex, "given": list(given), "versions": versions}))
