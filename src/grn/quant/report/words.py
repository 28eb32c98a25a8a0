"""A strategy and its rules in plain words."""

from __future__ import annotations

from grn.quant.report.numbers import count, money, percent, short
from grn.quant.strategy.expr import Binary, Expr, Lag, Param, Unary
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.sizes import AllCash, Fraction, Quantity
from grn.quant.strategy.strategy import Strategy, is_never

_SIDES = ("Enter long", "Leave long", "Enter short", "Leave short")
_COMPARED = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠"}
_JOINED = {"and": "and", "or": "or", "xor": "or else"}


def describe_strategy(strategy: Strategy) -> list[tuple[str, str]]:
    """Pairs (what, when) of the signals that the strategy has, then the condition between its parameters.

    Built from the canonical signals, so that a strategy restored from the ledger reads the same.
    """
    said = [
        (side, phrase(signal))
        for side, signal in zip(_SIDES, strategy.signals, strict=True)
        if not is_never(signal)
    ]
    return said + ([] if strategy.where is None else [("Only where", phrase(strategy.where))])


def describe_rules(rules: Rules) -> list[tuple[str, str]]:
    """Pairs (rule, what it says)."""
    costs = rules.costs
    fill = "at the next bar's open" if rules.fill == "next_open" else "at the close of its own bar"
    said = [f"{percent(costs.fee, 3)} of the traded value"] if costs.fee else []
    said += [f"{money(costs.fixed_fee)} per order"] if costs.fixed_fee else []
    size = rules.size
    if isinstance(size, AllCash):
        sized = "all cash"
    elif isinstance(size, Fraction):
        sized = f"{percent(size.value)} of the cash"
    elif isinstance(size, Quantity):
        sized = f"{size.value:g} units, as far as the cash goes"
    else:
        sized = f"a value of {money(size.value)}, as far as the cash goes"
    return [
        ("Fill", f"a signal fills {fill}"),
        ("Size", f"an entry trades {sized}"),
        ("Fees", ", ".join(said) or "none"),
        ("Slippage", f"{percent(costs.slippage, 3)} of the price" if costs.slippage else "none"),
        ("Cash", f"{money(rules.cash)} at the start, one account per symbol"),
    ]


def describe_param(param: Param) -> str:
    """The values of a parameter: listed when few, else the range."""
    values = param.values
    if len(values) <= 8:
        return ", ".join(short(v) for v in values)
    return f"{short(min(values))} to {short(max(values))} ({count(len(values), 'value')})"


def phrase(expr: Expr) -> str:
    """A condition as a sentence of comparisons and crossings."""
    text = _say(expr)
    return text[1:-1] if text.startswith("(") and _closes_last(text) else text


def _say(expr: Expr) -> str:
    if crossing := _crossing(expr):
        return crossing
    if isinstance(expr, Binary):
        if expr.op in _JOINED:
            return f"({_say(expr.left)} {_JOINED[expr.op]} {_say(expr.right)})"
        if expr.op in _COMPARED:
            return f"{_say(expr.left)} {_COMPARED[expr.op]} {_say(expr.right)}"
    if isinstance(expr, Unary):
        if expr.op == "not":
            return f"not ({phrase(expr.operand)})"
        if expr.op == "truth":
            return f"{_say(expr.operand)} ≠ 0"
        if expr.op == "missing":
            return f"{_say(expr.operand)} is missing"
    if isinstance(expr, Lag):
        ago = count(expr.n, "bar") if isinstance(expr.n, int) else f"{expr.n} bars"
        return f"[{phrase(expr.operand)}] {ago} ago"
    return str(expr)


def _crossing(expr: Expr) -> str | None:
    """``a crosses above b`` for the condition that :meth:`Expr.crosses_above` builds."""
    if not (isinstance(expr, Binary) and expr.op == "and"):
        return None
    now, before = expr.left, expr.right
    if not (isinstance(now, Binary) and isinstance(before, Binary)):
        return None
    word = {("gt", "le"): "above", ("lt", "ge"): "below"}.get((now.op, before.op))
    if word is None or (before.left.key, before.right.key) != (Lag(now.left, 1).key, Lag(now.right, 1).key):
        return None
    return f"{_say(now.left)} crosses {word} {_say(now.right)}"


def _closes_last(text: str) -> bool:
    """Whether the parenthesis that opens the text is closed by its last character."""
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return i == len(text) - 1
    return False
