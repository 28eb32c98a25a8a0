"""Statements of Python in C++, and the types of their variables.

What is not in the small part of Python that the account's functions and the printed kernels use is refused
with its text.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from grn.quant.engine.cuda.expressions import Expressions, Scope, spell
from grn.quant.engine.cuda.inference import Type, UnknownTypeError, join, refuse


def calls_of(body: ast.AST) -> Iterator[str]:
    """Names of the functions called, in order."""
    for node in ast.walk(body):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


class Body(Expressions):
    """Statements with the types of their variables.

    Raises
    ------
    UnsupportedError
        The statements use something that is not translated.
    """

    def __init__(
        self,
        statements: list[ast.stmt],
        parameters: Mapping[str, Type],
        scope: Scope,
        result: Type = Type.NOTHING,
    ) -> None:
        super().__init__(parameters, scope)
        self._result = result
        self._parameters = dict(parameters)
        self._loops = 0
        self._statements = statements
        self._infer()

    def _infer(self) -> None:
        """Repeat until no type changes: a loop may read what a later line writes."""
        while True:
            before, unknown = dict(self._types), ""
            for node in _walk_statements(self._statements):
                for name, value in _bindings(node):
                    try:
                        kind = Type.INT if value is None else self._value(value)[1]
                    except UnknownTypeError as error:
                        unknown = str(error)
                        continue
                    known = self._types.get(name)
                    self._types[name] = kind if known is None else join(known, kind, node)
            if self._types == before:
                if unknown:
                    raise refuse(f"the name {unknown}, which has no value")
                return

    def lines(self, indent: int) -> list[str]:
        """The body, its variables declared first."""
        pad = " " * indent
        for name, kind in self._parameters.items():
            if self._types[name] is not kind:
                raise refuse(f"the parameter {name} holds {self._types[name].value} after an assignment")
        declared = [
            f"{pad}{kind.value} {spell(name)} = {{}};"
            for name, kind in self._types.items()
            if name not in self._parameters
        ]
        try:
            return [*declared, *self._block(self._statements, indent)]
        except UnknownTypeError as error:
            raise refuse(f"the name {error}, which has no value") from error

    def _block(self, statements: list[ast.stmt], indent: int) -> list[str]:
        return [line for node in statements for line in self._statement(node, indent)]

    def _statement(self, node: ast.stmt, indent: int) -> list[str]:
        pad = " " * indent
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                return []
            case ast.Expr(value=ast.Call() as call):
                return [f"{pad}{self._value(call)[0]};"]
            case ast.Assign(targets=[target], value=value):
                return [f"{pad}{line}" for line in self._assign(target, value, node)]
            case ast.AugAssign(target=ast.Name() as name, op=op, value=value):
                read = ast.Name(name.id, ast.Load())
                total = ast.copy_location(ast.BinOp(read, op, value), node)
                return [f"{pad}{line}" for line in self._assign(name, total, node)]
            case ast.If():
                return self._if(node, indent)
            case ast.While(test=test, orelse=[]):
                return [
                    f"{pad}while ({self._truth(test)}) {{",
                    *self._block(node.body, indent + 4),
                    f"{pad}}}",
                ]
            case ast.For(target=ast.Name() as name, orelse=[]):
                return self._for(node, name.id, indent)
            case ast.Break():
                return [f"{pad}break;"]
            case ast.Continue():
                return [f"{pad}continue;"]
            case ast.Return(value=None):
                return [f"{pad}return;"]
            case ast.Return(value=value) if value is not None:
                return [f"{pad}return {self._as(value, self._result)};"]
        raise refuse("this statement", node)

    def _assign(self, target: ast.expr, value: ast.expr, node: ast.stmt) -> list[str]:
        if isinstance(target, ast.Tuple):
            if not isinstance(value, ast.Tuple) or len(value.elts) != len(target.elts):
                raise refuse("this assignment", node)
            names = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
            if names & {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}:
                raise refuse("an assignment that reads what it writes", node)
            pairs = zip(target.elts, value.elts, strict=True)
            return [line for t, v in pairs for line in self._assign(t, v, node)]
        if isinstance(target, ast.Name):
            return [f"{spell(target.id)} = {self._as(value, self._types[target.id])};"]
        if isinstance(target, ast.Subscript):
            place, kind = self._value(target)
            return [f"{place} = {self._as(value, kind)};"]
        raise refuse("this assignment", node)

    def _if(self, node: ast.If, indent: int) -> list[str]:
        pad = " " * indent
        lines = [f"{pad}if ({self._truth(node.test)}) {{", *self._block(node.body, indent + 4)]
        if node.orelse:
            lines += [f"{pad}}} else {{", *self._block(node.orelse, indent + 4)]
        return [*lines, f"{pad}}}"]

    def _for(self, node: ast.For, name: str, indent: int) -> list[str]:
        pad = " " * indent
        bounds = [self._as(b, Type.INT) for b in _range_of(node)]
        start, stop = bounds if len(bounds) == 2 else ("0", bounds[0])
        self._loops += 1
        # Counter and bound of their own: Python evaluates the range once and keeps the last value.
        k, end = f"k{self._loops}_", f"end{self._loops}_"
        return [
            f"{pad}for (i64 {k} = {start}, {end} = {stop}; {k} < {end}; ++{k}) {{",
            f"{pad}    {spell(name)} = {k};",
            *self._block(node.body, indent + 4),
            f"{pad}}}",
        ]


def _walk_statements(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in statements:
        yield node
        for inner in ("body", "orelse"):
            yield from _walk_statements(getattr(node, inner, []))


def _bindings(node: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """Variables that a statement gives a value, with the value; None is the counter of a loop."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            for target, value in zip(targets, values, strict=False):
                if isinstance(target, ast.Name):
                    yield target.id, value
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            yield name, ast.copy_location(ast.BinOp(ast.Name(name, ast.Load()), op, value), node)
        case ast.For(target=ast.Name(id=name)):
            yield name, None


def _range_of(node: ast.For) -> list[ast.expr]:
    match node.iter:
        case ast.Call(func=ast.Name(id="range"), args=bounds, keywords=[]) if len(bounds) in (1, 2):
            return bounds
    raise refuse("a loop over something other than range(n) or range(m, n)", node.iter)
