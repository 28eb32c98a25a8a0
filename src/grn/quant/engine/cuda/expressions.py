"""Expressions of Python in C++: every operation as written, in its order, fully in parentheses."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from grn.quant.engine.cuda.inference import (
    CELL,
    ELEMENT,
    NUMBERS,
    Type,
    UnknownTypeError,
    can_pass,
    join,
    read_annotation,
    refuse,
)

_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_LOGIC = {ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_RESERVED = frozenset(
    (
        "asm", "auto", "case", "catch", "char", "const", "default", "delete", "do", "double", "enum",
        "explicit", "export", "extern", "float", "friend", "goto", "i64", "inline", "int", "long", "mutable",
        "namespace", "new", "operator", "private", "protected", "public", "real", "register", "short",
        "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw", "typedef", "typename",
        "union", "unsigned", "using", "virtual", "void", "volatile", "xor",
    )
)  # fmt: skip
"""Words of C++, and of the prelude, that Python lets a variable be called."""


@dataclass(frozen=True)
class Signature:
    """What a function takes and gives."""

    name: str
    parameters: tuple[tuple[str, Type], ...]
    result: Type


@dataclass(frozen=True)
class Scope:
    """What a function can name beside its own variables.

    Attributes
    ----------
    functions
        functions that it may call, by name.
    constants
        numbers of its module, by name; they are printed by value.
    """

    functions: Mapping[str, Signature]
    constants: Mapping[str, float | int | bool]


def read_signature(function: ast.FunctionDef) -> Signature:
    """The signature that a function's annotations give."""
    a = function.args
    if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults:
        raise refuse(f"the way {function.name} takes its arguments")
    parameters = tuple((p.arg, read_annotation(p.annotation)) for p in a.args)
    return Signature(function.name, parameters, read_annotation(function.returns))


class Expressions:
    """Prints expressions of variables whose types are known.

    Raises
    ------
    UnknownTypeError
        A name of which nothing is known.
    UnsupportedError
        An expression that is not translated.
    """

    def __init__(self, types: Mapping[str, Type], scope: Scope) -> None:
        self._types: dict[str, Type] = dict(types)
        self._scope = scope

    def _truth(self, node: ast.expr) -> str:
        code, kind = self._value(node)
        if kind is not Type.BOOL:
            raise refuse("a condition that is no truth value", node)
        return code

    def _as(self, node: ast.expr, wanted: Type) -> str:
        """A value converted to a type that it is part of."""
        code, kind = self._value(node)
        if not can_pass(kind, wanted):
            raise refuse(f"{kind.value} where {wanted.value} belongs", node)
        return code if kind is wanted or wanted not in NUMBERS else f"{wanted.value}({code})"

    def _value(self, node: ast.expr) -> tuple[str, Type]:
        """Code and type of an expression."""
        match node:
            case ast.Constant(value=value) if isinstance(value, bool | int | float):
                return print_number(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Attribute(value=ast.Name(id="math"), attr=attr) if attr in ("inf", "nan"):
                return print_number(getattr(math, attr))
            case ast.Subscript(value=ast.Attribute(value=array, attr="shape"), slice=ast.Constant(value=0)):
                code, kind = self._value(array)
                if kind is Type.COLUMN:
                    return f"{code}.length", Type.INT
            case ast.Subscript():
                return self._element(node)
            case ast.Call():
                return self._call(node)
            case ast.IfExp():
                return self._choice(node)
            case ast.Compare():
                return self._compare(node)
            case ast.BoolOp():
                sign = " && " if isinstance(node.op, ast.And) else " || "
                return f"({sign.join(self._truth(v) for v in node.values)})", Type.BOOL
            case ast.UnaryOp(op=ast.Not()):
                return f"(!{self._truth(node.operand)})", Type.BOOL
            case ast.UnaryOp(op=ast.USub()):
                code, kind = self._value(node.operand)
                if kind in (Type.INT, Type.REAL):
                    return f"(-{code})", kind
            case ast.BinOp():
                return self._operation(node)
        raise refuse("this expression", node)

    def _name(self, name: str) -> tuple[str, Type]:
        if name in self._types:
            return spell(name), self._types[name]
        if name in self._scope.constants:
            return print_number(self._scope.constants[name])
        raise UnknownTypeError(name)

    def _element(self, node: ast.Subscript) -> tuple[str, Type]:
        code, kind = self._value(node.value)
        if isinstance(node.slice, ast.Tuple) and kind in CELL and len(node.slice.elts) == 2:
            row, column = (self._as(e, Type.INT) for e in node.slice.elts)
            return f"{code}.at({row}, {column})", CELL[kind]
        if kind not in ELEMENT or isinstance(node.slice, ast.Tuple | ast.Slice):
            raise refuse("this element", node)
        return f"{code}[{self._as(node.slice, Type.INT)}]", ELEMENT[kind]

    def _choice(self, node: ast.IfExp) -> tuple[str, Type]:
        kind = join(self._value(node.body)[1], self._value(node.orelse)[1], node)
        return (
            f"({self._truth(node.test)} ? {self._as(node.body, kind)} : {self._as(node.orelse, kind)})",
            kind,
        )

    def _compare(self, node: ast.Compare) -> tuple[str, Type]:
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.In):
            options = node.comparators[0]
            if not isinstance(options, ast.Tuple):
                raise refuse("this membership test", node)
            equal = [self._pair(node.left, ast.Eq(), option) for option in options.elts]
            return f"({' || '.join(equal)})", Type.BOOL
        operands = [node.left, *node.comparators]
        if any(isinstance(n, ast.Call) for middle in operands[1:-1] for n in ast.walk(middle)):
            raise refuse("a chained comparison with a call in the middle", node)
        pairs = [self._pair(a, op, b) for a, op, b in zip(operands, node.ops, operands[1:], strict=False)]
        return pairs[0] if len(pairs) == 1 else f"({' && '.join(pairs)})", Type.BOOL

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
        kind = join(self._value(left)[1], self._value(right)[1], left)
        if type(op) not in _COMPARISONS or kind not in NUMBERS:
            raise refuse("this comparison", ast.Compare(left, [op], [right]))
        return f"({self._as(left, kind)} {_COMPARISONS[type(op)]} {self._as(right, kind)})"

    def _operation(self, node: ast.BinOp) -> tuple[str, Type]:
        kinds = self._value(node.left)[1], self._value(node.right)[1]
        op = type(node.op)
        if op in _LOGIC and kinds == (Type.BOOL, Type.BOOL):
            return f"bool({self._truth(node.left)} {_LOGIC[op]} {self._truth(node.right)})", Type.BOOL
        kind = join(*kinds, node)
        if op not in _ARITHMETIC or kind not in (Type.INT, Type.REAL):
            raise refuse("this operation", node)
        if op is ast.Div:
            kind = Type.REAL
        return f"({self._as(node.left, kind)} {_ARITHMETIC[op]} {self._as(node.right, kind)})", kind

    def _call(self, node: ast.Call) -> tuple[str, Type]:
        if node.keywords:
            raise refuse("a call with keywords", node)
        match node.func:
            case ast.Attribute(value=ast.Name(id="math"), attr=("floor" | "ceil") as name):
                return f"{name}_of({self._as(node.args[0], Type.REAL)})", Type.INT
            case ast.Attribute(value=ast.Name(id="math"), attr="sqrt"):
                return f"root_of({self._as(node.args[0], Type.REAL)})", Type.REAL
            case ast.Name(id=name) if name in self._scope.functions:
                called = self._scope.functions[name]
                if len(called.parameters) != len(node.args):
                    raise refuse("a call with other arguments than the function takes", node)
                kinds = zip(node.args, called.parameters, strict=True)
                given = [self._as(argument, kind) for argument, (_, kind) in kinds]
                return f"{spell(name)}({', '.join(given)})", called.result
            case ast.Name(id=name):
                return self._builtin(name, node)
        raise refuse("this call", node)

    def _builtin(self, name: str, node: ast.Call) -> tuple[str, Type]:
        values = [self._value(argument) for argument in node.args]
        match name, values:
            case "abs", [(code, (Type.INT | Type.REAL) as kind)]:
                return f"size_of({code})", kind
            case (("max" | "min"), [(_, one), (_, other)]):
                kind = join(one, other, node)
                left, right = (self._as(argument, kind) for argument in node.args)
                return f"{'larger' if name == 'max' else 'smaller'}({left}, {right})", kind
            case "sqrt", [_]:
                return f"root_of({self._as(node.args[0], Type.REAL)})", Type.REAL
            case "float", [_]:
                return self._as(node.args[0], Type.REAL), Type.REAL
            case "int", [(code, kind)] if kind in NUMBERS:
                return f"i64({code})", Type.INT
            case "len", [(code, Type.LOG)]:
                return f"{code}.rows", Type.INT
        raise refuse(f"a call of {name}", node)


def spell(name: str) -> str:
    """A Python name in C++."""
    return f"{name}_" if name in _RESERVED else name


def print_number(value: float | int | bool) -> tuple[str, Type]:
    """A number with all its bits."""
    if isinstance(value, bool):
        return str(value).lower(), Type.BOOL
    if isinstance(value, int):
        if not -(2**63) < value < 2**63:
            raise refuse(f"the whole number {value}: it has no 64 bits")
        return f"i64({value})", Type.INT
    if value != value:
        return "NOT_A_NUMBER", Type.REAL
    if math.isinf(value):
        return ("INFINITE" if value > 0 else "(-INFINITE)"), Type.REAL
    # Hexadecimal: decimal text would be rounded by two compilers.
    return f"real({value.hex()})", Type.REAL
