"""Numbers that a rule takes, checked where they are written down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

from grn.kit.errors import UsageError


def check_number(name: str, value: object, allowed: Callable[[float], bool], bounds: str) -> float:
    """A finite number within bounds, as a float; -0.0 becomes 0.0, so that equal rules have equal bytes."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number", seen=repr(value))
    if not allowed(value):
        raise UsageError(f"{name} must be {bounds}", seen=f"{value:g}")
    return float(value) + 0.0


def check_share(name: str, value: object) -> float:
    """A number of at least 0 and below 1."""
    return check_number(name, value, lambda x: 0.0 <= x < 1.0, "at least 0 and below 1")


def check_positive(name: str, value: object) -> float:
    """A number above 0."""
    return check_number(name, value, lambda x: x > 0.0, "above 0")


def check_amount(name: str, value: object) -> float:
    """A number of at least 0."""
    return check_number(name, value, lambda x: x >= 0.0, "at least 0")


def check_choice(name: str, value: object, literal: object) -> None:
    """One of the words of a Literal type."""
    words = get_args(literal)
    if value not in words:
        raise UsageError(f"unknown {name}", seen=repr(value), hint=f"use {', '.join(map(repr, words))}")
