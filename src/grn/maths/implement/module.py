"""The files that come of a derivation: module, tests of its properties, picture of its errors, trace."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.files import sha256_hex, write_atomic
from grn.maths.deciders.domain import Range
from grn.maths.implement.accuracy import DIGITS, FAR, LARGEST, NEAR, SMALLEST, tie_sources
from grn.maths.implement.function import Function, write_function, write_original
from grn.maths.implement.plot import Panel, draw_panels
from grn.maths.implement.results import Derivation, identifier

LEAST_FACTOR = 1024
"""Units of error that a property allows at least: ten bits above what rounding the arguments does."""


@dataclass(frozen=True, slots=True)
class Implemented:
    """Functions of a derivation, in the order in which they use each other.

    Attributes
    ----------
    skipped
        Results without a function, each with the reason.
    """

    derivation: Derivation
    functions: tuple[Function, ...]
    panels: tuple[Panel, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def names(self) -> dict[str, str]:
        """Python's names by key."""
        return {function.key: function.name for function in self.functions}


def module_source(made: Implemented) -> str:
    """The module: typed functions that take arrays."""
    names = made.names
    bodies = [write_function(function, made.derivation, names) for function in made.functions]
    text = "\n\n".join(bodies)
    imports = ["import numpy as np", "from numpy.typing import ArrayLike, NDArray"]
    if "special." in text:
        imports.append("from scipy import special")
    head = f'"""Computed from {made.derivation.checked.path.name}, whose steps are checked."""\n'
    return (
        f"{head}\nfrom __future__ import annotations\n\n" + "\n".join(imports) + "\n\n"
        "Array = NDArray[np.float64]\n\n\n" + text
    )


def originals_source(made: Implemented, keys: Sequence[str] | None = None) -> str:
    """Formulas as they stand in the document, for mpmath."""
    names = made.names
    chosen = [f for f in made.functions if keys is None or f.key in keys]
    return "\n\n".join(write_original(function, made.derivation, names) for function in chosen)


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
    parts += [_property(function, made.derivation) for function in held]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _property(function: Function, derivation: Derivation) -> str:
    factor = 2 ** math.ceil(math.log2(max(LEAST_FACTOR, 16 * function.error)))
    names = [identifier(key) for key in function.arguments]
    lines = []
    if names:
        drawn = [
            f"    {name}={_strategy(derivation.range(key))},"
            for name, key in zip(names, function.arguments, strict=True)
        ]
        lines += ["@settings(deadline=None, derandomize=True)", "@given(", *drawn, ")"]
    takes = ", ".join(f"{name}: float" for name in names)
    lines.append(f"def test_{function.name}_is_its_formula({takes}) -> None:")
    step = function.form.step.number
    lines.append(f'    """Step {step}: within {factor} units of the formula at {DIGITS} digits."""')
    lines += [f"    assume({tie})" for tie in tie_sources(derivation, function.arguments)]
    listed = f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"
    lines.append(f"    hold_to(subject.{function.name}, original_{function.name}, {listed}, {factor})")
    return "\n".join(lines)


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


def trace_of(made: Implemented, module: Path) -> dict[str, Any]:
    """What of the document each function computes."""
    document = made.derivation.checked.path
    return {
        "document": Path(os.path.relpath(document, module.parent)).as_posix(),
        "document_sha256": sha256_hex(document.read_bytes()),
        "module": module.name,
        "module_sha256": sha256_hex(module_source(made).encode()),
        "functions": [
            {
                "name": function.name,
                "of": function.key,
                "step": function.form.step.number,
                "latex": function.form.step.formula.latex,
                "verdict": function.form.step.verdict.kind,
                "rule": function.form.step.verdict.rule,
                "arguments": [identifier(key) for key in function.arguments],
                "rewritten": function.rules,
                "error_units": units(function.error),
                "error_units_as_written": units(function.naive_error),
            }
            for function in made.functions
        ],
    }


def units(error: float) -> float | None:
    """An error to three digits; None where a value is no number at all."""
    return float(f"{error:.3g}") if math.isfinite(error) else None


def trace_path(module: Path) -> Path:
    """Where the trace of a module lies: beside it."""
    return module.with_suffix(".trace.json")


def write_files(made: Implemented, module: Path) -> list[Path]:
    """Write module, properties, picture and trace; each is whole or absent."""
    tests = module.with_name(f"test_{module.stem}.py")
    picture = module.with_suffix(".svg")
    write_atomic(module, module_source(made))
    write_atomic(tests, properties_source(made, module.stem))
    write_atomic(picture, draw_panels(made.panels))
    write_atomic(trace_path(module), json.dumps(trace_of(made, module), indent=1, ensure_ascii=False) + "\n")
    return [module, tests, picture, trace_path(module)]


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
