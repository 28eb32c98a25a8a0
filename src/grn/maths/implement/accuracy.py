"""How exact a function is over its domain: NumPy's value against 160 digits, in units that are fair.

One unit is what rounding the arguments alone does to the value: ``u |f|`` and the changes when each argument
moves by some ``u |x_i|``, with ``u = 2**-53``: what a backward stable algorithm is wrong by (Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., section 1.6). A formula that cancels is wrong by many units,
one that does not by a few.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from grn.maths.deciders.domain import Range
from grn.maths.implement.emit import Emitter, written
from grn.maths.implement.results import Derivation, free_keys, identifier
from grn.maths.verdict import BeyondError

DIGITS = 160
"""Enough for what cancels in a formula: ``1 - erf(16)`` takes 113 of them."""
NEAR, FAR = 1e-9, 16.0
"""A name without bounds is searched between these magnitudes: log-uniformly, so that small values are met."""

LARGEST, SMALLEST = 1e290, 1e-280
"""Values beyond the first are left out; errors below the second are none: there float64 ends."""

_CORNERS = (NEAR, 1.0, FAR)

UNIT = 2.0**-53
STEP = 16
"""Roundings by which an argument is moved: several, so that the change counts where a derivative is 0."""

Floats = NDArray[np.float64]
Environment = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """Points of a domain with the exact value and one unit of error at each.

    Attributes
    ----------
    points
        Points by argument, (arguments, points).
    exact, unit
        Value and unit at each point, (points,).
    """

    points: Floats
    exact: list[Any]
    unit: list[Any]

    def errors(self, values: Floats) -> Floats:
        """Errors of values in units, (points,); infinite where a value is no number."""
        found = np.empty(len(self.exact))
        for place, (value, exact, unit) in enumerate(zip(values, self.exact, self.unit, strict=True)):
            found[place] = (
                float(abs(mpmath.mpf(float(value)) - exact) / unit) if math.isfinite(value) else math.inf
            )
        return found


def numeric() -> Environment:
    """What code for NumPy is run in."""
    types = {"ArrayLike": ArrayLike, "Array": NDArray[np.float64], "Callable": Callable}
    return {"np": np, "special": special, **types}


def exact() -> Environment:
    """What code for mpmath is run in."""
    return {"mp": mpmath.mp, "Any": Any}


def run_source(source: str, environment: Environment) -> None:
    """Run code that :mod:`grn.maths.implement.emit` wrote: arithmetic of names that were read."""
    exec(compile(source, "<derivation>", "exec", dont_inherit=True), environment)  # noqa: S102 printed from a typed tree


def draw_points(
    derivation: Derivation, arguments: Sequence[str], count: int, *, mild: bool = False
) -> Floats:
    """Points at which every assumption holds, (arguments, points); the same ones each time.

    Parameters
    ----------
    mild
        Three digits and magnitudes around 1, as a person would write them.
    """
    rng = random.Random(f"{'mild' if mild else 'wide'} {' '.join(arguments)}")
    spots = [derivation.range(key) for key in arguments]
    ties = _ties(derivation, arguments)
    found: list[list[float]] = []
    for _ in range(count * 50):
        if len(found) == count:
            break
        point = [draw(spot, rng, mild) for spot in spots]
        values = dict(zip(map(identifier, arguments), point, strict=True))
        if all(spot.holds(Fraction(x)) for spot, x in zip(spots, point, strict=True)) and ties(values):
            found.append(point)
    return np.array(found, dtype=np.float64).reshape(len(found), len(arguments)).T


def draw(spot: Range, rng: random.Random, mild: bool) -> float:
    """A number of a range."""
    if spot.whole:
        return float(spot.draw(rng))
    low = None if spot.low is None else float(spot.low)
    high = None if spot.high is None else float(spot.high)
    if mild:
        if low is not None and high is not None:
            return _three(low + (high - low) * rng.uniform(0.1, 0.9))
        size = rng.uniform(0.3, 1.7)
        if low is not None:
            return _three(low + size)
        return _three(high - size) if high is not None else _three(rng.choice((-1, 1)) * size)
    size = (
        rng.choice(_CORNERS) if rng.random() < 0.3 else 10 ** rng.uniform(math.log10(NEAR), math.log10(FAR))
    )
    if low is not None and high is not None:
        near = (high - low) * (rng.random() if rng.random() < 0.5 else min(size / FAR, 1.0))
        return low + near if rng.random() < 0.5 else high - near
    if low is not None:
        return low + size
    return high - size if high is not None else rng.choice((-1, 1)) * size


def _three(value: float) -> float:
    return float(f"{value:.3g}")


def tie_sources(derivation: Derivation, arguments: Sequence[str]) -> list[str]:
    """Assumptions that tie arguments to each other, as Python."""
    found = []
    for relation in derivation.ties():
        names = {*free_keys(relation.left), *free_keys(relation.right)}
        if names <= set(arguments):
            try:
                found.append(written(Emitter(False, lambda key, args: None).condition(relation)))
            except BeyondError:
                continue
    return found


def _ties(derivation: Derivation, arguments: Sequence[str]) -> Callable[[dict[str, float]], bool]:
    sources = tie_sources(derivation, arguments)
    codes = [compile(source, "<derivation>", "eval") for source in sources]

    def hold(values: dict[str, float]) -> bool:
        return all(eval(code, numeric(), dict(values)) for code in codes)  # noqa: S307 as in run_source

    return hold


def sample(
    derivation: Derivation, arguments: Sequence[str], original: Callable[..., Any], count: int
) -> Sample:
    """Points of the domain at which the original has a value, with that value and its unit."""
    points = draw_points(derivation, arguments, count)
    kept, values, units = [], [], []
    for place in range(points.shape[1]):
        with mpmath.workdps(DIGITS):
            told = measure_point(original, [mpmath.mpf(x) for x in points[:, place].tolist()])
        if told is not None:
            kept.append(place)
            values.append(told[0])
            units.append(told[1])
    return Sample(points[:, kept], values, units)


def measure_point(original: Callable[..., Any], at: Sequence[Any]) -> tuple[Any, Any] | None:
    """Value and unit of a function of mpmath at a point; None where it has no value that float64 holds."""
    try:
        value = original(*at)
        moved = [original(*at[:i], x * (1 + STEP * UNIT), *at[i + 1 :]) for i, x in enumerate(at)]
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return None
    every = [value, *moved]
    if any(not isinstance(x, mpmath.mpf | int | float) or not mpmath.isfinite(x) for x in every):
        return None
    if abs(value) > LARGEST:
        return None
    unit = UNIT * abs(value) + sum(abs(x - value) for x in moved) / STEP + SMALLEST
    return mpmath.mpf(value), unit


def evaluate(function: Callable[..., Any], points: Floats) -> Floats:
    """Values of a function for NumPy at points, (points,)."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(function(*points), dtype=np.float64), points.shape[1:])


def badness(errors: Floats) -> float:
    """One number for errors over a domain: the mean of their logarithms, in bits lost."""
    return float(np.mean(np.log2(1 + np.minimum(errors, 1e30)))) if errors.size else 0.0
