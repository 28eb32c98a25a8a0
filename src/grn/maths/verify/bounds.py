"""Interval bounds: a formula's values over a box of its domain, by bisection with balls that cannot err."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.enclosure import UndefinedError, enclose, to_ball
from grn.maths.deciders.identity import work_out
from grn.maths.implement.bounded import bounded
from grn.maths.implement.results import Derivation, identifier
from grn.maths.verdict import BeyondError
from grn.maths.verify.contracts import Contract, form_of

BOXES = 600
"""Boxes that are looked at for one formula: a limit of work, which no clock moves."""

OPERATIONS = 30_000
"""Operations with balls for one formula, about: a long one is looked at in fewer boxes."""

TIME_S = 120.0
"""A safety net: what the limits of work allow takes seconds."""

_HALF_AS_WIDE = 8.0
"""A range of positive numbers whose ends differ by more than this factor is split at its geometric mean."""

Box = tuple[tuple[Fraction, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """What is certain of a formula over a box: it is defined everywhere, between two numbers.

    Attributes
    ----------
    boxes
        Parts of the box that were looked at.
    """

    low: float
    high: float
    boxes: int


def bound(contract: Contract, key: str, derivation: Derivation) -> Bound:
    """Bound a result over all that its contract draws from.

    Raises
    ------
    BeyondError
        Something in it cannot be enclosed, or the limit of work is met before it is defined everywhere.
    """
    found = bounded(lambda: _bound_or_why(contract, key, derivation), TIME_S)
    if isinstance(found, str):
        raise BeyondError(found)
    return found


def _bound_or_why(contract: Contract, key: str, derivation: Derivation) -> Bound | str:
    """A bound, or why there is none: an error does not leave a child process."""
    try:
        return _bound(contract, key, derivation)
    except BeyondError as error:
        return str(error)


def _bound(contract: Contract, key: str, derivation: Derivation) -> Bound:
    algebra = Algebra(derivation.symbols.copy())
    form = form_of(key, contract.step, derivation)
    # A quotient's ball may reach 0 where neither side does: its logarithm is that of both sides.
    expression = sp.expand_log(work_out(algebra.convert(form.tree), algebra))
    symbols = {identifier(name): algebra.symbol(name) for name in derivation.arguments(key)}
    missing = expression.free_symbols - set(symbols.values())
    if missing:
        raise BeyondError(f"{min(map(str, missing))} has no range")
    order = [symbols[parameter.name] for parameter in contract.parameters]
    whole = tuple(
        (Fraction(parameter.low or 0.0), Fraction(parameter.high or 0.0)) for parameter in contract.parameters
    )
    return enclose_box(expression, order, whole)


def enclose_box(expression: Any, symbols: list[Any], whole: Box) -> Bound:
    """Enclose an expression over a box: first until it is defined everywhere, then closer.

    The part that reaches farthest is split next, upwards and downwards in turn.
    """
    most = max(32, min(BOXES, OPERATIONS // (1 + int(expression.count_ops()))))
    parts: dict[Box, tuple[float, float]] = {}
    waiting, seen, turn = [whole], 0, 0
    highest: list[tuple[float, Box]] = []
    lowest: list[tuple[float, Box]] = []
    while waiting:
        box = waiting.pop()
        seen += 1
        found = _ends(expression, dict(zip(symbols, box, strict=True)))
        if found is None:
            if seen + len(waiting) >= most or all(low == high for low, high in box):
                raise BeyondError(f"not defined for certain in {_told(symbols, box)}")
            waiting += split(box)
            continue
        parts[box] = found
        heapq.heappush(highest, (-found[1], box))
        heapq.heappush(lowest, (found[0], box))
        if not waiting and seen < most and symbols:
            turn += 1
            heap = highest if turn % 2 else lowest
            while heap and heap[0][1] not in parts:
                heapq.heappop(heap)
            if heap and any(low < high for low, high in heap[0][1]):
                _, worst = heapq.heappop(heap)
                del parts[worst]
                waiting += split(worst)
    return Bound(min(low for low, _ in parts.values()), max(high for _, high in parts.values()), seen)


def split(box: Box) -> tuple[Box, Box]:
    """Both halves of a box, along the range that is widest for what it holds."""
    place = max(range(len(box)), key=lambda k: _width(box[k]))
    low, high = box[place]
    middle = (low + high) / 2
    if low > 0 and high > _HALF_AS_WIDE * low:
        middle = Fraction(math.sqrt(float(low) * float(high)))
    return (
        (*box[:place], (low, middle), *box[place + 1 :]),
        (*box[:place], (middle, high), *box[place + 1 :]),
    )


def _width(ends: tuple[Fraction, Fraction]) -> float:
    low, high = ends
    if low > 0 and high > _HALF_AS_WIDE * low:
        return math.log(float(high) / float(low))
    return float(high - low)


def _ends(expression: Any, ranges: Mapping[Any, tuple[Fraction, Fraction]]) -> tuple[float, float] | None:
    """Both ends of an expression's values, rounded outwards; None where it is not defined for certain."""
    balls = {name: to_ball(low).union(to_ball(high)) for name, (low, high) in ranges.items()}
    try:
        ball = enclose(expression, balls)
    except UndefinedError:
        return None
    low, high = float(ball.lower()), float(ball.upper())
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)


def _told(symbols: list[Any], box: Box) -> str:
    return ", ".join(
        f"{float(low):g} <= {name} <= {float(high):g}" for name, (low, high) in zip(symbols, box, strict=True)
    )
