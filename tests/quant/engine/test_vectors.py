"""Operations on eight numbers at once are the operations on each of them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from grn.quant.engine import vectors
from grn.quant.engine.vectors import WIDTH

SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 5e-324, 1.7e308, 3.0, math.nan, 0.1, -7.0, 1e-300]
)


def compiled(text: str, **names: Any) -> Callable[..., Any]:
    """Compile a function named `f` whose text may use the vector operations."""
    space: dict[str, Any] = {**vars(vectors), "sqrt": math.sqrt, **names}
    exec(text, space)  # noqa: S102  # written below
    return numba.njit(error_model="numpy")(space["f"])  # type: ignore[no-any-return]  # numba's dispatcher


def draws(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of eight numbers, zeros of both signs, infinities and NaN among them."""
    rng = np.random.default_rng(0)
    return [(rng.choice(SPECIAL, WIDTH), rng.choice(SPECIAL, WIDTH)) for _ in range(n)]


def lanes(mask: int) -> list[bool]:
    """A mask's truth values."""
    return [bool(mask >> k & 1) for k in range(WIDTH)]


@pytest.mark.parametrize("sign", ["+", "-", "*", "/"])
def test_arithmetic_is_numpys(sign: str) -> None:
    """Each lane has NumPy's bits: they are held apart by adding each lane alone to nothing."""
    f = compiled(
        "def f(a, b, k):\n"
        f"    v = load(a, 0) {sign} load(b, 0)\n"
        "    return add_up(-0.0, choose(first_lanes(k + 1) & ~first_lanes(k), v, splat(-0.0)))"
    )
    way = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[sign]
    with np.errstate(all="ignore"):
        for a, b in draws(50):
            got = np.array([f(a, b, k) for k in range(WIDTH)])
            want = way(a, b)
            same = (got.view(np.int64) == want.view(np.int64)) | (np.isnan(got) & np.isnan(want))
            assert same.all(), (a, b, got, want)


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparisons_are_pythons(name: str) -> None:
    """No comparison holds with a missing value, but "not equal"."""
    sign = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}[name]
    f = compiled(f"def f(a, b):\n    return bits(load(a, 0) {sign} load(b, 0))")
    compare = getattr(operator, name)
    for a, b in draws(100):
        assert lanes(f(a, b)) == [compare(x, y) for x, y in zip(a, b, strict=True)]


def test_logic_and_choice_go_lane_by_lane() -> None:
    """And, or, exclusive or, not; one of two numbers or truth values for each lane."""
    f = compiled(
        "def f(a, b):\n"
        "    x, y = load(a, 0) > splat(0.0), load(b, 0) > splat(0.0)\n"
        "    z = choose(x, y, whole(True)) == choose(x, y, whole(True)) if False else choose(x, y, ~y)\n"
        "    return bits(x & y), bits(x | y), bits(x != y), bits(z)"
    )
    for a, b in draws(50):
        x, y = a > 0, b > 0
        both, either, one, chosen = f(a, b)
        assert lanes(both) == (x & y).tolist()
        assert lanes(either) == (x | y).tolist()
        assert lanes(one) == (x ^ y).tolist()
        assert lanes(chosen) == np.where(x, y, ~y).tolist()


def test_functions_of_one_vector() -> None:
    """Sign, size and square root: the root of a negative number is missing."""
    f = compiled(
        "def f(a, k):\n"
        "    only = first_lanes(k + 1) & ~first_lanes(k)\n"
        "    v = load(a, 0)\n"
        "    none = splat(-0.0)\n"
        "    return (add_up(-0.0, choose(only, -v, none)), add_up(-0.0, choose(only, abs(v), none)),\n"
        "            add_up(-0.0, choose(only, sqrt(v), none)))"
    )
    with np.errstate(all="ignore"):
        for a, _ in draws(40):
            got = np.array([f(a, k) for k in range(WIDTH)])
            for column, want in zip(got.T, (-a, np.abs(a), np.sqrt(a)), strict=True):
                assert np.array_equal(column, want, equal_nan=True), (a, column, want)


def test_lanes_are_added_in_their_order() -> None:
    """Sums and differences take lane after lane: another order gives other bits, and those are not these."""
    f = compiled(
        "def f(a, x):\n"
        "    v = load(a, 0)\n"
        "    return add_up(x, v), take_off(x, v), lane_at(v, 7), add_up(0.0, shifted(x, v))"
    )
    rng = np.random.default_rng(1)
    differs = 0
    for _ in range(200):
        a, x = rng.normal(0, 10.0 ** rng.integers(-8, 8, WIDTH)), float(rng.normal())
        up = down = x
        for value in a:
            up, down = up + value, down - value
        pushed = 0.0
        for value in (x, *a[:-1]):
            pushed = pushed + value
        assert f(a, x) == (up, down, a[-1], pushed)
        differs += up != x + a.sum()
    assert differs > 50


def test_a_row_and_an_empty_table_live_on_the_stack() -> None:
    """Rows take and give numbers; a log without rows has none."""
    f = compiled(
        "def f():\n    r = row(3)\n    r[0] = 2.5\n    r[2] = r[0] * 2.0\n    return r[2], len(no_rows(11))"
    )
    assert f() == (5.0, 0)


@pytest.mark.parametrize("n", [1, 7, 63, 64, 65, 128, 1000])
def test_the_next_marked_bar_is_found(n: int) -> None:
    """From any bar on, whatever the bits behind the last bar hold."""
    f = compiled("def f(words, t, n):\n    return next_bar(words, 1, t, n)")
    g = compiled("def f(words, t):\n    return holds(words, 1, t)")
    rng = np.random.default_rng(n)
    for density in (0.0, 0.01, 0.3):
        truth = rng.random(n) < density
        places = 64 * -(-n // 64)
        noise = np.concatenate([truth, rng.random(places - n) < 0.5])
        marks = np.zeros((2, 8 + places // 8 + 8), np.uint8)
        marks[1, 8:-8] = np.packbits(noise, bitorder="little")
        words = marks.view(np.int64)
        for t in range(n):
            hits = np.flatnonzero(truth[t:])
            assert f(words, t, n) == (t + hits[0] if len(hits) else n)
            assert g(words, t) == truth[t]
