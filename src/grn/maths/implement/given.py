"""What functions are measured and tested with where an argument is no number: matrices, and functions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np

from grn.maths.implement.accuracy import LARGEST, SMALLEST, STEP, UNIT, Floats, draw
from grn.maths.implement.results import Derivation
from grn.maths.sizes import NUMBER
from grn.maths.verdict import BeyondError

LENGTHS = (3, 2, 4)
"""What the sizes that a document names are, in its order: no two of the first three are alike."""

DIGITS = 50
SAMPLES = 48

FUNCTIONS = {
    1: ("np.cos", "mp.cos"),
    2: ("lambda a, b: np.cos(a * b) + a", "lambda a, b: mp.cos(a * b) + a"),
}
"""Functions that arguments stand for, by how many numbers they take: for NumPy and for mpmath. Neither is a
polynomial, so that a scheme that is wrong in a high order shows."""


def function_for(count: int, exact: bool) -> str:
    """The source of a function that takes so many numbers.

    Raises
    ------
    BeyondError
        There is none.
    """
    if count not in FUNCTIONS:
        raise BeyondError(f"a function of {count} arguments to call")
    return FUNCTIONS[count][exact]


def bind_functions(
    function: Callable[..., Any], derivation: Derivation, arguments: Sequence[str], exact: bool
) -> Callable[..., Any]:
    """A function of the numbers among its arguments, the functions among them filled in."""
    if not any(key in derivation.callables for key in arguments):
        return function
    room = {"np": np, "mp": mpmath.mp}
    given = {
        place: eval(function_for(derivation.callables[key], exact), room)  # noqa: S307 one of the table above
        for place, key in enumerate(arguments)
        if key in derivation.callables
    }

    def bound(*numbers: Any) -> Any:
        rest = iter(numbers)
        return function(*(given[place] if place in given else next(rest) for place in range(len(arguments))))

    return bound


def plain(derivation: Derivation, arguments: Sequence[str]) -> tuple[str, ...]:
    """The arguments that are numbers or arrays."""
    return tuple(key for key in arguments if key not in derivation.callables)


def has_arrays(derivation: Derivation, arguments: Sequence[str]) -> bool:
    """Whether one of the arguments is a matrix, a row or a column."""
    return any(derivation.is_array(key) for key in arguments)


def lengths(derivation: Derivation) -> dict[str, int]:
    """How long each size is that the document names."""
    texts = [text for size in derivation.sizes.known.values() for text in size if not text.isdigit()]
    return {text: LENGTHS[min(place, 2)] for place, text in enumerate(dict.fromkeys(texts))}


def shape_of(derivation: Derivation, key: str) -> tuple[int, ...]:
    """The shape of an argument: rows and columns have one dimension."""
    known = lengths(derivation)
    size = [int(text) if text.isdigit() else known[text] for text in derivation.sizes.known.get(key, NUMBER)]
    texts = derivation.sizes.known.get(key, NUMBER)
    return tuple(length for length, text in zip(size, texts, strict=True) if text != "1")


def kind_of(derivation: Derivation, key: str) -> str:
    """What is said of a matrix: ``definite``, ``semidefinite``, ``symmetric``, ``orthogonal``, or nothing."""
    said = {word[0] for word in derivation.symbols.words if key in word[1:]}
    kinds = ("definite", "semidefinite", "symmetric", "orthogonal")
    return next((word for word in kinds if word in said), "")


def draw_given(
    derivation: Derivation, arguments: Sequence[str], rng: random.Random, *, mild: bool
) -> list[Floats]:
    """One value for each argument that is no function.

    Parameters
    ----------
    mild
        Numbers of two digits around 1; otherwise over six orders of magnitude.
    """
    found = []
    for key in plain(derivation, arguments):
        if derivation.is_array(key):
            scale = 1.0 if mild else 10 ** rng.uniform(-3, 3)
            found.append(scale * _matrix(shape_of(derivation, key), kind_of(derivation, key), rng))
        else:
            found.append(np.array(draw(derivation.range(key), rng, mild), dtype=np.float64))
    return found


def _matrix(shape: tuple[int, ...], kind: str, rng: random.Random) -> Floats:
    if kind == "orthogonal":
        return np.eye(shape[0], dtype=np.float64)[::-1]
    count = int(np.prod(shape))
    drawn: Floats = np.array([rng.randint(-20, 20) / 10 for _ in range(count)], dtype=np.float64).reshape(
        shape
    )
    made: Floats = drawn
    if kind == "semidefinite":
        made = np.outer(drawn[0], drawn[0])
    elif kind == "definite":
        made = drawn @ drawn.T + np.eye(shape[0])
    elif kind == "symmetric":
        made = drawn + drawn.T
    return np.asarray(np.round(made, 2), dtype=np.float64)


def exactly(value: Any) -> Any:
    """A number or an array for mpmath: what has one dimension is a column."""
    return mpmath.matrix(value.tolist()) if np.ndim(value) else mpmath.mpf(float(value))


def measure_arrays(
    function: Callable[..., Any],
    original: Callable[..., Any],
    derivation: Derivation,
    arguments: Sequence[str],
) -> tuple[Floats, Floats]:
    """Errors in units at drawn arguments, and the size of the first array or number of them, (samples,).

    The error is that of the worst entry, its unit what rounding does to the largest: ``u max |X|`` and the
    changes when the entries of one argument move by ``u``.
    """
    rng = random.Random(f"wide {' '.join(arguments)}")
    errors, sizes = [], []
    for _ in range(SAMPLES):
        at = draw_given(derivation, arguments, rng, mild=False)
        with mpmath.workdps(DIGITS):
            unit, exact = _unit(original, [exactly(value) for value in at])
        with np.errstate(all="ignore"):
            value = np.asarray(function(*at), dtype=np.float64).ravel()
        if unit is None or not exact:
            continue
        with mpmath.workdps(DIGITS):
            gaps = [abs(mpmath.mpf(float(x)) - e) for x, e in zip(value, exact, strict=True)]
            errors.append(float(max(gaps) / unit) if np.isfinite(value).all() else float("inf"))
        sizes.append(float(np.abs(next((x for x in at if np.ndim(x)), at[0])).max()))
    if not errors:
        raise BeyondError("nowhere in its domain has it a value that float64 holds")
    return np.array(errors), np.array(sizes)


def _unit(original: Callable[..., Any], at: list[Any]) -> tuple[Any, list[Any]]:
    """One unit, and the exact entries; None where there is no value."""
    try:
        exact = entries_of(original(*at))
        unit = UNIT * max(map(abs, exact)) + SMALLEST
        for place, value in enumerate(at):
            moved = entries_of(original(*at[:place], nudged(value), *at[place + 1 :]))
            unit += max(abs(x - y) for x, y in zip(moved, exact, strict=True)) / STEP
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return None, []
    return (None, []) if max(map(abs, exact)) > LARGEST else (unit, exact)


def nudged(value: Any) -> Any:
    """A value whose entries are moved by some roundings, up and down in turns: symmetric ones stay so."""
    if not isinstance(value, mpmath.matrix):
        return value * (1 + STEP * UNIT)
    moved = value.copy()
    for i in range(value.rows):
        for j in range(value.cols):
            moved[i, j] *= 1 + STEP * UNIT * (-1) ** (i + j)
    return moved


def entries_of(value: Any) -> list[Any]:
    """The entries of a matrix by rows, or a number alone."""
    return list(value) if isinstance(value, mpmath.matrix) else [value]
