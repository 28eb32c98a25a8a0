"""The words a strategy file is written in: columns, indicators, and functions of expressions."""

from __future__ import annotations

from typing import Any

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import (
    Binary,
    Column,
    Const,
    Expr,
    HostFunction,
    Indicator,
    Param,
    Timeframe,
    Unary,
    When,
    lift,
)

open_ = Column("open")
high = Column("high")
low = Column("low")
close = Column("close")
volume = Column("volume")


def col(name: str) -> Column:
    """Any column of the data by name: ``col("score") > 0.5``, ``col("my_entry")``."""
    return Column(name)


def tf(every: str, expression: object) -> Expr:
    """An expression on a higher timeframe, such as ``tf("1d", sma(close, 20))`` inside 15-minute bars.

    Only closed bars are seen: a day's value appears with the first base bar of a later day.
    `every` is a number and a unit out of ``m h d w`` (weeks start on Monday).
    """
    from grn.quant.engine.timeframe import parse_every

    parse_every(every)
    return Timeframe(every, lift(expression))


def minimum(a: object, b: object) -> Expr:
    """The smaller of two values per bar; missing when one is missing."""
    return Binary("minimum", lift(a), lift(b))


def maximum(a: object, b: object) -> Expr:
    """The larger of two values per bar; missing when one is missing."""
    return Binary("maximum", lift(a), lift(b))


def when(test: object, yes: object, no: object) -> Expr:
    """`yes` where the condition holds, `no` elsewhere."""
    return When(lift(test), lift(yes), lift(no))


def is_missing(x: object) -> Expr:
    """True where the value is missing (NaN)."""
    return Unary("missing", lift(x))


def log(x: object) -> Expr:
    """Natural logarithm, computed once on the host."""
    return HostFunction("log", lift(x))


def exp(x: object) -> Expr:
    """Exponential function, computed once on the host."""
    return HostFunction("exp", lift(x))


class IndicatorCall:
    """The outputs of one indicator call, as attributes: ``bollinger(close, 20, 2).upper``."""

    def __init__(self, outputs: dict[str, Indicator]) -> None:
        self._outputs = outputs

    def __getattr__(self, name: str) -> Indicator:
        try:
            return self._outputs[name]
        except KeyError:
            raise AttributeError(f"no output {name!r}; there are: {', '.join(self._outputs)}") from None

    def __iter__(self) -> Any:
        return iter(self._outputs.values())

    def __repr__(self) -> str:
        return f"outputs({', '.join(self._outputs)})"


def call_indicator(name: str, *args: object, **named: object) -> Indicator | IndicatorCall:
    """Build the expression of a registered indicator.

    Inputs come first, then parameters, as in ``sma(close, 20)``.  Inputs that are named like a bar
    column may be left out altogether: ``atr(14)`` reads `high`, `low` and `close` of the data.
    """
    from grn.quant.indicators.registry import get

    spec = get(name)
    inputs: list[Expr]
    n_inputs, n_params = len(spec.inputs), len(spec.params)
    required = sum(1 for p in spec.params if p.default is None)
    bar_columns = {"open", "high", "low", "close", "volume", "day"}
    implied = all(i in bar_columns for i in spec.inputs)
    leading = sum(1 for a in args if isinstance(a, Expr) and not isinstance(a, Param))
    if implied and leading == 0:
        inputs = [Column(i) for i in spec.inputs]
        rest = list(args)
    else:
        inputs = [lift(a) for a in args[:n_inputs]]
        rest = list(args[n_inputs:])
    if len(inputs) != n_inputs or len(rest) > n_params:
        wanted = ", ".join([*spec.inputs, *(p.name for p in spec.params)])
        raise StrategyError(
            f"{name} takes ({wanted})", seen=f"{len(args)} arguments", hint="see `grn quant indicators`"
        )
    values: list[Const | Param] = []
    for position, p in enumerate(spec.params):
        if position < len(rest):
            value = rest[position]
        elif p.name in named:
            value = named.pop(p.name)
        elif p.default is not None:
            value = p.default
        else:
            raise StrategyError(f"{name} needs {p.name!r}", seen=f"{required} required parameters")
        lifted = lift(value)
        if not isinstance(lifted, Const | Param):
            raise StrategyError(
                f"{name}: {p.name!r} must be a number or a param", seen=str(lifted), hint="it cannot change from bar to bar"
            )
        values.append(lifted)
    if named:
        raise StrategyError(f"{name} has no parameter {next(iter(named))!r}", seen=", ".join(p.name for p in spec.params))
    # Every value that a sweep would try is checked here, where the author of the strategy can see it.
    for p, v in zip(spec.params, values, strict=True):
        for number in v.values if isinstance(v, Param) else (v.value,):
            p.check(name, int(number) if number == int(number) else number)
    outputs = {o: Indicator(name, o, tuple(inputs), tuple(values)) for o in spec.outputs}
    return next(iter(outputs.values())) if len(outputs) == 1 else IndicatorCall(outputs)

