from __future__ import annotations

import importlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grn.maths.implement.build as build
from grn.kit.errors import UsageError
from grn.maths.deciders.domain import Range
from grn.maths.implement.accuracy import draw_points
from grn.maths.implement.bounded import bounded
from grn.maths.implement.build import GOOD, implement
from grn.maths.implement.files import write_files
from grn.maths.implement.module import Implemented, module_source
from grn.maths.implement.plot import draw_panels
from grn.maths.implement.properties import properties_source
from grn.maths.verdict import Verdict
from tests.maths.documents import derive

CATALOGUE = r"""
Let $x > 0$, $w > 0$, $z \in \mathbb{R}$ and $q \in \mathbb{R}$.
$$ a := e^x - 1 $$
$$ b := \ln(1 + x) $$
$$ c := \frac{1 - \cos x}{x^2} $$
$$ k := \sqrt{1 + x} - 1 $$
$$ l := \ln(x + w) - \ln x $$
$$ m := q + (z - q) e^{-x} $$
$$ n := 1 - \Phi(x) $$
$$ r := 1 - \mathrm{erf}(x) $$
$$ s := \ln \Phi(z) $$
$$ u := \cosh x - 1 $$
$$ v := e^{x + w} - e^x $$
$$ y := (1 + w)^x - 1 $$
"""
RULES = {
    "a": "expm1", "b": "log1p", "c": "half angle", "k": "difference of roots", "l": "log1p", "m": "weights",
    "n": "other tail", "r": "other tail", "s": "log Phi", "u": "half angle", "v": "expm1",
    "y": "expm1 of a power, log1p",
}  # fmt: skip


POINTS = 192 if os.environ.get("GRN_NIGHTLY") else 64


@pytest.fixture(scope="module")
def catalogue() -> Implemented:
    return implement(derive(CATALOGUE), points=POINTS)


def loaded(made: Implemented) -> dict[str, Any]:
    room: dict[str, Any] = {"__name__": "made"}
    exec(compile(module_source(made), "made.py", "exec"), room)  # noqa: S102 the code under test
    return room


def test_what_cancels_is_written_another_way(catalogue: Implemented) -> None:
    """Each form of the catalogue loses bits as written, and none by the rule that is meant for it.

    Truth is mpmath at 160 digits; the rules are those of Higham, Accuracy and Stability, chapter 1.
    """
    for function in catalogue.functions:
        rules = [rule.split(" (")[0] for rule in function.rules]
        assert rules == RULES[function.key].split(", "), function.key
        assert "equal by" in function.rules[0]
        assert function.error <= GOOD, function.key
        assert function.naive_error > 1e6, function.key


def test_nothing_is_rewritten_without_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that measures better and is not proved equal is left alone."""
    derivation = derive("Let $x > 0$. $$ a := e^x - 1 $$")
    monkeypatch.setattr(build, "decide", lambda *_: Verdict("supported"))
    (function,) = implement(derivation).functions
    assert function.rules == []
    assert function.error > 1e6


def test_functions_take_arrays_and_numbers(catalogue: Implemented) -> None:
    """Arguments broadcast; a number gives a number; values are NumPy's own functions where those exist."""
    room = loaded(catalogue)
    x = np.array([1e-9, 1.0, 3.0])
    assert np.array_equal(room["a"](x), np.expm1(x))
    assert room["l"](x[:, None], x).shape == (3, 3)
    assert float(room["b"](1e-9)) == float(np.log1p(1e-9))
    assert np.ndim(room["b"](2)) == 0


def test_files_are_the_same_again(catalogue: Implemented) -> None:
    """Module, properties and picture of the same document have the same bytes."""
    again = implement(derive(CATALOGUE), points=POINTS)
    assert module_source(again) == module_source(catalogue)
    assert properties_source(again, "made") == properties_source(catalogue, "made")
    assert draw_panels(again.panels) == draw_panels(catalogue.panels)


def test_a_result_is_computed_by_its_closed_form() -> None:
    """A derivative has no code of its own: what it was proved to be has, under the derivative's name."""
    made = implement(
        derive(r"Let $x > 0$. $$ a := x^3 $$ $$ b := \frac{\partial a}{\partial x} $$ $$ b = 3x^2 $$")
    )
    assert [(f.key, f.form.step.number) for f in made.functions] == [("a", 2), ("b", 4)]
    assert loaded(made)["b"](2.0) == 12.0
    assert "proved by" in module_source(made)


def test_arguments_stand_as_the_document_mentions_them() -> None:
    """Own arguments first, then the others in the order of the document, in every function alike."""
    made = implement(derive("Let $r > 0$, $T > 0$, $K > 0$. $$ f(x) := K x + r $$ $$ a := T r f(K) $$"))
    assert [f.arguments for f in made.functions] == [("x", "r", "K"), ("r", "T", "K")]


def test_what_has_no_code_is_named_with_the_reason() -> None:
    """A sum, a bomb and what uses them are left out by name; asked for alone they are an error."""
    page = r"Let $x > 0$, $n \in \mathbb{N}$. $$ a := \sum_{k=1}^n k $$ $$ b := a + x $$ $$ c := x + 1 $$"
    derivation = derive(page + r"$$ d := 9^{9^{9^9}} $$")
    made = implement(derivation)
    assert [f.key for f in made.functions] == ["c"]
    assert {key for key, _ in made.skipped} == {"a", "b", "d"}
    with pytest.raises(UsageError, match="nothing here"):
        implement(derivation, {"a": "a"})
    with pytest.raises(UsageError, match="no such result"):
        implement(derivation, {"missing": "missing"})


def test_a_formula_that_explodes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tower of exponentials ends at a limit; what uses it goes with it, the rest stays."""
    monkeypatch.setattr(build, "bounded", partial(bounded, time_s=3.0))
    page = r"Let $x > 0$. $$ a := e^{e^{e^{e^x}}} $$ $$ b := a + 1 $$ $$ c := e^x $$"
    made = implement(derive(page), points=24)
    assert [f.key for f in made.functions] == ["c"]
    assert dict(made.skipped) == {"a": "too large to work out", "b": "it uses a result without code"}


def test_a_function_that_is_lost_is_said() -> None:
    """Where no known form helps, the error is told, and no property claims what does not hold."""
    made = implement(derive(r"Let $x > 0$. $$ a := \frac{x - \sin x}{x^3} $$ $$ b := x + 1 $$"))
    assert [function.lost for function in made.functions] == [True, False]
    properties = properties_source(made, "made")
    assert "test_b_is_its_formula" in properties
    assert "test_a_is_its_formula" not in properties


def test_points_keep_to_what_is_assumed() -> None:
    """Bounds hold at every point, and so do assumptions that tie names to each other."""
    derivation = derive(r"Let $0 < q < 1$, $t > 0$, $T > t$, $n \in \mathbb{N}$. $$ a := q t T n $$")
    q, t, until, n = draw_points(derivation, ("q", "t", "T", "n"), 100)
    assert q.size == 100
    assert ((q > 0) & (q < 1) & (t > 0) & (until > t) & (n >= 1) & (n % 1 == 0)).all()
    assert derivation.range("q") == Range(0, 1)  # type: ignore[arg-type]


def test_properties_hold_the_module_to_its_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests that are written pass on the module that is written, and fail on the form that cancels."""
    page = tmp_path / "page.md"
    page.write_text("$$ a = b $$")
    made = implement(derive(r"Let $s > 0$, $h > 0$. $$ v := \frac{1 - e^{-2 s h}}{2 s} $$", page))
    _, tests, picture, _ = write_files(made, tmp_path / "made_of_a_page.py")
    assert picture.read_text().count("<circle") > 300
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests.name]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, check=False, text=True)
    assert ran.returncode == 0, ran.stdout
    monkeypatch.syspath_prepend(tmp_path)
    properties = importlib.import_module(tests.stem)
    at, units = (1e-9, 1e-3), 1024
    properties.hold_to(properties.subject.v, properties.original_v, at, units)
    with pytest.raises(AssertionError):
        properties.hold_to(lambda s, h: (1 - np.exp(-2 * s * h)) / (2 * s), properties.original_v, at, units)
