"""Numbers as people read them: one rule per unit, a real minus sign, a dash where there is none."""

from __future__ import annotations

import math
from typing import Final

from grn.quant.metrics.registry import Metric

MISSING: Final = "–"


def plain(value: float, digits: int = 2) -> str:
    """A number with thousands separators."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.{digits}f}"
    # A small negative number must not read as minus zero.
    return (text.removeprefix("-") if not text.strip("-0.,") else text).replace("-", "−")


def percent(value: float, digits: int | None = None) -> str:
    """A fraction as percent: one digit, two below 10 %, below 0.1 % as many as show two that are not zero."""
    if digits is None:
        size = abs(value * 100.0)
        digits = 1 if not size < 9.95 else 2
        # Below a millionth of a percent it is rounding, not a number to be read.
        if 1e-6 <= size < 0.1:
            digits = 1 - math.floor(math.log10(size))
    return plain(value * 100.0, digits) + ("\N{NO-BREAK SPACE}%" if math.isfinite(value) else "")


def money(value: float) -> str:
    """An amount in account currency: cents only where they can be seen."""
    return plain(value, 0 if abs(value) >= 1_000 else 2)


def show(metric: Metric, value: float) -> str:
    """A metric's value in its unit."""
    if metric.unit == "percent":
        return percent(value)
    if metric.unit == "currency":
        return money(value)
    if metric.unit == "bars" and math.isfinite(value):
        return count(round(value), "bar")
    return plain(value, 0 if metric.unit == "count" else 2)


def short(value: float) -> str:
    """A parameter's value."""
    return f"{value:g}".replace("-", "−")


def count(n: int, noun: str, plural: str | None = None) -> str:
    """``1 trade``, ``2 trades``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
