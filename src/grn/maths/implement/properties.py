"""Tests of a module for Hypothesis: every function is the formula that it was written from."""

from __future__ import annotations

import math

from grn.maths.deciders.domain import Range
from grn.maths.implement.accuracy import DIGITS, FAR, LARGEST, NEAR, SMALLEST, tie_sources
from grn.maths.implement.function import Function
from grn.maths.implement.given import function_for, kind_of, plain, shape_of
from grn.maths.implement.module import Implemented, originals_source
from grn.maths.implement.results import Derivation, identifier

LEAST_FACTOR = 1024
"""Units of error that a property allows at least: ten bits above what rounding the arguments does."""


def properties_source(made: Implemented, module: str) -> str:
    """Tests for Hypothesis: a function is its formula over its domain; none of one that is lost."""
    held = [function for function in made.functions if not function.lost]
    tied = any(tie_sources(made.derivation, function.arguments) for function in held)
    head = _HEAD.format(
        module=module,
        drawing="assume, given, settings" if tied else "given, settings",
        digits=DIGITS,
        largest=LARGEST,
        smallest=SMALLEST,
        near=NEAR,
    )
    parts = [head, originals_source(made), _HOLD]
    if any(made.derivation.is_of_arrays(function.key) for function in held):
        parts.append(_HOLD_ARRAYS)
    parts += [_property(function, made.derivation) for function in held]
    drawn = "".join(parts)
    if "arrays(" in drawn:
        parts[0] = parts[0].replace("from hypothesis import strategies as st\n", _WITH_ARRAYS)
    if "np." in drawn:
        parts[0] = parts[0].replace(f"import {module} as", f"import numpy as np\nimport {module} as")
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _property(function: Function, derivation: Derivation) -> str:
    factor = 2 ** math.ceil(math.log2(max(LEAST_FACTOR, 16 * function.error)))
    arguments = plain(derivation, function.arguments)
    names = [identifier(key) for key in arguments]
    lines = []
    if names:
        drawn = [
            f"    {name}={_strategy_of(key, derivation)}," for name, key in zip(names, arguments, strict=True)
        ]
        slow = ", max_examples=20" if derivation.is_of_arrays(function.key) else ""
        lines += [f"@settings(deadline=None, derandomize=True{slow})", "@given(", *drawn, ")"]
    kinds = ["Array" if derivation.is_array(key) else "float" for key in arguments]
    takes = ", ".join(f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True))
    lines.append(f"def test_{function.name}_is_its_formula({takes}) -> None:")
    step = function.form.step.number
    lines.append(f'    """Step {step}: within {factor} units of the formula at {DIGITS} digits."""')
    lines += [f"    assume({tie})" for tie in tie_sources(derivation, function.arguments)]
    listed = f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"
    hold = "hold_arrays_to" if derivation.is_of_arrays(function.key) else "hold_to"
    both = [_called(function, derivation, exact) for exact in (False, True)]
    lines.append(f"    {hold}({both[0]}, {both[1]}, {listed}, {factor})")
    return "\n".join(lines)


def _called(function: Function, derivation: Derivation, exact: bool) -> str:
    """What is held: the function, or it with the functions among its arguments filled in."""
    name = f"original_{function.name}" if exact else f"subject.{function.name}"
    if not any(key in derivation.callables for key in function.arguments):
        return name
    free = ", ".join(identifier(key) for key in plain(derivation, function.arguments))
    passed = ", ".join(
        function_for(derivation.callables[key], exact) if key in derivation.callables else identifier(key)
        for key in function.arguments
    )
    return f"lambda {free}: {name}({passed})"


def _strategy_of(key: str, derivation: Derivation) -> str:
    """Numbers of a range; arrays with entries from -2 to 2, and definite ones made of them."""
    if not derivation.is_array(key):
        return _strategy(derivation.range(key))
    shape, kind = shape_of(derivation, key), kind_of(derivation, key)
    if kind == "orthogonal":
        return f"st.permutations(range({shape[0]})).map(lambda order: np.eye({shape[0]})[order])"
    told = shape[0] if len(shape) == 1 else shape
    drawn = f"arrays(np.float64, {told}, elements=st.floats(-2, 2).filter(is_met))"
    made = {
        "definite": f".map(lambda a: a @ a.T + np.eye({shape[0]}))",
        "semidefinite": ".map(lambda a: np.outer(a[0], a[0]))",
        "symmetric": ".map(lambda a: a + a.T)",
    }
    return drawn + made.get(kind, "")


def _strategy(spot: Range) -> str:
    """Where Hypothesis draws from: the declared range, as far as :data:`NEAR` and :data:`FAR`."""
    low = None if spot.low is None else float(spot.low)
    high = None if spot.high is None else float(spot.high)
    if spot.whole:
        first = -6 if low is None else int(low) + (1 if spot.low_open else 0)
        last = first + 12 if high is None else int(high) - (1 if spot.high_open else 0)
        return f"st.integers({first}, {last}).map(float)"
    ends = ""
    if low is None:
        low = -FAR if high is None else high - FAR
    elif low == 0 and spot.low_open:
        low = NEAR
    elif spot.low_open:
        ends = ", exclude_min=True"
    if high is None:
        high = low + FAR if spot.low is not None else FAR
    elif spot.high_open:
        ends += ", exclude_max=True"
    written = f"st.floats({low!r}, {high!r}{ends})"
    if low < 0 < high:
        written += ".filter(is_met)"
    return written + (".filter(bool)" if spot.nonzero else "")


_HEAD = '''"""Properties of {module}: every function is the formula that it was written from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import {module} as subject
from hypothesis import {drawing}
from hypothesis import strategies as st
from mpmath import mp

DIGITS, LARGEST, SMALLEST, NEAR = {digits}, {largest}, {smallest}, {near}
UNIT = 2.0**-53
Function = Callable[..., Any]
'''

_HOLD = '''
def is_met(x: float) -> bool:
    """Whether a number is 0, or large enough for the digits of the formula."""
    return x == 0 or abs(x) >= NEAR


def hold_to(function: Function, original: Function, at: tuple[float, ...], units: int) -> None:
    """Hold a value to its formula; one unit is what rounding the arguments does to the value."""
    with mp.workdps(DIGITS):
        exact_at = [mp.mpf(x) for x in at]
        try:
            exact = mp.mpf(original(*exact_at))
            steps = [(*exact_at[:i], x * (1 + 16 * UNIT), *exact_at[i + 1 :]) for i, x in enumerate(exact_at)]
            moved = [original(*beside) for beside in steps]
        except (ZeroDivisionError, OverflowError):
            return  # the formula has no value here
        unit = abs(exact) * UNIT + sum(abs(x - exact) for x in moved) / 16 + SMALLEST
        if abs(exact) > LARGEST:
            return  # nor has float64 one
        assert abs(mp.mpf(float(function(*at))) - exact) <= units * unit
'''

_WITH_ARRAYS = """from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
"""

_HOLD_ARRAYS = '''
Array = np.ndarray[Any, np.dtype[np.float64]]


def hold_arrays_to(function: Function, original: Function, at: tuple[Any, ...], units: int) -> None:
    """Hold the worst entry to the formula; one unit is what rounding does to the largest."""
    with mp.workdps(50):
        exact_at = [mp.matrix(x.tolist()) if np.ndim(x) else mp.mpf(x) for x in at]
        exact = entries_of(original(*exact_at))
        unit = UNIT * max(map(abs, exact)) + SMALLEST
        for i, x in enumerate(exact_at):
            moved = entries_of(original(*exact_at[:i], nudged(x), *exact_at[i + 1 :]))
            unit += max(abs(a - b) for a, b in zip(moved, exact, strict=True)) / 16
        value = np.asarray(function(*at), dtype=np.float64).ravel().tolist()
        assert max(abs(mp.mpf(a) - b) for a, b in zip(value, exact, strict=True)) <= units * unit


def entries_of(value: Any) -> list[Any]:
    """The entries of a matrix by rows, or a number alone."""
    return list(value) if isinstance(value, mp.matrix) else [value]


def nudged(value: Any) -> Any:
    """A value whose entries are moved by sixteen roundings, up and down in turns."""
    if not isinstance(value, mp.matrix):
        return value * (1 + 16 * UNIT)
    moved = value.copy()
    for i in range(value.rows):
        for j in range(value.cols):
            moved[i, j] *= 1 + 16 * UNIT * (-1) ** (i + j)
    return moved
'''
