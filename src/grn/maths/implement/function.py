"""One named result as a function: for NumPy with a docstring, for mpmath as its original."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from grn.maths.deciders.domain import Range
from grn.maths.implement.emit import Emitter, written
from grn.maths.implement.results import Derivation, Form, identifier
from grn.maths.syntax import Tree

_LONGEST = 96
LOST = 2.0**26
"""Units of error at which half of the digits are gone."""


@dataclass(slots=True)
class Function:
    """A result with the code that is written for it.

    Attributes
    ----------
    key, name
        Its name in the document and in Python.
    arguments
        Keys of what it depends on, in the order of its parameters.
    form
        What of the document it computes.
    tree
        What is computed: the form's tree, or a stable way to write it.
    rules
        How `tree` came from the form, and by what it was proved equal.
    error, naive_error
        Largest error over the domain of `tree` and of the form as it is written, in units of what rounding
        the arguments does.
    """

    key: str
    name: str
    arguments: tuple[str, ...]
    form: Form
    tree: Tree
    rules: list[str] = field(default_factory=list)
    error: float = 0.0
    naive_error: float = 0.0

    @property
    def lost(self) -> bool:
        """Whether somewhere in its domain half of its digits are wrong: no property could hold."""
        return not self.error < LOST


class Namer:
    """What results are called in a module, and how one is called from another.

    Parameters
    ----------
    names
        Python's name of every result that is written, by key.
    prefix
        Before each name: ``original_`` for those that mpmath computes.
    """

    def __init__(self, derivation: Derivation, names: dict[str, str], prefix: str = "") -> None:
        self.derivation = derivation
        self.names = names
        self.prefix = prefix
        self.uses: dict[str, int] = {}

    def refer(self, key: str, args: list[ast.expr]) -> ast.expr | None:
        """The call of a result; None for what is no result."""
        result = self.derivation.results.get(key)
        if result is None or key not in self.names or len(args) != len(result.own):
            return None
        others = self.derivation.arguments(key)[len(result.own) :]
        if not result.own:
            self.uses[key] = self.uses.get(key, 0) + 1
        passed = [*args, *(ast.Name(identifier(other)) for other in others)]
        return ast.Call(ast.Name(f"{self.prefix}{self.names[key]}"), passed, [])


def write_original(function: Function, derivation: Derivation, names: dict[str, str]) -> str:
    """The formula as it stands in the document, for mpmath."""
    emitter = Emitter(True, Namer(derivation, names, "original_").refer)
    body = written(emitter.expression(function.form.tree))
    takes = ", ".join(f"{identifier(arg)}: Any" for arg in function.arguments)
    return f"def original_{function.name}({takes}) -> Any:\n    return {body}\n"


def write_function(
    function: Function, derivation: Derivation, names: dict[str, str], *, docstring: bool = True
) -> str:
    """The function for NumPy."""
    counter = Namer(derivation, names)
    Emitter(False, counter.refer).expression(function.tree)
    held = {key: f"{names[key]}_value" for key, uses in counter.uses.items() if uses > 1}
    namer = Namer(derivation, names)

    def refer(key: str, args: list[ast.expr]) -> ast.expr | None:
        return ast.Name(held[key]) if key in held and not args else namer.refer(key, args)

    parameters = [identifier(arg) for arg in function.arguments]
    lines = [_signature(function.name, parameters)]
    if docstring:
        lines += [f"    {line}".rstrip() for line in _docstring(function, derivation)]
    if parameters:
        listed = ", ".join(parameters)
        if len(parameters) == 1:
            lines.append(f"    {listed} = np.asarray({listed}, dtype=np.float64)")
        else:
            lines.append(f"    {listed} = (np.asarray(x, dtype=np.float64) for x in ({listed}))")
    for key, local in held.items():
        lines.append(f"    {local} = {written(namer.refer(key, []) or ast.Name(local))}")
    value = Emitter(False, refer).expression(function.tree)
    lines += _assigned(value)
    return "\n".join([*lines, "    return value"]) + "\n"


def _signature(name: str, parameters: Sequence[str]) -> str:
    takes = ", ".join(f"{parameter}: ArrayLike" for parameter in parameters)
    line = f"def {name}({takes}) -> Array:"
    if len(line) <= _LONGEST:
        return line
    listed = "".join(f"    {parameter}: ArrayLike,\n" for parameter in parameters)
    return f"def {name}(\n{listed}) -> Array:"


def _assigned(value: ast.expr) -> list[str]:
    """The value in one line, or term by term where it is long."""
    line = f"    value: Array = {written(value)}"
    if (
        len(line) <= _LONGEST
        or not isinstance(value, ast.BinOp)
        or not isinstance(value.op, ast.Add | ast.Sub)
    ):
        return [line]
    terms: list[tuple[str, ast.expr]] = []
    rest: ast.expr = value
    while isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.Add | ast.Sub):
        terms.append(("+" if isinstance(rest.op, ast.Add) else "-", rest.right))
        rest = rest.left
    lines = [f"    value: Array = {written(rest)}"]
    return lines + [f"    value = value {sign} {_tight(term)}" for sign, term in reversed(terms)]


def _tight(term: ast.expr) -> str:
    text = written(term)
    loose = isinstance(term, ast.BinOp) and isinstance(term.op, ast.Add | ast.Sub)
    return f"({text})" if loose else text


def _docstring(function: Function, derivation: Derivation) -> list[str]:
    step = function.form.step
    place = f"{derivation.checked.path.name}, step {step.number}"
    latex = step.formula.latex.replace('"""', "'''").replace("&", "").strip()
    what = "definition" if function.form.defined else f"proved by {step.verdict.rule}"
    lines = [f'r"""Compute ``{function.key}``: {place} ({what}).', "", ".. math::", ""]
    lines += [f"    {line.strip()}" for line in latex.splitlines()] + [""]
    for rule in function.rules:
        lines += [f"Computed by another form: {rule}.", ""]
    lines += [_told(function), ""]
    if function.arguments:
        lines += ["Parameters", "----------"]
        for key in function.arguments:
            lines += [f"{identifier(key)}", f"    {describe(key, derivation.range(key))}"]
    lines += ["", "Returns", "-------", "Array", "    Of the shape that the arguments broadcast to.", '"""']
    return lines


def _told(function: Function) -> str:
    text = f"Error at most {function.error:.2g} times what rounding the arguments does"
    if function.rules:
        return f"{text}; as written: {function.naive_error:.2g}."
    return f"{text}."


def describe(key: str, spot: Range) -> str:
    """Where a name ranges, in words."""
    bounds = []
    if spot.low is not None:
        bounds.append(f"{spot.low} {'<' if spot.low_open else '<='} ")
    bounds.append(f"``{key}``")
    if spot.high is not None:
        bounds.append(f" {'<' if spot.high_open else '<='} {spot.high}")
    text = "".join(bounds) if len(bounds) > 1 else "A real number"
    return text + (", whole" if spot.whole else "") + (", not 0" if spot.nonzero else "") + "."
