"""A strategy and its rules in plain words."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from grn.quant.report.numbers import count, money, percent, short
from grn.quant.strategy.expr import Binary, Const, Expr, Lag, Param, Unary
from grn.quant.strategy.orders import PERCENT, PRICE, EntryOrder, Stop, TimeStop
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.sizes import AllCash, EquityFraction, Fraction, Quantity, Size, VolatilityTarget
from grn.quant.strategy.strategy import Strategy, is_never

_SIDES = ("Enter long", "Leave long", "Enter short", "Leave short")
_COMPARED = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠"}
_JOINED = {"and": "and", "or": "or", "xor": "or else"}


def describe_strategy(strategy: Strategy) -> list[tuple[str, str]]:
    """Pairs (what, when) of the signals that the strategy has, its orders and stops, then `where`.

    Built from the canonical signals, so that a strategy restored from the ledger reads the same.
    """
    said = [
        (side, phrase(signal))
        for side, signal in zip(_SIDES, strategy.signals, strict=True)
        if not is_never(signal)
    ]
    if strategy.entry_order is not None:
        said.append(("Enter by", _order(strategy.entry_order)))
    said += [("Stop", _stop(stop)) for stop in strategy.stops]
    if strategy.scale is not None:
        said.append(("Size times", phrase(strategy.scale)))
    return said + ([] if strategy.where is None else [("Only where", phrase(strategy.where))])


def _order(order: EntryOrder) -> str:
    until = (
        "until it is replaced or cancelled" if order.expires is None else f"for {count(order.expires, 'bar')}"
    )
    return f"a {order.word.replace('_', ' ')} at {phrase(order.value)}, which works {until}"


def _stop(stop: Stop) -> str:
    if isinstance(stop, TimeStop):
        return f"after {stop.value} bars"
    at = f"{stop.value}" if stop.measure != PERCENT else _percent(stop.value)
    away = ("from the entry", "from the best price")[stop.trails]
    where = f"at {at}" if stop.measure == PRICE else f"{at} {away}"
    part = "" if stop.part == 1.0 else f", for {percent(stop.part, 0)} of the position"
    return f"{stop.word.replace('_', ' ')} {where}{part}"


def _percent(value: Expr) -> str:
    return percent(float(value.value)) if isinstance(value, Const) else f"a fraction of {value}"


def describe_rules(rules: Rules) -> list[tuple[str, str]]:
    """Pairs (rule, what it says); rules at their default are left out but for fill, size, costs and cash."""
    costs = rules.costs
    fill = {"next_open": "at the next bar's open", "close": "at the close of its own bar"}.get(
        rules.fill, f"at the next bar's {rules.fill_column}"
    )
    said = [f"{percent(costs.fee, 3)} of the traded value"] if costs.fee else []
    said += [f"{percent(rate, 3)} of the value from {money(start)}" for start, rate in costs.tiers]
    said += [f"{money(costs.unit_fee)} per unit"] if costs.unit_fee else []
    said += [f"at least {money(costs.minimum_fee)}"] if costs.minimum_fee else []
    said += [f"{money(costs.fixed_fee)} per order"] if costs.fixed_fee else []
    slips = [f"{percent(costs.slippage, 3)} of the price"] if costs.slippage else []
    slips += [f"{costs.slippage_ticks:g} ticks"] if costs.slippage_ticks else []
    slips += [f"{percent(costs.impact, 3)} times the share of the volume"] if costs.impact else []
    return [
        ("Fill", f"a signal fills {fill}"),
        ("Size", f"an entry trades {_size(rules.size)}"),
        ("Fees", ", ".join(said) or "none"),
        ("Slippage", ", ".join(slips) or "none"),
        ("Cash", f"{money(rules.cash)} at the start, one account per symbol"),
        *_further(rules),
    ]


def _size(size: Size) -> str:
    match size:
        case AllCash():
            return "all cash"
        case Fraction():
            return f"{percent(size.value)} of the cash"
        case Quantity():
            return f"{size.value:g} units, as far as the cash goes"
        case EquityFraction():
            return f"{percent(size.value)} of the equity"
        case VolatilityTarget():
            return (
                f"what has a volatility of {percent(size.value)} a year over the last {size.window} bars, "
                f"at most {percent(size.most)} of the equity"
            )
    return f"a value of {money(size.value)}, as far as the cash goes"


def _further(rules: Rules) -> list[tuple[str, str]]:
    """Every other rule that is not at its default, by its name and as it was written."""
    default = Rules()
    names = (
        "instrument",
        "margin",
        "events",
        "accumulate",
        "shortfall",
        "volume_share",
        "conflicts",
        "stop_rules",
    )
    found = []
    for name in names:
        value = getattr(rules, name)
        if value != getattr(default, name):
            found.append(
                (name.replace("_", " ").capitalize(), value if isinstance(value, str) else _changed(value))
            )
    return found


def _changed(rule: object) -> str:
    """The fields of a rule that are not at their default."""
    if not is_dataclass(rule):
        return f"{rule:g}" if isinstance(rule, float) else str(rule)
    changed = [(f.name, getattr(rule, f.name)) for f in fields(rule) if getattr(rule, f.name) != f.default]
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in changed
    )


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
