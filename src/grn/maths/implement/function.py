"""One named result as a function: for NumPy with a docstring, for mpmath as its original."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from grn.maths.deciders.domain import Range
from grn.maths.implement.arrays import emitter_for
from grn.maths.implement.emit import written
from grn.maths.implement.results import Derivation, Form, identifier
from grn.maths.sizes import NUMBER
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
        passed: list[ast.expr] = [*args, *(ast.Name(identifier(other)) for other in others)]
        return ast.Call(ast.Name(f"{self.prefix}{self.names[key]}"), passed, [])


def write_original(function: Function, derivation: Derivation, names: dict[str, str]) -> str:
    """The formula as it stands in the document, for mpmath."""
    refer = Namer(derivation, names, "original_").refer
    emitter = emitter_for(derivation, function.arguments, True, refer)
    body = written(emitter.expression(function.form.tree))
    takes = ", ".join(f"{identifier(arg)}: Any" for arg in function.arguments)
    return f"def original_{function.name}({takes}) -> Any:\n    return {body}\n"


def write_function(
    function: Function, derivation: Derivation, names: dict[str, str], *, docstring: bool = True
) -> str:
    """The function for NumPy."""
    counter = Namer(derivation, names)
    emitter_for(derivation, function.arguments, False, counter.refer).expression(function.tree)
    held = {key: f"{names[key]}_value" for key, uses in counter.uses.items() if uses > 1}
    namer = Namer(derivation, names)

    def refer(key: str, args: list[ast.expr]) -> ast.expr | None:
        return ast.Name(held[key]) if key in held and not args else namer.refer(key, args)

    kinds = {identifier(key): annotation(key, derivation) for key in function.arguments}
    parameters = [identifier(key) for key in function.arguments if key not in derivation.callables]
    lines = [_signature(function.name, kinds)]
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
    value = emitter_for(derivation, function.arguments, False, refer).expression(function.tree)
    lines += _assigned(value)
    return "\n".join([*lines, "    return value"]) + "\n"


def annotation(key: str, derivation: Derivation) -> str:
    """The type of an argument: what becomes an array, or a function of arrays."""
    count = derivation.callables.get(key)
    return "ArrayLike" if count is None else f"Callable[[{', '.join(['Array'] * count)}], Array]"


def _signature(name: str, parameters: Mapping[str, str]) -> str:
    takes = ", ".join(f"{parameter}: {kind}" for parameter, kind in parameters.items())
    line = f"def {name}({takes}) -> Array:"
    if len(line) <= _LONGEST:
        return line
    listed = "".join(f"    {parameter}: {kind},\n" for parameter, kind in parameters.items())
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
            lines += [f"{identifier(key)}", f"    {_described(key, derivation)}"]
    lines += ["", "Returns", "-------", "Array", f"    {_returned(function, derivation)}", '"""']
    return lines


def _returned(function: Function, derivation: Derivation) -> str:
    size = derivation.sizes.known.get(function.key, NUMBER)
    if size != NUMBER:
        return f"Of shape {shape(size)}."
    if derivation.is_of_arrays(function.key):
        return "A number."
    return "Of the shape that the arguments broadcast to."


def shape(size: tuple[str, str]) -> str:
    """A size as NumPy's shape: rows and columns of matrices are arrays of one dimension."""
    long = [text for text in size if text != "1"]
    return f"({long[0]},)" if len(long) == 1 else f"({', '.join(long)})"


def _told(function: Function) -> str:
    text = f"Error at most {function.error:.2g} times what rounding the arguments does"
    if function.rules:
        return f"{text}; as written: {function.naive_error:.2g}."
    return f"{text}."


def _described(key: str, derivation: Derivation) -> str:
    """What a name is, in words: where it ranges, or the shape that it has."""
    if key in derivation.callables:
        return "Works on arrays, element by element."
    if derivation.is_array(key):
        said = {word[0] for word in derivation.symbols.words if key in word[1:]}
        told = next((f", {text}" for word, text in _KINDS.items() if word in said), "")
        return f"Of shape {shape(derivation.sizes.known[key])}{told}."
    return describe(key, derivation.range(key))


_KINDS = {
    "definite": "symmetric positive definite", "semidefinite": "symmetric positive semidefinite",
    "symmetric": "symmetric", "orthogonal": "orthogonal",
}  # fmt: skip


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
