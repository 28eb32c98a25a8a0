from __future__ import annotations

import os

import pytest

from benchmarks.maths_cases import draw_cases
from grn.maths.deciders.ladder import decide
from grn.maths.reader.grammar import read_line
from grn.maths.reader.words import declare
from grn.maths.symbols import Symbols
from grn.maths.verdict import Verdict

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))


def decided(latex: str, *given: str) -> Verdict:
    symbols = Symbols()
    for line in given:
        declare(line, symbols)
    return decide(read_line(latex, symbols), symbols)


# Each with a reference: textbook identities, checked by hand.
TRUE = [
    (r"(a+b)^3 = a^3 + 3a^2 b + 3ab^2 + b^3", ()),
    (r"\frac{1}{x-1} - \frac{1}{x+1} = \frac{2}{x^2-1}", ()),
    (r"\sin 3x = 3\sin x - 4\sin^3 x", ()),
    (r"\sqrt{x^2} = |x|", ()),
    (r"\ln(xy) = \ln x + \ln y", ("x > 0", "y > 0")),
    (r"\int_0^\infty x^2 e^{-x} \, dx = 2", ()),
    (r"\int \ln x \, dx = x \ln x - x + C", ("x > 0",)),
    (r"\frac{d}{dx} \int_0^{x} e^{-t^2} \, dt = e^{-x^2}", ()),
    (r"\sum_{k=1}^n k^3 = \frac{n^2(n+1)^2}{4}", (r"n \in \mathbb{N}",)),
    (r"\lim_{x \to 0} \frac{\tan x}{x} = 1", ()),
    (r"\cos h = 1 - \frac{h^2}{2} + O(h^4)", ()),
    (r"\frac{f(x+h) - f(x-h)}{2h} = f'(x) + O(h^2)", ("function f",)),
    (r"\mathbb{E}[(X-\mu)^4] = 3\sigma^4", (r"\sigma > 0", r"X \sim \mathcal{N}(\mu, \sigma^2)")),
    (r"d(W_t^3) = 3 W_t\,dt + 3 W_t^2\,dW_t", ("W_t Brownian",)),
    (r"x^2 + y^2 \ge 2xy", ()),
    (r"\ln x \le x - 1", ("x > 0",)),
    (r"x = 2 \implies x^2 = 4", ()),
    (r"\det\begin{pmatrix} a & b \\ c & d \end{pmatrix} = ad - bc", (r"d \in \mathbb{R}",)),
    (r"\frac{d}{dx} \frac{f(x)}{g(x)} = \frac{f'(x)g(x) - f(x)g'(x)}{g(x)^2}", ()),
    (r"y'' + y = 0", ("y(x) = a \\cos x + b \\sin x",)),
    (r"\pi \approx 3.14159", ()),
]


@pytest.mark.parametrize(("latex", "given"), TRUE, ids=[latex for latex, _ in TRUE])
def test_true_steps_are_proved(latex: str, given: tuple[str, ...]) -> None:
    """A textbook identity is proved, not merely supported."""
    found = decided(latex, *given)
    assert found.kind == "proved", found


FALSE = [
    (r"(a+b)^2 = a^2 + b^2", ()),
    (r"\sqrt{x^2} = x", ()),
    (r"\ln(x+y) = \ln x + \ln y", ("x > 0", "y > 0")),
    (r"\frac{d}{dx} x^x = x x^{x-1}", ("x > 0",)),
    (r"\sum_{k=1}^n k = \frac{n(n-1)}{2}", (r"n \in \mathbb{N}",)),
    (r"\cos h = 1 - h^2 + O(h^4)", ()),
    (r"(AB)^\top = A^\top B^\top", (r"A \in \mathbb{R}^{n \times n}", r"B \in \mathbb{R}^{n \times n}")),
    (r"d(W_t^2) = 2 W_t\,dW_t", ("W_t Brownian",)),
    (r"\mathbb{E}[e^X] = e^{\mu}", (r"\sigma > 0", r"X \sim \mathcal{N}(\mu, \sigma^2)")),
    (r"x^2 \ge x", ()),
    (r"x^2 = 4 \implies x = 2", ()),
    (r"\pi \approx 3.14158", ()),
]


@pytest.mark.parametrize(("latex", "given"), FALSE, ids=[latex for latex, _ in FALSE])
def test_false_steps_are_refuted_with_a_witness(latex: str, given: tuple[str, ...]) -> None:
    """A usual mistake is refuted, and the verdict says where it fails."""
    found = decided(latex, *given)
    assert found.kind == "refuted", found
    assert found.detail


OPEN = [
    (r"\int x \, dx = \frac{x^2}{2}", (), "constant of integration"),
    (r"\frac{\partial u}{\partial t} = \frac{\partial^2 u}{\partial x^2}", (), "not defined"),
    (r"1 = 2 \implies x = 3", (), "never holds"),
    (r"\mathbb{E}[X Y] = 0", (r"X \sim \mathcal{N}(0, 1)", r"Y \sim \mathcal{N}(0, 1)"), ""),
    (r"A^{-1} A = I", (r"A \in \mathbb{R}^{n \times n}", "matrix I"), "invertible"),
    (r"x^2 + 1", (), "relation"),
]


@pytest.mark.parametrize(("latex", "given", "why"), OPEN, ids=[latex for latex, _, _ in OPEN])
def test_what_is_missing_is_said(latex: str, given: tuple[str, ...], why: str) -> None:
    """Where an assumption is missing no claim is made, and the verdict says what is missing."""
    found = decided(latex, *given)
    assert found.kind in ("undecided", "supported"), found
    assert why in found.detail


def test_denominators_are_named() -> None:
    """A proof that needs a name to be other than zero says so, unless that is known."""
    assert decided(r"\frac{a^2}{a} = a").needs == ("a != 0",)
    assert decided(r"\frac{a^2}{a} = a", "a > 0").needs == ()


def test_independence_has_to_be_said() -> None:
    """The expectation of a product factors for independent names, and for no others."""
    laws = (r"X \sim \mathcal{N}(1, 1)", r"Y \sim \mathcal{N}(2, 1)")
    assert decided(r"\mathbb{E}[X Y] = 2", *laws, "X and Y independent").kind == "proved"
    assert decided(r"\mathbb{E}[X Y] = 2", *laws).kind != "proved"


def test_a_verdict_is_the_same_again() -> None:
    """Verdict and witness of a step do not depend on the steps before it."""
    first = decided(r"\sin x \cos x = \sin 2x")
    decided(r"\int_0^1 x^5 \, dx = \frac{1}{6}")
    assert decided(r"\sin x \cos x = \sin 2x") == first


def test_the_frozen_steps_hold_the_bars() -> None:
    """On steps of the frozen benchmark: nothing false is accepted, nothing true refuted, few are open.

    Truth comes from mpmath (benchmarks/maths_terms), which the deciders do not use.
    """
    cases = list(draw_cases(None if NIGHTLY else 3))
    found = [(case, decided(case.latex, *case.given)) for case in cases]
    assert not [case.latex for case, verdict in found if not case.true and verdict.accepted]
    assert not [case.latex for case, verdict in found if case.true and verdict.kind == "refuted"]
    open_ones = [case.latex for case, verdict in found if verdict.kind == "undecided"]
    assert len(open_ones) <= 0.1 * len(found), open_ones


BLACK_SCHOLES = (
    "S > 0", "K > 0", r"\sigma > 0", "T > t", r"r \in \mathbb{R}", r"t \in \mathbb{R}",
    r"d_1 := \frac{\ln(S/K) + (r + \sigma^2/2)(T-t)}{\sigma\sqrt{T-t}}",
    r"d_2 := d_1 - \sigma\sqrt{T-t}",
    r"V := S \Phi(d_1) - K e^{-r(T-t)} \Phi(d_2)",
)  # fmt: skip


@pytest.mark.parametrize(("factor", "kind"), [(r"\frac{1}{2}", "proved"), (r"\frac{1}{3}", "refuted")])
def test_the_residual_of_black_scholes(factor: str, kind: str) -> None:
    """The price solves its equation, with a half before the second derivative and with nothing else.

    Black and Scholes (1973), equations 7 and 13; `python -m benchmarks.maths_residual` takes the time.
    """
    equation = (
        r"\frac{\partial V}{\partial t} + %s \sigma^2 S^2 \frac{\partial^2 V}{\partial S^2}"
        r" + r S \frac{\partial V}{\partial S} - r V = 0"
    )
    assert decided(equation % factor, *BLACK_SCHOLES).kind == kind
