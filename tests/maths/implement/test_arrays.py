from __future__ import annotations

import importlib
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grn.maths.gate.proposals import propose
from grn.maths.implement.accuracy import numeric, run_source
from grn.maths.implement.build import implement
from grn.maths.implement.files import write_files
from grn.maths.implement.given import draw_given
from grn.maths.implement.module import Implemented, module_source
from tests.maths.documents import derive

FILTER = r"""
Let $F \in \mathbb{R}^{n \times n}$, $H \in \mathbb{R}^{m \times n}$, $P \in \mathbb{R}^{n \times n}$,
$x \in \mathbb{R}^n$, $R \in \mathbb{R}^{m \times m}$, $y \in \mathbb{R}^m$, $I \in \mathbb{R}^{n \times n}$
and $\sigma > 0$.
Let $P$ and $R$ be symmetric positive definite.
$$ a := \sigma F x $$
$$ v := y - H x $$
$$ S := H P H^\top + R $$
$$ K := P H^\top S^{-1} $$
$$ J := (I - K H) P (I - K H)^\top + K R K^\top $$
$$ q := v^\top S^{-1} v $$
$$ \ell := -\frac{m}{2} \ln(2 \pi) - \frac12 \ln(\det(S)) - \frac12 q $$
$$ U := x x^\top + F^2 $$
$$ N := F^{-1} P $$
$$ B := \begin{pmatrix} 1 & \sigma \\ 0 & \frac13 \end{pmatrix} $$
"""


@pytest.fixture(scope="module")
def made() -> Implemented:
    return implement(derive(FILTER))


@pytest.fixture(scope="module")
def room(made: Implemented) -> dict[str, Any]:
    found = numeric()
    run_source(module_source(made), found)
    return found


def drawn(size: int, count: int) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    free = {"F": (size, size), "H": (count, size), "x": (size,), "y": (count,)}
    found: dict[str, Any] = {name: rng.normal(size=shape) for name, shape in free.items()}
    for name, length in (("P", size), ("R", count)):
        root = rng.normal(size=(length, length))
        found[name] = root @ root.T + np.eye(length)
    return {**found, "sigma": 0.3}


@pytest.mark.parametrize(("size", "count"), [(1, 1), (4, 2), (2, 5)])
def test_values_are_those_of_the_textbook(room: dict[str, Any], size: int, count: int) -> None:
    """For matrices of any size, one by one too; the density is SciPy's multivariate normal."""
    from scipy.stats import multivariate_normal

    at = drawn(size, count)
    f, h, x, p, r = (at[name] for name in "FHxPR")
    v, s = at["y"] - h @ x, h @ p @ h.T + r
    gain = p @ h.T @ np.linalg.inv(s)
    left = np.eye(size) - gain @ h
    expected = {
        "a": 0.3 * f @ x, "v": v, "S": s, "K": gain, "J": left @ p @ left.T + gain @ r @ gain.T,
        "q": v @ np.linalg.inv(s) @ v, "ell": multivariate_normal(np.zeros(count), s).logpdf(v),
        "U": np.outer(x, x) + f @ f, "N": np.linalg.inv(f) @ p, "B": np.array([[1, 0.3], [0, 1 / 3]]),
    }  # fmt: skip
    for name, value in expected.items():
        function: Callable[..., Any] = room[name]
        taken = function.__code__.co_varnames[: function.__code__.co_argcount]
        found = function(*(at[key] for key in taken))
        assert np.shape(found) == np.shape(value), name
        np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_inverses_beside_a_factor_are_solved_for(made: Implemented) -> None:
    """No inverse is worked out; the logarithm of a determinant does not go through the determinant."""
    source = module_source(made)
    assert "linalg.inv(" not in source
    assert "linalg.det(" not in source
    assert source.count("np.linalg.solve(") == 3
    assert "value: Array = np.linalg.solve(F, P)" in source
    assert "Of shape (n, n), symmetric positive definite." in source
    assert "Of shape (m,)." in source


def test_errors_are_of_the_worst_entry_in_units_that_are_fair(made: Implemented) -> None:
    """Sums and products are wrong by a few units, what is solved for by some hundreds at most."""
    errors = {function.name: function.error for function in made.functions}
    assert max(errors[name] for name in ("a", "v", "S", "U")) < 8
    assert max(errors.values()) < 1000
    assert {panel.title for panel in made.panels} == errors.keys()


def test_what_has_no_size_has_no_code() -> None:
    """A matrix of which no size is said, and a product of sizes that do not fit, are left out by name."""
    page = r"Let $A$ be a matrix. Let $x > 0$. $$ b := x + 1 $$ $$ t := \operatorname{tr}(A) $$"
    made = implement(derive(page))
    assert [function.key for function in made.functions] == ["b"]
    assert dict(made.skipped)["t"] == "no code for trace"
    page = r"Let $A$ be a matrix, $b \in \mathbb{R}^n$. $$ b_1 := 2 b $$ $$ t := \det(A) $$"
    assert dict(implement(derive(page)).skipped)["t"] == "the size of A is not said"


STEP = r"""
Let $f$ be a function, $y \in \mathbb{R}$ and $h > 0$.
$$ k := f(y) $$
$$ z := y + h f \left( y + \frac{h}{2} k \right) $$
"""


def test_a_function_of_which_nothing_is_said_is_an_argument() -> None:
    """It is typed as one, called with arrays, and filled in where errors are measured."""
    made = implement(derive(STEP))
    source = module_source(made)
    assert "def z(y: ArrayLike, h: ArrayLike, f: Callable[[Array], Array]) -> Array:" in source
    found = numeric()
    run_source(source, found)
    y, h = np.array([0.5, 1.0]), 0.1
    np.testing.assert_allclose(found["z"](y, h, np.square), y + h * (y + h / 2 * y**2) ** 2, rtol=1e-15)
    assert max(function.error for function in made.functions) < 8
    proposals = {proposal.name: proposal.source for proposal in propose(made, "step", found)}
    assert "f = np.cos" in proposals["test_z_is_its_formula"]
    assert "original_z(y, h, mp.cos)" in proposals["test_z_is_its_formula"]


def test_properties_of_arrays_and_of_functions_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests that are written pass on what is written, and fail on a value that is a little wrong."""
    page = tmp_path / "page.md"
    page.write_text("$$ a = b $$")
    text = r"Let $A \in \mathbb{R}^{n \times n}$ and $b \in \mathbb{R}^n$. Let $A \succ 0$."
    made = implement(derive(f"{text} $$ s := A^{{-1}} b $$ {STEP}", page))
    _, tests, *_ = write_files(made, tmp_path / "made_of_arrays.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests.name]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, check=False, text=True)
    assert ran.returncode == 0, ran.stdout
    monkeypatch.syspath_prepend(tmp_path)
    properties = importlib.import_module(tests.stem)
    at = (np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -1.0]))
    properties.hold_arrays_to(properties.subject.s, properties.original_s, at, 64)
    with pytest.raises(AssertionError):
        properties.hold_arrays_to(lambda a, b: np.linalg.solve(a, b) + 1e-13, properties.original_s, at, 64)


def test_drawn_matrices_are_what_was_said() -> None:
    """Definite ones have positive eigenvalues, others only what was asked of them; the same each time."""
    text = "Let " + ", ".join(rf"${name} \in \mathbb{{R}}^{{3 \times 3}}$" for name in "ABC") + "."
    words = (
        "Let $A$ be symmetric positive definite, $B$ be symmetric positive semidefinite, $C$ be orthogonal."
    )
    derivation = derive(f"{text} {words}")
    a, b, c = draw_given(derivation, ("A", "B", "C"), random.Random(1), mild=True)
    assert np.linalg.eigvalsh(a).min() > 0
    assert np.linalg.matrix_rank(b, tol=1e-6) == 1
    np.testing.assert_allclose(c @ c.T, np.eye(3))
    again = draw_given(derivation, ("A", "B", "C"), random.Random(1), mild=True)
    assert all(np.array_equal(one, two) for one, two in zip((a, b, c), again, strict=True))
