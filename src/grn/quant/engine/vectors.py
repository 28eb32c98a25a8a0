"""Vectors: what a printed kernel works with beside numbers, as types and operations of Numba.

A *vector* holds one float64 of each of `WIDTH` bars that follow one another, a *mask* their truth values.
An operation on them is one instruction of LLVM without any licence: every lane is rounded as the same
operation on numbers is.  A processor with narrower registers uses several for a vector, with the same bits.

A *row* is a few float64 that live on the stack of the kernel; where every place is known to the compiler they
end up in registers.
"""

# mypy: disable-error-code="no-untyped-call, untyped-decorator, no-any-return"
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

WIDTH: Final = 8
"""Lanes of a vector: 64 bytes, the widest register that processors have; one byte of a mask."""

_DOUBLE: Any = ir.DoubleType()
_I1, _I32, _I64 = (ir.IntType(n) for n in (1, 32, 64))
_VECTOR: Any = ir.VectorType(_DOUBLE, WIDTH)
_MASK: Any = ir.VectorType(_I1, WIDTH)


class _Lanes(types.Type):
    """A type of Numba that is nothing but a register."""


vector: Final = _Lanes("grn.vector")
mask: Final = _Lanes("grn.mask")
_REPRESENTED: Final = {vector: _VECTOR, mask: _MASK}


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _REPRESENTED[kind])


def _i32(n: int) -> Any:
    return ir.Constant(_I32, n)


def _everywhere(builder: Any, x: Any, kind: Any) -> Any:
    """The same value in every lane."""
    nothing = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(nothing, x, _i32(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_I32, WIDTH), [0] * WIDTH))


def _operation(result: Any, arguments: Sequence[Any], write: Callable[..., Any]) -> Any:
    """An intrinsic whose code `write` makes from the builder and the values."""

    def typed(context: Any, *_: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return write(builder, *values)

        return result(*arguments), code

    # Numba reads the number of arguments from the signature.
    names = ", ".join(f"x{i}" for i in range(len(arguments)))
    space: dict[str, Any] = {"typed": typed}
    exec(f"def operation(context, {names}):\n    return typed(context)", space)  # noqa: S102  # names only
    return intrinsic(space["operation"])


def _call(name: str) -> Callable[..., Any]:
    """An operation of LLVM on all lanes, by the name of its intrinsic."""

    def write(builder: Any, x: Any) -> Any:
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), f"llvm.{name}.v{WIDTH}f64"
        )
        return builder.call(function, [x])

    return write


splat: Final = _operation(vector, [types.float64], lambda builder, x: _everywhere(builder, x, _VECTOR))
"""A number in every lane."""
whole: Final = _operation(mask, [types.boolean], lambda builder, x: _everywhere(builder, x, _MASK))
"""A truth value in every lane."""
first_lanes: Final = _operation(
    mask,
    [types.int64],
    lambda builder, n: builder.icmp_signed(
        "<",
        ir.Constant(ir.VectorType(_I64, WIDTH), list(range(WIDTH))),
        _everywhere(builder, n, ir.VectorType(_I64, WIDTH)),
    ),
)
"""The first `n` lanes; none below 1, all from `WIDTH` on."""
shifted: Final = _operation(
    vector,
    [types.float64, vector],
    lambda builder, x, v: builder.shuffle_vector(
        _everywhere(builder, x, _VECTOR),
        v,
        ir.Constant(ir.VectorType(_I32, WIDTH), [0, *range(WIDTH, 2 * WIDTH - 1)]),
    ),
)
"""The lanes one bar on: a number, then all but the last of a vector."""
bits: Final = _operation(
    types.int64,
    [mask],
    lambda builder, m: builder.zext(builder.bitcast(m, ir.IntType(WIDTH)), _I64),
)
"""A mask as a whole number: lane k is bit k."""
lowest_bit: Final = _operation(
    types.int64, [types.int64], lambda builder, x: builder.cttz(x, ir.Constant(_I1, 1))
)
"""Place of the lowest bit that is set; one must be."""


@intrinsic
def choose(context: Any, test: Any, yes: Any, no: Any) -> Any:
    """Lane by lane one of two vectors, or of two masks."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.select(*values)

    return yes(test, yes, no), code


@intrinsic
def load(context: Any, array: Any, i: Any) -> Any:
    """The vector from place `i` of a contiguous array on: `WIDTH` places must be there."""

    def code(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        data = context.make_array(array)(context, builder, values[0]).data
        place = builder.bitcast(builder.gep(data, [values[1]]), _VECTOR.as_pointer())
        return builder.load(place, align=8)

    return vector(array, types.int64), code


def _stack_array(context: Any, builder: Any, kind: Any, shape: Sequence[int], places: int) -> Any:
    """An array over memory on the stack, which nobody owns."""
    memory = cgutils.alloca_once(builder, ir.ArrayType(_DOUBLE, places))
    array = context.make_array(kind)(context, builder)
    strides = [8 * math.prod(shape[i + 1 :]) for i in range(len(shape))]
    context.populate_array(
        array,
        data=builder.bitcast(memory, _DOUBLE.as_pointer()),
        shape=[ir.Constant(_I64, n) for n in shape],
        strides=[ir.Constant(_I64, n) for n in strides],
        itemsize=ir.Constant(_I64, 8),
        meminfo=None,
    )
    return array._getvalue()


@intrinsic(prefer_literal=True)
def row(context: Any, n: Any) -> Any:
    """A row of `n` numbers (a literal), not initialised."""
    places = n.literal_value
    kind = types.Array(types.float64, 1, "C")

    def code(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        return _stack_array(context, builder, kind, [places], places)

    return kind(n), code


@intrinsic(prefer_literal=True)
def no_rows(context: Any, n: Any) -> Any:
    """A table without rows, of `n` columns (a literal): a log that takes nothing."""
    columns = n.literal_value
    kind = types.Array(types.float64, 2, "C")

    def code(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        return _stack_array(context, builder, kind, [0, columns], 1)

    return kind(n), code


def _one_by_one(name: str) -> Callable[..., Any]:
    """The lanes, the first one first, each with what the lanes before it gave."""

    def write(builder: Any, x: Any, v: Any) -> Any:
        for k in range(WIDTH):
            x = getattr(builder, name)(x, builder.extract_element(v, _i32(k)))
        return x

    return write


lane_at: Final = _operation(
    types.float64, [vector, types.int64], lambda builder, v, k: builder.extract_element(v, k)
)
"""One lane of a vector; there must be one of that number."""
add_up: Final = _operation(types.float64, [types.float64, vector], _one_by_one("fadd"))
"""A number and all lanes, added in their order."""
take_off: Final = _operation(types.float64, [types.float64, vector], _one_by_one("fsub"))
"""A number less all lanes, in their order."""


def _instruct(name: str) -> Callable[..., Any]:
    return lambda builder, *values: getattr(builder, name)(*values)


def _ordered(sign: str) -> Callable[..., Any]:
    return lambda builder, a, b: builder.fcmp_ordered(sign, a, b)


def _meaning(function: Any, arguments: Sequence[Any], result: Any, write: Callable[..., Any]) -> None:
    """Give Python's operator or function a meaning for vectors or masks."""
    kinds = tuple(arguments)

    def of_one(a: Any) -> Any:
        return result if (a,) == kinds else None

    def of_two(a: Any, b: Any) -> Any:
        return result if (a, b) == kinds else None

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return write(builder, *values)

    type_callable(function)(lambda context: of_one if len(kinds) == 1 else of_two)
    lower_builtin(function, *kinds)(code)


for _operator, _instruction in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv"),
):  # fmt: skip
    _meaning(_operator, (vector, vector), vector, _instruct(_instruction))
for _operator, _sign in (
    (operator.lt, "<"), (operator.le, "<="), (operator.gt, ">"), (operator.ge, ">="), (operator.eq, "=="),
):  # fmt: skip
    _meaning(_operator, (vector, vector), mask, _ordered(_sign))
# Of all comparisons this one holds with a missing value.
_meaning(operator.ne, (vector, vector), mask, lambda builder, a, b: builder.fcmp_unordered("!=", a, b))
for _operator, _instruction in ((operator.ne, "xor"), (operator.and_, "and_"), (operator.or_, "or_")):
    _meaning(_operator, (mask, mask), mask, _instruct(_instruction))
_meaning(operator.invert, (mask,), mask, _instruct("not_"))
_meaning(operator.neg, (vector,), vector, _instruct("fneg"))
_meaning(abs, (vector,), vector, _call("fabs"))
_meaning(math.sqrt, (vector,), vector, _call("sqrt"))


_OPTIONS: Final[dict[str, Any]] = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_inlined = numba.njit(nogil=True, boundscheck=False, **_OPTIONS)


@_inlined
def holds(words: Any, k: int, t: int) -> bool:
    """Whether bar `t` is marked in row `k` of the words (see `next_bar`)."""
    return (words[k, (t >> 6) + 1] >> (t & 63)) & 1 != 0


@_inlined
def next_bar(words: Any, k: int, t: int, n: int) -> int:
    """The first bar from `t` on whose bit is set in row `k` of the words, at most `n`.

    Row `k` holds bar t in bit ``t % 64`` of word ``1 + t // 64``; what lies beyond bar n - 1 is arbitrary,
    and one word more is empty.
    """
    w = (t >> 6) + 1
    # The shift copies the sign downwards from bit 63 only: the lowest bit that is set stays the right one.
    x = words[k, w] >> (t & 63)
    start = t
    # Often in this word or the next: chosen between without a branch that nobody can predict.
    following = words[k, w + 1]
    if x == 0:
        w += 1
        x = following
        start = (w - 1) << 6
    last = (n + 63) >> 6
    while x == 0:
        w += 1
        if w > last:
            return n
        x = words[k, w]
        start = (w - 1) << 6
    return min(n, start + lowest_bit(x))
