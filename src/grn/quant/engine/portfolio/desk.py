"""The desk: the settings of target weights as numbers, for one combination."""

from __future__ import annotations

from collections.abc import Sequence

from grn.quant.engine.portfolio.panel import setting_value
from grn.quant.engine.portfolio.targets import (
    AS_GIVEN,
    AT_NEXT,
    DRIFT,
    EXECUTION,
    FRESH,
    GROSS_LIMIT,
    LARGEST_FIRST,
    LOSS,
    MOST,
    PRO_RATA,
    SELLS_FIRST,
    SETTINGS,
    TRAILS,
    Desk,
)
from grn.quant.engine.series import Binding
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import Weights


def build_desk(weights: Weights, rules: Rules, symbols: Sequence[str], binding: Binding) -> Desk:
    """Everything that steers the account; `symbols` are sorted."""
    x = [0.0] * SETTINGS
    values = {name: setting_value(s, binding) for name, s in weights.settings.items()}
    x[MOST] = values.get("most", 0.0)
    x[GROSS_LIMIT] = values.get("gross_limit", 0.0)
    x[DRIFT] = values["drift"]
    if weights.stop is not None:
        x[LOSS] = values["loss"]
        x[TRAILS] = float(weights.stop.trail)
        x[FRESH] = float(weights.stop.reentry == "fresh")
    named = {"sells_first": SELLS_FIRST, "largest_first": LARGEST_FIRST}
    x[EXECUTION] = float(named.get(weights.order, AS_GIVEN) if isinstance(weights.order, str) else AS_GIVEN)
    x[PRO_RATA] = float(weights.cash_short == "pro_rata")
    x[AT_NEXT] = float(rules.at_next_bar)
    limits = [values.get(f"group_limit {name}", float("inf")) for name in weights.groups]
    order = symbols if isinstance(weights.order, str) else weights.order
    return Desk(x, _groups(weights, symbols), limits, [order.index(s) for s in symbols])


def scopes_of(weights: Weights, symbols: Sequence[str]) -> list[int]:
    """The stop that watches each symbol, or -1."""
    if weights.stop is None:
        return [-1] * len(symbols)
    return [0] * len(symbols) if weights.stop.scope == "portfolio" else _groups(weights, symbols)


def count_stops(weights: Weights) -> int:
    """Accounts of stops to keep."""
    if weights.stop is None:
        return 0
    return 1 if weights.stop.scope == "portfolio" else len(weights.groups)


def _groups(weights: Weights, symbols: Sequence[str]) -> list[int]:
    home = {symbol: g for g, members in enumerate(weights.groups.values()) for symbol in members}
    return [home.get(symbol, -1) for symbol in symbols]
