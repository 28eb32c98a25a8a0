"""Expressions: a strategy's conditions as data.

An expression describes a value per bar.  It is never evaluated here; the engines read it:
``engine.reference`` bar by bar in plain Python, ``engine.series`` array by array, ``engine.emit`` as
generated code.  All of them give the same bits, because the meaning is fixed here:

* Data before the first bar is missing (NaN).  ``x.lag(n)`` shifts the data an expression sees, so
  ``lag`` of a condition before the first bar is that condition evaluated on missing data.
* Arithmetic is IEEE 754 float64; ``x / 0`` is an infinity or NaN, never an exception.
* A comparison with a missing value is false, ``!=`` included.
* A number used as a condition is true when it is neither zero nor missing.
* ``minimum`` and ``maximum`` with a missing value are missing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Never, TypeAlias

from grn.kit.errors import BudgetError, StrategyError
from grn.quant.strategy.advice import UFUNC_OPERATORS, advise, outputs_of, replacement

Kind = Literal["float", "bool"]
Key: TypeAlias = tuple[object, ...]
"""Canonical form: nested tuples of strings, ints and floats.  Equal keys mean equal values."""

ARITHMETIC = ("add", "sub", "mul", "div", "minimum", "maximum")
COMPARISON = ("lt", "le", "gt", "ge", "eq", "ne")
LOGIC = ("and", "or", "xor")
SYMBOLS: Mapping[str, str] = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "eq": "==", "ne": "!=", "and": "&", "or": "|", "xor": "^",
}  # fmt: skip


class Expr:
    """A value per bar.  Combine with operators and methods; conditions use ``&``, ``|``, ``~``."""

    kind: Kind = "float"
    series: ClassVar[bool] = False
    """True when engines compute the node once per distinct parameter value (a *leaf* of the fused part)."""

    @property
    def children(self) -> tuple[Expr, ...]:
        """Direct sub-expressions, in a fixed order."""
        return ()

    @cached_property
    def key(self) -> Key:
        """Canonical form (see :data:`Key`)."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise StrategyError(
            "an expression has no truth value of its own",
            seen=str(self),
            hint="write & | ~ instead of and, or, not; and (a < b) & (b < c) instead of a < b < c",
        )

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return str(self)

    # What people of NumPy, pandas and Polars write ---------------------------------------------
    if not TYPE_CHECKING:  # a type checker is to go on refusing unknown names

        def __getattr__(self, name: str) -> Never:
            # Called for names that are not there. An AttributeError, so that `hasattr` and copying work.
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            if not name.startswith("_"):
                text += f"; {advise(name)}"
            raise AttributeError(text, name=name, obj=self)

    def __getitem__(self, index: object) -> Never:
        bars = abs(index) if type(index) is int else "n"
        raise StrategyError(
            "an expression is not indexed: it is a value per bar",
            seen=f"{self}[{index!r:.60}]",
            hint=f"write .lag({bars}) for an earlier bar's value, and the expression alone for this bar's",
        )

    # Without it `in` and `for` would go through __getitem__ and blame an index that nobody wrote.
    __iter__ = None
    __contains__ = None

    def __array__(self, *_: object, **__: object) -> Never:
        # Else np.mean(close) would be the mean of one object: close itself.
        raise StrategyError(
            "an expression is no array of NumPy",
            seen=str(self),
            hint="use the functions of grn.quant: log, exp, minimum, maximum, when, sma, ...",
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: object, **_: object) -> Expr:
        # A number of NumPy on the left of an operator comes in here: np.float64(2) * close.
        symbol = UFUNC_OPERATORS.get(ufunc.__name__)
        if method == "__call__" and symbol is not None and len(inputs) == 2:
            left, right = (lift(x) for x in inputs)
            found: Expr = getattr(operator, symbol)(left, right)
            return found
        raise StrategyError(
            "a function of NumPy cannot take an expression",
            seen=f"np.{ufunc.__name__}({self})",
            hint=replacement(ufunc.__name__)
            or "use log and exp of grn.quant; write the rest as a step function",
        )

    # Arithmetic ------------------------------------------------------------------------------
    def __add__(self, other: object) -> Expr:
        return Binary("add", self, lift(other))

    def __radd__(self, other: object) -> Expr:
        return Binary("add", lift(other), self)

    def __sub__(self, other: object) -> Expr:
        return Binary("sub", self, lift(other))

    def __rsub__(self, other: object) -> Expr:
        return Binary("sub", lift(other), self)

    def __mul__(self, other: object) -> Expr:
        return Binary("mul", self, lift(other))

    def __rmul__(self, other: object) -> Expr:
        return Binary("mul", lift(other), self)

    def __truediv__(self, other: object) -> Expr:
        return Binary("div", self, lift(other))

    def __rtruediv__(self, other: object) -> Expr:
        return Binary("div", lift(other), self)

    def __neg__(self) -> Expr:
        return Unary("neg", self)

    def __abs__(self) -> Expr:
        return Unary("abs", self)

    # Comparison ------------------------------------------------------------------------------
    def __lt__(self, other: object) -> Expr:
        return Binary("lt", self, lift(other))

    def __le__(self, other: object) -> Expr:
        return Binary("le", self, lift(other))

    def __gt__(self, other: object) -> Expr:
        return Binary("gt", self, lift(other))

    def __ge__(self, other: object) -> Expr:
        return Binary("ge", self, lift(other))

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]  # an expression, as in polars
        return Binary("eq", self, lift(other))

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]  # an expression, as in polars
        return Binary("ne", self, lift(other))

    # Logic -----------------------------------------------------------------------------------
    def __and__(self, other: object) -> Expr:
        return Binary("and", condition(self), condition(other))

    def __rand__(self, other: object) -> Expr:
        return Binary("and", condition(other), condition(self))

    def __or__(self, other: object) -> Expr:
        return Binary("or", condition(self), condition(other))

    def __ror__(self, other: object) -> Expr:
        return Binary("or", condition(other), condition(self))

    def __xor__(self, other: object) -> Expr:
        return Binary("xor", condition(self), condition(other))

    def __rxor__(self, other: object) -> Expr:
        return Binary("xor", condition(other), condition(self))

    def __invert__(self) -> Expr:
        return Unary("not", condition(self))

    # Time ------------------------------------------------------------------------------------
    def lag(self, n: int | Param = 1) -> Expr:
        """The value `n` bars ago (`n` >= 0, whole, or such a parameter); missing before the first bar."""
        return Lag(self, n)

    def crosses_above(self, other: object) -> Expr:
        """True on the bar where this rises above `other`: above now, not above one bar ago."""
        level = lift(other)
        return Binary("and", self > level, self.lag(1) <= level.lag(1))

    def crosses_below(self, other: object) -> Expr:
        """True on the bar where this falls below `other`: below now, not below one bar ago."""
        level = lift(other)
        return Binary("and", self < level, self.lag(1) >= level.lag(1))

    def sqrt(self) -> Expr:
        """Square root; missing for negative values."""
        return Unary("sqrt", self)


DAY = "@day"
"""A column that is derived from the timestamps and not read: days since 1970-01-01 UTC."""


class Column(Expr):
    """A column of the data: `open`, `high`, `low`, `close`, `volume` or any further one."""

    series = True

    def __init__(self, name: str) -> None:
        if not name:
            raise StrategyError("a column needs a name", seen=repr(name), hint='write col("score")')
        self.name = name

    @cached_property
    def key(self) -> Key:
        return ("column", self.name)

    def __str__(self) -> str:
        return self.name


class Const(Expr):
    """A number or a truth value that is the same on every bar."""

    def __init__(self, value: float | bool) -> None:
        # Adding 0.0 makes -0.0 and 0.0 one constant: their keys compare equal.
        self.value: float | bool = value if isinstance(value, bool) else float(value) + 0.0
        self.kind = "bool" if isinstance(value, bool) else "float"

    @cached_property
    def key(self) -> Key:
        # Spelt out, because Python holds 0.0 == False and NaN != NaN.
        if isinstance(self.value, bool):
            return ("true",) if self.value else ("false",)
        return ("const", self.value if self.value == self.value else "NaN")

    def __str__(self) -> str:
        return f"{self.value:g}" if isinstance(self.value, float) else str(self.value)


class Param(Expr):
    """A parameter with the values that a sweep tries, in the order given."""

    def __init__(self, name: str, values: tuple[float, ...], *, integer: bool) -> None:
        self.name = name
        self.values = values
        self.integer = integer

    @cached_property
    def key(self) -> Key:
        # Neither the values nor their type are part of the identity of a strategy: a trial is one strategy at
        # one value, whichever others a sweep tries beside it.
        return ("param", self.name)

    def __str__(self) -> str:
        return self.name


class Binary(Expr):
    """Two expressions and an operator from `ARITHMETIC`, `COMPARISON` or `LOGIC`."""

    def __init__(self, op: str, left: Expr, right: Expr) -> None:
        self.op, self.left, self.right = op, left, right
        self.kind = "float" if op in ARITHMETIC else "bool"
        if op not in LOGIC and "bool" in (left.kind, right.kind):
            side = left if left.kind == "bool" else right
            raise StrategyError(
                f"`{SYMBOLS.get(op, op)}` needs numbers but one side is a condition",
                seen=str(side),
                hint="combine conditions with & | ~, or make a number: when(condition, 1.0, 0.0)",
            )

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.left, self.right)

    @cached_property
    def key(self) -> Key:
        return (self.op, self.left.key, self.right.key)

    def __str__(self) -> str:
        if self.op in SYMBOLS:
            return f"({self.left} {SYMBOLS[self.op]} {self.right})"
        return f"{self.op}({self.left}, {self.right})"


class Unary(Expr):
    """One expression and `neg`, `abs`, `sqrt`, `not`, `truth` or `missing`."""

    def __init__(self, op: str, operand: Expr) -> None:
        self.op, self.operand = op, operand
        self.kind = "bool" if op in ("not", "truth", "missing") else "float"
        if (op == "not") != (operand.kind == "bool"):
            raise StrategyError(f"`{op}` does not apply to a {operand.kind} expression", seen=str(operand))

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    @cached_property
    def key(self) -> Key:
        return (self.op, self.operand.key)

    def __str__(self) -> str:
        return {"neg": f"-{self.operand}", "not": f"~{self.operand}"}.get(
            self.op, f"{self.op}({self.operand})"
        )


class When(Expr):
    """`yes` where the condition holds, `no` elsewhere."""

    def __init__(self, test: Expr, yes: Expr, no: Expr) -> None:
        self.test, self.yes, self.no = condition(test), yes, no
        if yes.kind != no.kind:
            raise StrategyError(
                "both answers of `when` must be numbers or both conditions", seen=f"{yes}, {no}"
            )
        self.kind = yes.kind

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.test, self.yes, self.no)

    @cached_property
    def key(self) -> Key:
        return ("when", self.test.key, self.yes.key, self.no.key)

    def __str__(self) -> str:
        return f"when({self.test}, {self.yes}, {self.no})"


class Lag(Expr):
    """The operand's value `n` bars ago."""

    def __init__(self, operand: Expr, n: int | Param) -> None:
        if isinstance(n, Param):
            if not n.integer or min(n.values) < 0:
                raise StrategyError("a lag parameter takes integers >= 0", seen=f"{n.name} = {n.values}")
        elif type(n) is not int or n < 0:
            raise StrategyError(
                "a lag is a whole number of bars >= 0",
                seen=repr(n),
                hint="a negative lag would read the future",
            )
        self.operand, self.n, self.kind = operand, n, operand.kind

    @property
    def most(self) -> int:
        """The largest lag that any parameter value gives."""
        return int(max(self.n.values)) if isinstance(self.n, Param) else self.n

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand, self.n) if isinstance(self.n, Param) else (self.operand,)

    @cached_property
    def key(self) -> Key:
        return ("lag", self.operand.key, self.n.key if isinstance(self.n, Param) else self.n)

    def __str__(self) -> str:
        return f"{self.operand}.lag({self.n})"


def lift(value: object) -> Expr:
    """Turn a number, a truth value or a Polars expression into an expression."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, bool | int | float):
        return Const(value)
    if type(value).__module__.partition(".")[0] == "polars" and hasattr(value, "meta"):
        from grn.quant.strategy.leaves import PolarsColumn

        return PolarsColumn(value)  # type: ignore[arg-type]  # checked without importing polars
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else None
    if isinstance(plain, bool | int | float):
        return Const(plain)
    if outputs := outputs_of(value):
        raise StrategyError(
            "an indicator with several outputs is no single value", seen=type(value).__name__, hint=outputs
        )
    raise StrategyError(
        "this cannot be part of a strategy expression",
        seen=f"{type(value).__name__} {value!r:.60}",
        hint='use numbers, param(...), close, col("score"), indicators, Polars expressions',
    )


def condition(value: object) -> Expr:
    """Lift to a condition: a number is true when it is neither zero nor missing."""
    expr = lift(value)
    return expr if expr.kind == "bool" else Unary("truth", expr)


MOST_VALUES = 10_000_000
"""Values of one parameter: about 1 GiB as Python numbers, and more than any sweep tries."""


def check_length(name: str, count: float) -> None:
    """Refuse a list of values that would not fit into memory, before it is made.

    Raises
    ------
    BudgetError
        The message has its price: a listed number takes about 100 bytes.
    """
    if count > MOST_VALUES:
        need_gib = count * 100 / 2.0**30
        price = f"{need_gib:,.1f}" if need_gib < 1e9 else f"{need_gib:.1e}"
        raise BudgetError(
            f"the values of parameter {name!r} need {price} GiB before a sweep begins",
            seen=f"{count:,.0f} values" if count < 1e15 else f"{count:.1e} values",
            hint=f"take larger steps: at most {MOST_VALUES:,} values",
        )


def param(name: str, values: Iterable[float]) -> Param:
    """Declare a parameter and the values that a sweep tries: ``param("fast", range(2, 101))``."""
    if not str(name).isidentifier() or str(name) != name:
        raise StrategyError(
            "a parameter name must be an identifier", seen=repr(name), hint='param("fast", range(2, 101))'
        )
    if isinstance(values, int | float) or getattr(values, "ndim", None) == 0:
        values = (values,)  # type: ignore[assignment]  # one number, of Python or NumPy
    if not isinstance(values, Iterable):
        raise StrategyError(
            f"parameter {name!r} takes numbers", seen=repr(values), hint=f'param("{name}", [10, 20])'
        )
    if isinstance(values, range):
        check_length(name, min((values.stop - values.start) // values.step, 10**300))
    listed: list[float] = []
    given: Iterable[Any] = values
    for value in given:
        plain = value.item() if getattr(value, "ndim", None) == 0 else value
        if isinstance(plain, bool) or not isinstance(plain, int | float) or not math.isfinite(plain):
            raise StrategyError(f"parameter {name!r} takes finite numbers", seen=f"{plain!r:.60}")
        listed.append(plain)
    if not listed:
        raise StrategyError(f"parameter {name!r} has no values", seen=repr(values), hint="the range is empty")
    if len(set(listed)) != len(listed):
        twice = next(v for i, v in enumerate(listed) if v in listed[:i])
        raise StrategyError(f"parameter {name!r} lists a value twice", seen=repr(twice))
    integer = all(isinstance(v, int) for v in listed)
    return Param(name, tuple(listed) if integer else tuple(float(v) for v in listed), integer=integer)
