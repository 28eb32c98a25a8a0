"""Small faults put into a module: the operators of mutmut, and a sign that is lost.

A mutant is the source of one function with one place changed. The module's file is never written.
"""

from __future__ import annotations

import ast
import copy
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Div, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd, ast.MatMult: ast.Mult,
}  # fmt: skip
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip

Function = ast.FunctionDef


@dataclass(frozen=True, slots=True)
class Mutant:
    """One function with one fault.

    Attributes
    ----------
    number
        From 1, in the order of the module.
    function
        The function's name, with its class: ``Process.mean``.
    first, last
        Lines of its body in the module.
    source
        The function with the fault.
    change
        The line before and after.
    """

    number: int
    function: str
    first: int
    last: int
    source: str
    change: str


def make_mutants(source: str) -> list[Mutant]:
    """All mutants of a module's functions and methods, in order; docstrings and annotations stay."""
    found: list[Mutant] = []
    for name, function in functions_of(ast.parse(source)):
        plain = _without_docstring(function)
        text = ast.unparse(plain)
        lines = sorted(node.lineno for node in ast.walk(function) if isinstance(node, ast.stmt))
        body = [line for line in lines if line > function.lineno] or lines
        seen = {text}
        for changed in _changes(plain):
            written = ast.unparse(changed)
            if written not in seen:
                seen.add(written)
                found.append(
                    Mutant(
                        len(found) + 1,
                        name,
                        body[0],
                        function.end_lineno or body[-1],
                        written,
                        _told(text, written),
                    )
                )
    return found


def functions_of(module: ast.Module) -> Iterator[tuple[str, Function]]:
    """Functions and methods with their names."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.decorator_list:
                    yield f"{node.name}.{inner.name}", inner


def _without_docstring(function: Function) -> Function:
    plain = copy.deepcopy(function)
    plain.decorator_list = []
    if ast.get_docstring(plain) is not None:
        plain.body = plain.body[1:] or [ast.Pass()]
    return plain


def _changes(function: Function) -> Iterator[Function]:
    """Copies of a function, each with one place changed."""
    places = [node for statement in function.body for node in ast.walk(statement)]
    annotations = {
        id(inner) for node in places if isinstance(node, ast.AnnAssign) for inner in ast.walk(node.annotation)
    }
    for place, node in enumerate(places):
        if id(node) in annotations:
            continue
        for change in _ways(node):
            other = copy.deepcopy(function)
            twin = [inner for statement in other.body for inner in ast.walk(statement)][place]
            replacement = change(twin)
            if replacement is not None:
                _Replace(twin, replacement).visit(other)
            yield ast.fix_missing_locations(other)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


Change = Callable[[ast.AST], ast.AST | None]
"""Changes a node in place (then None), or returns what takes its place."""


def _ways(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Constant(value=bool(value)):
            yield _setting(value=not value)
        case ast.Constant(value=int(value) | float(value)):
            yield _setting(value=value + 1)
        case ast.Constant(value=str(value)) if value:
            yield _setting(value=f"XX{value}XX")
        case ast.BinOp(op=op) if type(op) in _SWAPPED:
            yield _setting(op=_SWAPPED[type(op)]())
        case ast.AugAssign(op=op) if type(op) in _SWAPPED:
            yield _setting(op=_SWAPPED[type(op)]())
            yield (
                lambda twin: (
                    ast.Assign([twin.target], twin.value) if isinstance(twin, ast.AugAssign) else None
                )
            )
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub()):
            yield lambda twin: twin.operand if isinstance(twin, ast.UnaryOp) else None
        case ast.BoolOp(op=op):
            yield _setting(op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.Compare(ops=signs):
            for at, sign in enumerate(signs):
                yield _setting(ops=[*signs[:at], _COMPARED[type(sign)](), *signs[at + 1 :]])
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) if not _is_none(value):
            yield _setting(value=ast.Constant(None))
        case ast.Call(args=args, keywords=keywords):
            yield from _arguments(args, keywords)
        case ast.IfExp():
            yield _setting(test=ast.Constant(False))
            yield _setting(test=ast.Constant(True))
        case ast.Break():
            yield lambda _: ast.Return(None)
        case ast.Continue():
            yield lambda _: ast.Break()
        case ast.Lambda(body=body) if not _is_none(body):
            yield _setting(body=ast.Constant(None))


def _arguments(args: list[ast.expr], keywords: list[ast.keyword]) -> Iterator[Change]:
    """Each argument of a call as None, and left out where others remain."""
    for at, arg in enumerate(args):
        if not _is_none(arg) and not isinstance(arg, ast.Starred):
            yield _setting(args=[*args[:at], ast.Constant(None), *args[at + 1 :]])
        if len(args) + len(keywords) > 1:
            yield _setting(args=[*args[:at], *args[at + 1 :]])
    for at, keyword in enumerate(keywords):
        if not _is_none(keyword.value):
            none = ast.keyword(keyword.arg, ast.Constant(None))
            yield _setting(keywords=[*keywords[:at], none, *keywords[at + 1 :]])
        if len(args) + len(keywords) > 1:
            yield _setting(keywords=[*keywords[:at], *keywords[at + 1 :]])


def _setting(**fields: object) -> Change:
    def change(twin: ast.AST) -> None:
        for name, value in fields.items():
            setattr(twin, name, copy.deepcopy(value))

    return change


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _told(before: str, after: str) -> str:
    lines = [
        line.rstrip()
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    return "\n".join(lines)
