"""Words that look across symbols, and one that remembers: what target weights are written in.

Across symbols everything is seen at one time: on a bar of its own, a symbol sees what every other symbol last
knew at that bar's time.  A symbol takes part from its first bar on; a missing value takes no part.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal, get_args

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import Binary, Expr, Key, Param, condition, lift
from grn.quant.strategy.leaves import Timeframe
from grn.quant.strategy.tree import nodes

CrossOp = Literal["rank", "sum", "mean"]


class Cross(Expr):
    """A number of all symbols at once: the `rank` of this one among them, or their `sum` or `mean`."""

    series = True

    def __init__(self, op: CrossOp, operand: Expr) -> None:
        if op not in get_args(CrossOp):
            raise StrategyError("unknown word across symbols", seen=repr(op), hint="rank, sum or mean")
        self.op, self.operand = op, _number(f"cross_{op}" if op != "rank" else op, operand)

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    @cached_property
    def key(self) -> Key:
        return ("cross", self.op, self.operand.key)

    def __str__(self) -> str:
        return f"{self.op if self.op == 'rank' else f'cross_{self.op}'}({self.operand})"


class Of(Expr):
    """An expression of another symbol, as it was last known."""

    series = True

    def __init__(self, symbol: str, operand: Expr) -> None:
        given: object = symbol
        if not isinstance(given, str) or not given:
            raise StrategyError(
                "`of` takes a symbol and an expression", seen=repr(symbol), hint='of("KO", close)'
            )
        self.symbol, self.operand = symbol, _number("of", operand)

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    @cached_property
    def key(self) -> Key:
        return ("of", self.symbol, self.operand.key)

    def __str__(self) -> str:
        return f'of("{self.symbol}", {self.operand})'


class Hold(Expr):
    """True from a bar on which one condition holds until a bar on which another does."""

    series = True
    kind = "bool"

    def __init__(self, entry: Expr, leave: Expr) -> None:
        self.entry, self.leave = condition(entry), condition(leave)

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.entry, self.leave)

    @cached_property
    def key(self) -> Key:
        return ("hold", self.entry.key, self.leave.key)

    def __str__(self) -> str:
        return f"hold({self.entry}, {self.leave})"


def rank(x: object) -> Expr:
    """Place of this symbol's value among all symbols': 1 is the largest; missing where the value is.

    Equal values rank in the order of the symbols' names.
    """
    return Cross("rank", lift(x))


def top(x: object, n: int | Param) -> Expr:
    """True while this symbol's value is among the `n` largest (a whole number or such a parameter)."""
    values: tuple[object, ...] = n.values if isinstance(n, Param) else (n,)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value != int(value):
            raise StrategyError(
                "`top` takes a whole number of at least 1", seen=repr(value), hint="top(roc(close, 60), 5)"
            )
    return Binary("le", rank(x), lift(n))


def cross_sum(x: object) -> Expr:
    """Sum over the symbols that have the value, in the order of their names."""
    return Cross("sum", lift(x))


def cross_mean(x: object) -> Expr:
    """Mean over the symbols that have the value; missing where none has."""
    return Cross("mean", lift(x))


def demean(x: object) -> Expr:
    """The value of this symbol less the mean over all symbols."""
    value = lift(x)
    return value - Cross("mean", value)


def share(x: object) -> Expr:
    """The part of this symbol in the sum over all symbols."""
    value = lift(x)
    return value / Cross("sum", value)


def of(symbol: str, x: object) -> Expr:
    """Value of an expression for another symbol: ``close / of("KO", close)``."""
    return Of(symbol, lift(x))


def hold(entry: object, leave: object) -> Expr:
    """True from a bar on which `entry` holds until one on which `leave` does; where both hold, false."""
    return Hold(condition(entry), condition(leave))


def crossing(*roots: Expr) -> tuple[Expr, ...]:
    """Nodes below the roots that need all symbols at once, in a fixed order."""
    return tuple(n for n in nodes(*roots) if isinstance(n, Cross | Of))


def check_frames(*roots: Expr) -> None:
    """Refuse words that look across symbols inside `tf`, where every symbol has bars of its own making."""
    for node in nodes(*roots):
        if isinstance(node, Timeframe):
            inside = [n for n in nodes(node.operand) if isinstance(n, Cross | Of | Hold)]
            if inside:
                raise StrategyError(
                    "a word that looks across symbols, or remembers, cannot stand inside `tf`",
                    seen=str(inside[0]),
                    hint='put `tf` inside: rank(tf("1w", roc(close, 4)))',
                )


def _number(word: str, expr: Expr) -> Expr:
    if expr.kind != "float":
        raise StrategyError(f"`{word}` takes a number", seen=str(expr), hint="when(condition, 1.0, 0.0)")
    return expr
