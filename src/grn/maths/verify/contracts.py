"""What a function promises: where its arguments range, what must hold before, what holds after."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from grn.maths.deciders.domain import Range
from grn.maths.document.insert import names_of, parse
from grn.maths.implement.accuracy import FAR, NEAR, tie_sources
from grn.maths.implement.function import Function, write_original
from grn.maths.implement.results import Derivation, Form, identifier
from grn.maths.verdict import BeyondError

_LINE = re.compile(r"^\s*(pre|post)\s*:\s*(\S.*?)\s*$", re.MULTILINE)
_KINDS = ("float", "int", "bool")


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument and where it is drawn from; infinities and NaN never are.

    Attributes
    ----------
    low, high
        None where nothing bounds it.
    nonzero
        Whether 0 is left out.
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    nonzero: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """A function's promise.

    Attributes
    ----------
    pre, post
        Conditions in Python: on the arguments, and on the value, which is ``_``.
    finite
        Whether the value has to be a finite number.
    raises
        Exceptions that the docstring announces: they are no failure.
    twin
        The formula as a function of scalars with ``mp`` for its functions; empty where the function itself is
        one of scalars.
    step
        The step whose form is computed; 0 without a derivation.
    """

    function: str
    parameters: tuple[Parameter, ...]
    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    finite: bool = True
    raises: tuple[str, ...] = ()
    twin: str = ""
    step: int = 0

    def data(self) -> dict[str, Any]:
        """For the process that searches."""
        return asdict(self)


def from_docstrings(source: bytes) -> tuple[list[Contract], list[tuple[str, str]]]:
    """Contracts that functions of scalars have in their docstrings: lines ``pre:`` and ``post:`` (PEP 316).

    Returns
    -------
    list of Contract, list of name and reason
        Functions that promise something, and those that promise something that cannot be verified.
    """
    found, left = [], []
    for name, node in names_of(parse(source)):
        if not isinstance(node, ast.FunctionDef) or "." in name or "#" in name:
            continue
        text = ast.get_docstring(node) or ""
        said: dict[str, list[str]] = {"pre": [], "post": []}
        for match in _LINE.finditer(text):
            said[match[1]].append(match[2])
        if not said["post"]:
            continue
        why = _fault(node, [*said["pre"], *said["post"]])
        if why:
            left.append((name, why))
            continue
        returns = ast.unparse(node.returns) if node.returns else ""
        found.append(
            Contract(
                name,
                tuple(Parameter(arg.arg, ast.unparse(arg.annotation or arg)) for arg in node.args.args),
                tuple(said["pre"]),
                tuple(said["post"]),
                finite=returns == "float",
                raises=tuple(_raised(text)),
            )
        )
    return found, left


def _fault(node: ast.FunctionDef, conditions: list[str]) -> str:
    """Why a function's promise cannot be verified."""
    args = node.args
    if args.posonlyargs or args.kwonlyargs or args.vararg or args.kwarg:
        return "it takes more than plain arguments"
    for arg in args.args:
        if arg.annotation is None or ast.unparse(arg.annotation) not in _KINDS:
            return f"{arg.arg} is none of {', '.join(_KINDS)}"
    for condition in conditions:
        try:
            ast.parse(condition, mode="eval")
        except SyntaxError:
            return f"this is no condition: {condition}"
    return ""


def _raised(text: str) -> Iterator[str]:
    """Exceptions of a docstring in NumPy style."""
    _, found, section = text.partition("\nRaises\n------\n")
    if found:
        for line in section.split("\n\n")[0].splitlines():
            if line and not line[0].isspace() and line.strip().isidentifier():
                yield line.strip()


def from_derivation(
    trace: Mapping[str, Any], derivation: Derivation
) -> tuple[list[Contract], list[tuple[str, str]]]:
    """Contracts of the functions that were written from a derivation: real and finite in the declared domain.

    A name without bounds is taken between 10⁻⁹ and 16, as everywhere that code is held to its formula.
    """
    found, left = [], []
    for row in trace["functions"]:
        key = row["of"]
        keys = derivation.arguments(key)
        matrices = [name for name in keys if derivation.symbols.is_matrix(name)]
        if matrices:
            left.append((row["name"], f"{matrices[0]} is a matrix"))
            continue
        parameters = tuple(_parameter(identifier(name), derivation.range(name)) for name in keys)
        try:
            twin = "\n".join(_twins(row["name"], trace["functions"], derivation))
        except BeyondError as error:
            left.append((row["name"], str(error)))
            continue
        pre = tuple(tie_sources(derivation, keys))
        found.append(Contract(row["name"], parameters, pre, twin=twin, step=row["step"]))
    return found, left


def form_of(key: str, step: int, derivation: Derivation) -> Form:
    """The form of a result that a step gives; its first one where none does."""
    forms = derivation.results[key].forms
    return next((form for form in forms if form.step.number == step), forms[0])


def _twins(name: str, rows: Sequence[Mapping[str, Any]], derivation: Derivation) -> Iterator[str]:
    """The formula of a function, and of all that it may use: those before it."""
    names = {row["of"]: row["name"] for row in rows}
    for row in rows:
        key, form = row["of"], form_of(row["of"], row["step"], derivation)
        one = Function(key, row["name"], derivation.arguments(key), form, form.tree)
        yield write_original(one, derivation, names)
        if row["name"] == name:
            return


def _parameter(name: str, spot: Range) -> Parameter:
    """Where an argument is drawn from."""
    low = None if spot.low is None else float(spot.low)
    high = None if spot.high is None else float(spot.high)
    if spot.whole:
        first = -6.0 if low is None else float(int(low) + (1 if spot.low_open else 0))
        last = first + 12.0 if high is None else float(int(high) - (1 if spot.high_open else 0))
        return Parameter(name, "int", first, last, spot.nonzero)
    width = FAR if low is None or high is None else high - low
    if low is None:
        low = -FAR if high is None else high - FAR
    elif spot.low_open:
        low += NEAR * max(1.0, abs(low)) if low else min(NEAR, width / 4)
    if high is None:
        high = FAR if spot.low is None else float(spot.low) + FAR
    elif spot.high_open:
        high -= min(NEAR * max(1.0, abs(high)), width / 4)
    return Parameter(name, "float", low, high, spot.nonzero)
