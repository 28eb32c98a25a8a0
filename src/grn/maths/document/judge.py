"""Which docstrings are kept: those that hold against signature, examples, markup and derivation."""

from __future__ import annotations

import ast
import builtins
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from grn.kit.errors import UsageError
from grn.kit.files import sha256_hex
from grn.maths.document.insert import MODULE, insert, names_of, parse, plain
from grn.maths.document.proposals import Proposal
from grn.maths.document.signature import faults
from grn.maths.document.steps import Steps
from grn.maths.jailed import ask_in_jail

LARGEST = 20_000
"""Characters of a docstring."""

EXAMPLE_S = 10
"""Seconds that the examples of one docstring may take, of clock and of processor."""

TIME_S = 120.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one proposal, and why.

    Attributes
    ----------
    steps
        Steps of the derivation that its displayed equations are.
    sha256
        Of the proposed text.
    """

    name: str
    source: str
    accepted: bool
    reason: str
    sha256: str
    steps: tuple[int, ...] = ()


@dataclass(slots=True)
class Documented:
    """A module with its docstrings.

    Attributes
    ----------
    source
        The module with what was kept.
    found
        What is wrong with docstrings that nobody proposed to replace, by name.
    """

    source: bytes
    receipts: list[Receipt] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)


def judge(
    module: Path,
    proposals: Sequence[Proposal],
    steps: Steps,
    seen: Callable[[Receipt], None] = lambda _: None,
) -> Documented:
    """Judge proposals; of several for one name, the first that holds is kept.

    Raises
    ------
    UsageError
        The module does not parse, cannot be imported in the jail, or its page warns of what is no docstring.
    MissingError
        There is no jail here.
    """
    original = module.read_bytes()
    made = Documented(original)
    waiting = list(proposals)
    while True:
        candidates, waiting = _next(made, waiting)
        if not candidates:
            return made
        held = {}
        for one in candidates:
            reason = _read(original, one)
            if reason:
                _reject(made, one, reason, seen)
            else:
                held[one.name] = one
        told = _run(module.stem, original, made, held, steps) if held or not made.kept else {}
        for name, one in held.items():
            if told.get(name):
                _reject(made, one, told[name], seen)
            else:
                made.kept[name] = one.text
                met = steps.numbers(name)
                digest = sha256_hex(one.text.encode())
                receipt = Receipt(name, one.source, True, "holds", digest, met)
                made.receipts.append(receipt)
                seen(receipt)
        made.source = insert(original, made.kept)
        made.found = {name: why for name, why in told.items() if name not in held and name not in made.kept}


def _next(made: Documented, waiting: Iterable[Proposal]) -> tuple[list[Proposal], list[Proposal]]:
    """The first proposal for each name that has none yet, and those that wait."""
    chosen: dict[str, Proposal] = {}
    rest = []
    for one in waiting:
        if one.name in made.kept:
            digest = sha256_hex(one.text.encode())
            made.receipts.append(Receipt(one.name, one.source, False, "another one was kept", digest))
        elif one.name in chosen:
            rest.append(one)
        else:
            chosen[one.name] = one
    return list(chosen.values()), rest


def _reject(made: Documented, one: Proposal, reason: str, seen: Callable[[Receipt], None]) -> None:
    receipt = Receipt(one.name, one.source, False, reason, sha256_hex(one.text.encode()))
    made.receipts.append(receipt)
    seen(receipt)


def _read(original: bytes, one: Proposal) -> str:
    """What is wrong with a proposal as a text; nothing is run."""
    if not plain(one.text):
        return "empty"
    if one.name not in _shown(parse(original)):
        return "no function, method or class that Sphinx shows has this name"
    if len(one.text) > LARGEST:
        return f"longer than {LARGEST:,} characters"
    if any(not character.isprintable() and character not in "\n\t" for character in one.text):
        return "a character that cannot be printed"
    try:
        written = insert(original, {one.name: one.text})
    except UsageError as error:
        return str(error)
    return "; ".join(faults(written, one.name))


def _run(
    name: str, original: bytes, made: Documented, held: Mapping[str, Proposal], steps: Steps
) -> dict[str, str]:
    """What examples, markup and equations of a module's docstrings are wrong about, by name."""
    texts = {**made.kept, **{key: one.text for key, one in held.items()}}
    answer = _ask(name, insert(original, texts), steps)
    if "ended" in answer and len(held) > 1:  # by one of them: each alone tells by which
        apart: dict[str, str] = {}
        for key, one in held.items():
            apart |= _run(name, original, made, {key: one}, steps)
        return apart
    if "ended" in answer:
        return dict.fromkeys(held, f"ended by its limit: {answer['ended']}")
    if "fault" in answer:
        raise UsageError("the module cannot be imported in the jail", seen=answer["fault"])
    wrong: dict[str, list[str]] = {}
    for where, told in answer["examples"].items():
        wrong.setdefault(_own(where, name), []).append(f"example: {_last(told)}")
    for place, told in answer["warnings"]:
        _, found, where = place.partition("docstring of ")
        if not found:
            raise UsageError("Sphinx warns of what is no docstring", seen=f"{place} {told}")
        wrong.setdefault(_own(where.split(":")[0], name), []).append(f"markup: {_one_line(told)}")
    for key in texts:
        equations = [latex for where, latex in answer["equations"] if _own(where, name) == key]
        reason = steps.take(key, equations)
        if reason:
            wrong.setdefault(key, []).append(reason)
    return {key: "; ".join(told) for key, told in wrong.items()}


def _ask(name: str, source: bytes, steps: Steps) -> dict[str, Any]:
    question = {
        "module": name,
        "source": source.decode(encoding := tokenize.detect_encoding(BytesIO(source).readline)[0]),
        "encoding": encoding,
        "page": steps.page(),
        "types": _types(parse(source)),
        "example_s": EXAMPLE_S,
    }
    return ask_in_jail(Path(__file__).with_name("inside.py"), question, time_s=TIME_S)


def _types(module: ast.Module) -> list[str]:
    """Names that annotations use: references to them are not the docstring's to explain."""
    found: dict[str, None] = {}
    for node in ast.walk(module):
        written: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            written.append(node.returns)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            written.append(node.annotation)
        for annotation in filter(None, written):
            for part in ast.walk(annotation):
                if isinstance(part, ast.Name | ast.Attribute):
                    found[ast.unparse(part)] = None
    return [name for name in found if not hasattr(builtins, name)]


def _own(where: str, module: str) -> str:
    return MODULE if where == module else where.removeprefix(f"{module}.")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _last(told: str) -> str:
    """What a failed example expected and got, in a line."""
    lines = [line for line in told.splitlines() if line and not set(line) <= set("*")]
    return _one_line(" ".join(lines[1:] or lines))


def _shown(module: ast.Module) -> list[str]:
    """Names that autodoc shows: the module, its classes and functions, and their methods."""
    found = [MODULE]

    def visit(node: ast.Module | ast.ClassDef, path: str) -> None:
        for inner in node.body:
            if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.append(f"{path}{inner.name}")
                if isinstance(inner, ast.ClassDef):
                    visit(inner, f"{path}{inner.name}.")

    visit(module, "")
    return found


def undocumented(source: bytes) -> list[str]:
    """Public names without a docstring; the module under the empty name."""
    module = parse(source)
    nodes = dict(names_of(module))
    return [
        name
        for name in dict.fromkeys(_shown(module))
        if not any(part.startswith("_") for part in name.split("."))
        and ast.get_docstring(nodes[name]) is None
    ]
