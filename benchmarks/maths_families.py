"""Families of true steps, each drawn with other numbers; their claims are evaluated before they count."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.maths_terms import OO, PI, Term, call, make, names, term


@dataclass(frozen=True)
class Claim:
    """One true step.

    ``domain`` gives each name a kind: ``real``, ``pos``, ``nat``, ``unit`` (0 to 1), ``above -1``, ``nonneg``
    or ``matrix`` (invertible, n by n).
    ``mode`` says how truth is judged: ``equal``, ``antiderivative``, ``order p``, ``implies`` (``premise`` is
    two sides), ``below`` (left is at most right), ``ito``.
    """

    left: Term
    right: Term
    domain: dict[str, str]
    mode: str = "equal"
    env: dict[str, Any] = field(default_factory=dict)
    premise: tuple[Term, Term] | None = None


Family = Callable[[random.Random], Claim]
FAMILIES: list[tuple[str, str, Family]] = []

x, y, z, a, b, c, k, n, m, t, s, u, h, w = names("x y z a b c k n m t s u h w")
p, q, r, T, S, K, sigma, mu, theta = names("p q r T S K sigma mu theta")
A, B, C, P, H, R, identity = names("A B C P H R I")
X, Y, Z, W, Xt, Yt, St = names("X Y Z W_t X_t Y_t S_t")
x1, x2, y1, y2 = names("x_1 x_2 y_1 y_2")


def family(area: str) -> Callable[[Family], Family]:
    """Enter a family under its area."""

    def enter(draw: Family) -> Family:
        FAMILIES.append((area, draw.__name__, draw))
        return draw

    return enter


def equal(left: Any, right: Any, **domain: str) -> Claim:
    return Claim(term(left), term(right), domain)


def sin(v: Any) -> Term:
    return call("sin", v)


def cos(v: Any) -> Term:
    return call("cos", v)


def exp(v: Any) -> Term:
    return call("exp", v)


def ln(v: Any) -> Term:
    return call("ln", v)


def sqrt(v: Any) -> Term:
    return call("sqrt", v)


def der(body: Any, name: str, order: int = 1, kind: str = "total") -> Term:
    return make("der", body, name, order, kind)


def integral(body: Any, name: str, low: Any = None, high: Any = None) -> Term:
    return make("int", body, name, low, high)


def total(body: Any, name: str, low: Any, high: Any) -> Term:
    return make("sum", body, name, low, high)


def mean(body: Any) -> Term:
    return make("mean", body)


def d(body: Any) -> Term:
    return make("d", body)


def small(rng: random.Random) -> int:
    return rng.randint(2, 7)


# --- algebra


@family("algebra")
def square_of_a_sum(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return equal((i * x + j * y) ** 2, i * i * x**2 + 2 * i * j * x * y + j * j * y**2, x="real", y="real")


@family("algebra")
def product_of_linear_terms(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return equal((x + i) * (x - j), x**2 + (i - j) * x - i * j, x="real")


@family("algebra")
def difference_of_powers(g: random.Random) -> Claim:
    if g.random() < 0.5:
        return equal(a**3 - b**3, (a - b) * (a**2 + a * b + b**2), a="real", b="real")
    i = small(g)
    return equal(i * i * a**2 - b**2, (i * a - b) * (i * a + b), a="real", b="real")


@family("algebra")
def cube_of_a_sum(g: random.Random) -> Claim:
    i = small(g)
    return equal((x + i) ** 3, x**3 + 3 * i * x**2 + 3 * i * i * x + i**3, x="real")


@family("algebra")
def sum_of_fractions(g: random.Random) -> Claim:
    i, j = small(g), g.randint(8, 12)
    return equal(
        term(i) / (x + 1) + term(j) / (x + 2), ((i + j) * x + (2 * i + j)) / ((x + 1) * (x + 2)), x="pos"
    )


@family("algebra")
def partial_fractions(g: random.Random) -> Claim:
    i = small(g)
    return equal(1 / (x * (x + i)), (1 / x - 1 / (x + i)) / term(i), x="pos")


@family("algebra")
def completed_square(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return equal(x**2 + 2 * i * x + j, (x + i) ** 2 + (j - i * i), x="real")


@family("algebra")
def powers_of_one_base(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return g.choice(
        (
            equal(a ** (n + i) * a**j, a ** (n + i + j), a="pos", n="nat"),
            equal(exp(i * x) * exp(-j * x + y), exp((i - j) * x + y), x="real", y="real"),
            equal((a**i * b) ** j, a ** (i * j) * b**j, a="pos", b="pos"),
        )
    )


@family("algebra")
def laws_of_logarithms(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return g.choice(
        (
            equal(ln(x**i * y**j), i * ln(x) + j * ln(y), x="pos", y="pos"),
            equal(ln(x**i / y), i * ln(x) - ln(y), x="pos", y="pos"),
            equal(ln(sqrt(x) * i), ln(x) / 2 + ln(i), x="pos"),
            equal(exp(i * ln(x)), x**i, x="pos"),
        )
    )


@family("algebra")
def laws_of_roots(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(sqrt(i * i * x**2 * y), i * x * sqrt(y), x="pos", y="pos"),
            equal(1 / (sqrt(x + i) - sqrt(x)), (sqrt(x + i) + sqrt(x)) / term(i), x="pos"),
            equal(sqrt(x**2), call("abs", x), x="real"),
        )
    )


@family("algebra")
def sums_of_powers(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(total(i * k, "k", 1, n), i * n * (n + 1) / 2, n="nat"),
            equal(total(k**2, "k", 1, n), n * (n + 1) * (2 * n + 1) / 6, n="nat"),
            equal(total(k**3, "k", 1, n), n**2 * (n + 1) ** 2 / 4, n="nat"),
            equal(
                total(term(i) ** k, "k", 0, n),
                (term(i) ** (n + 1) - 1) / (i - 1),
                n="nat",
            ),
        )
    )


@family("algebra")
def geometric_series(g: random.Random) -> Claim:
    i = small(g)
    return equal(total(i * q**k, "k", 0, OO), i / (1 - q), q="unit")


@family("algebra")
def linear_equation(g: random.Random) -> Claim:
    i, j, solution = small(g), g.randint(-9, 9), g.randint(-8, 8) or 3
    left, right = i * x + j, term(i * solution + j)
    return Claim(x, term(solution), {"x": "real"}, "implies", premise=(left, right))


@family("algebra")
def compound_fraction(g: random.Random) -> Claim:
    i = small(g)
    return equal((i / x + 1 / y) / (1 / (x * y)), x + i * y, x="pos", y="pos")


@family("algebra")
def trigonometry(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(sin(x + i * y), sin(x) * cos(i * y) + cos(x) * sin(i * y), x="real", y="real"),
            equal(sin(2 * i * x), 2 * sin(i * x) * cos(i * x), x="real"),
            equal(cos(2 * i * x), 1 - 2 * sin(i * x) ** 2, x="real"),
            equal(sin(i * x) ** 2 + cos(i * x) ** 2, 1, x="real"),
            equal(call("cosh", i * x) ** 2 - call("sinh", i * x) ** 2, 1, x="real"),
            equal(call("tanh", x), (exp(2 * x) - 1) / (exp(2 * x) + 1), x="real"),
            equal(2 * cos(x) * cos(y), cos(x - y) + cos(x + y), x="real", y="real"),
        )
    )


# --- calculus


@family("calculus")
def derivative_of_a_polynomial(g: random.Random) -> Claim:
    i, j, e = small(g), small(g), g.randint(3, 6)
    return equal(der(i * x**e - j * x, "x"), i * e * x ** (e - 1) - j, x="real")


@family("calculus")
def product_rule(g: random.Random) -> Claim:
    i, e = small(g), g.randint(2, 5)
    return g.choice(
        (
            equal(
                der(x**e * exp(i * x), "x"), e * x ** (e - 1) * exp(i * x) + i * x**e * exp(i * x), x="real"
            ),
            equal(der(sin(i * x) * exp(x), "x"), (i * cos(i * x) + sin(i * x)) * exp(x), x="real"),
            equal(der(x**e * ln(x), "x"), e * x ** (e - 1) * ln(x) + x ** (e - 1), x="pos"),
        )
    )


@family("calculus")
def chain_rule(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(der(sin(i * x**2), "x"), 2 * i * x * cos(i * x**2), x="real"),
            equal(der(ln(x**2 + i), "x"), 2 * x / (x**2 + i), x="real"),
            equal(der(exp(-(x**2) / i), "x"), -(2 * x / term(i)) * exp(-(x**2) / i), x="real"),
            equal(der(sqrt(i * x + 1), "x"), i / (2 * sqrt(i * x + 1)), x="pos"),
            equal(der(call("arctan", i * x), "x"), i / (1 + i * i * x**2), x="real"),
        )
    )


@family("calculus")
def quotient_rule(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(der(x / (x + i), "x"), i / (x + i) ** 2, x="pos"),
            equal(der(ln(x) / x**i, "x"), (1 - i * ln(x)) / x ** (i + 1), x="pos"),
            equal(der(call("tanh", i * x), "x"), i * (1 - call("tanh", i * x) ** 2), x="real"),
        )
    )


@family("calculus")
def higher_derivatives(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(der(cos(i * x), "x", 2), -(i * i * cos(i * x)), x="real"),
            equal(der(x * exp(i * x), "x", 2), (i * i * x + 2 * i) * exp(i * x), x="real"),
            equal(der(1 / x, "x", 3), -6 / x**4, x="pos"),
        )
    )


@family("calculus")
def partial_derivatives(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(der(x**i * y + y**2, "y", 1, "partial"), x**i + 2 * y, x="real", y="real"),
            equal(der(exp(i * x * y), "x", 2, "partial"), i * i * y**2 * exp(i * x * y), x="real", y="real"),
            equal(der(ln(x + i * y), "y", 1, "partial"), i / (x + i * y), x="pos", y="pos"),
        )
    )


@family("calculus")
def definite_integrals(g: random.Random) -> Claim:
    i, e = small(g), g.randint(2, 5)
    return g.choice(
        (
            equal(integral(x**e, "x", 0, i), term(i) ** (e + 1) / (e + 1)),
            equal(integral(sin(i * x), "x", 0, PI / i), term(2) / i),
            equal(integral(1 / x, "x", 1, i), ln(i)),
            equal(integral(exp(-a * x), "x", 0, OO), 1 / a, a="pos"),
            equal(integral(x * exp(-i * x), "x", 0, OO), term(1) / (i * i)),
            equal(integral(exp(-i * x**2), "x", -OO, OO), sqrt(PI / i)),
            equal(integral(s**2 + i * s, "s", 0, t), t**3 / 3 + i * t**2 / 2, t="pos"),
        )
    )


@family("calculus")
def antiderivatives(g: random.Random) -> Claim:
    i, e = small(g), g.randint(2, 5)
    body, primitive, kind = g.choice(
        (
            (i * x**e, i * x ** (e + 1) / (e + 1), "real"),
            (x * exp(i * x), (x / i - term(1) / (i * i)) * exp(i * x), "real"),
            (cos(i * x), sin(i * x) / i, "real"),
            (ln(x), x * ln(x) - x, "pos"),
            (1 / (x**2 + i * i), call("arctan", x / i) / i, "real"),
            (x / sqrt(x**2 + i), sqrt(x**2 + i), "real"),
        )
    )
    return Claim(integral(body, "x"), primitive + C, {"x": kind, "C": "real"}, "antiderivative")


@family("calculus")
def fundamental_theorem(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(der(integral(exp(-i * s**2), "s", 0, x), "x"), exp(-i * x**2), x="real"),
            equal(der(integral(cos(i * s), "s", 0, x**2), "x"), 2 * x * cos(i * x**2), x="real"),
        )
    )


@family("calculus")
def limits(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return g.choice(
        (
            equal(make("lim", sin(i * x) / (j * x), "x", 0), term(i) / j),
            equal(make("lim", (1 - cos(i * x)) / x**2, "x", 0), term(i * i) / 2),
            equal(make("lim", (exp(i * x) - 1) / x, "x", 0), i),
            equal(make("lim", (1 + a / n) ** n, "n", OO), exp(a), a="real"),
            equal(make("lim", (i * x**2 + x) / (j * x**2 - 1), "x", OO), term(i) / j),
        )
    )


@family("calculus")
def taylor_orders(g: random.Random) -> Claim:
    i = small(g)
    right, left, order = g.choice(
        (
            (1 + i * h + i * i * h**2 / 2, exp(i * h), 3),
            (i * h - term(i**3) * h**3 / 6, sin(i * h), 5),
            (1 + h / 2 - h**2 / 8, sqrt(1 + h), 3),
            (i * h - term(i * i) * h**2 / 2, ln(1 + i * h), 3),
            (1 + i * h + i * i * h**2, 1 / (1 - i * h), 3),
        )
    )
    return Claim(left, right + make("order", h**order), {"h": "real"}, f"order {order}")


# --- linear algebra


def square(rows: Any) -> Term:
    return Term("mat", (tuple(tuple(term(entry) for entry in row) for row in rows),))


@family("linear algebra")
def determinants(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return g.choice(
        (
            equal(make("det", square([[a, i], [j, b]])), a * b - i * j, a="real", b="real"),
            equal(
                make("det", square([[a, 1, 0], [0, b, i], [0, 0, c]])),
                a * b * c,
                a="real",
                b="real",
                c="real",
            ),
            equal(make("det", square([[1, x], [1, y]])), y - x, x="real", y="real"),
        )
    )


@family("linear algebra")
def products_of_matrices(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    one, two = square([[a, i], [0, b]]), square([[j, 0], [c, 1]])
    return equal(one * two, square([[j * a + i * c, i], [b * c, b]]), a="real", b="real", c="real")


@family("linear algebra")
def inverse_of_a_matrix(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    return equal(
        make("inverse", square([[a, i], [0, j]])), square([[1 / a, -i / (j * a)], [0, term(1) / j]]), a="pos"
    )


@family("linear algebra")
def transposes(g: random.Random) -> Claim:
    i = small(g)
    top = lambda v: make("transpose", v)  # noqa: E731
    return g.choice(
        (
            equal(top(A * B), top(B) * top(A), A="matrix", B="matrix"),
            equal(top(i * A + B), i * top(A) + top(B), A="matrix", B="matrix"),
            equal(top(A * B * C), top(C) * top(B) * top(A), A="matrix", B="matrix", C="matrix"),
            equal(top(top(A) * B), top(B) * A, A="matrix", B="matrix"),
        )
    )


@family("linear algebra")
def inverses(g: random.Random) -> Claim:
    inv, top = (lambda v: make("inverse", v)), (lambda v: make("transpose", v))
    return g.choice(
        (
            equal(inv(A * B), inv(B) * inv(A), A="matrix", B="matrix"),
            equal(top(inv(A)), inv(top(A)), A="matrix"),
            equal(A * inv(B * A) * B, inv(B) * B, A="matrix", B="matrix"),
        )
    )


@family("linear algebra")
def traces_and_determinants(g: random.Random) -> Claim:
    i = small(g)
    trace, det = (lambda v: make("trace", v)), (lambda v: make("det", v))
    return g.choice(
        (
            equal(trace(A * B), trace(B * A), A="matrix", B="matrix"),
            equal(trace(i * A + B), i * trace(A) + trace(B), A="matrix", B="matrix"),
            equal(det(A * B), det(A) * det(B), A="matrix", B="matrix"),
            equal(trace(A * B * C), trace(C * A * B), A="matrix", B="matrix", C="matrix"),
        )
    )


@family("linear algebra")
def distributing(g: random.Random) -> Claim:
    top = lambda v: make("transpose", v)  # noqa: E731
    return g.choice(
        (
            equal((A + B) * C, A * C + B * C, A="matrix", B="matrix", C="matrix"),
            equal((A + B) * (A - B), A * A - A * B + B * A - B * B, A="matrix", B="matrix"),
            equal(
                (A - K * H) * P * top(A - K * H),
                A * P * top(A) - A * P * top(H) * top(K) - K * H * P * top(A) + K * H * P * top(H) * top(K),
                A="matrix", K="matrix", H="matrix", P="matrix",
            ),
        )
    )  # fmt: skip


# --- probability


def gaussian(left: Any, right: Any, domain: dict[str, str], laws: dict[str, tuple[Any, Any]]) -> Claim:
    return Claim(
        term(left),
        term(right),
        domain,
        env={"laws": {k_: (term(v[0]), term(v[1])) for k_, v in laws.items()}},
    )


@family("probability")
def moments_of_a_gaussian(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    law = {"X": (mu, sigma)}
    dom = {"mu": "real", "sigma": "pos"}
    return g.choice(
        (
            gaussian(mean(i * X + j), i * mu + j, dom, law),
            gaussian(mean(X**2), mu**2 + sigma**2, dom, law),
            gaussian(mean((X - mu) ** 4), 3 * sigma**4, dom, law),
            gaussian(make("variance", i * X + j), i * i * sigma**2, dom, law),
            gaussian(mean(X**3), mu**3 + 3 * mu * sigma**2, dom, law),
            gaussian(mean(i * X**2 - j * X), i * (mu**2 + sigma**2) - j * mu, dom, law),
        )
    )


@family("probability")
def exponential_of_a_gaussian(g: random.Random) -> Claim:
    i = small(g)
    law = {"Z": (0, 1)}
    return g.choice(
        (
            gaussian(mean(exp(a * Z)), exp(a**2 / 2), {"a": "real"}, law),
            gaussian(
                mean(exp(X)), exp(mu + sigma**2 / 2), {"mu": "real", "sigma": "pos"}, {"X": (mu, sigma)}
            ),
            gaussian(mean(Z * exp(a * Z)), a * exp(a**2 / 2), {"a": "real"}, law),
            gaussian(mean(Z**2 + i * Z), 1, {}, law),
        )
    )


@family("probability")
def two_gaussians(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    laws = {"X": (mu, sigma), "Y": (0, 1)}
    dom = {"mu": "real", "sigma": "pos"}
    return g.choice(
        (
            gaussian(mean(i * X - j * Y), i * mu, dom, laws),
            gaussian(make("variance", X + j * Y), sigma**2 + j * j, dom, laws),
            gaussian(mean(X * Y**2), mu, dom, laws),
            gaussian(make("covariance", X + Y, i * X), i * sigma**2, dom, laws),
        )
    )


@family("probability")
def distribution_function(g: random.Random) -> Claim:
    below = make("below", X, x)
    return gaussian(
        below, call("Phi", (x - mu) / sigma), {"mu": "real", "sigma": "pos", "x": "real"}, {"X": (mu, sigma)}
    )


@family("probability")
def symmetry_of_the_normal(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(call("Phi", -i * x), 1 - call("Phi", i * x), x="real"),
            equal(der(call("Phi", i * x), "x"), i / sqrt(2 * PI) * exp(-(i * i * x**2) / 2), x="real"),
        )
    )


# --- stochastic calculus


def ito(left: Any, right: Any, sde: dict[str, tuple[Any, Any]], **domain: str) -> Claim:
    rates = {name: (term(one), term(two)) for name, (one, two) in sde.items()}
    return Claim(term(left), term(right), domain, "ito", env={"sde": {**rates, "W_t": (term(0), term(1))}})


DT, DW = d(t), d(W)


@family("stochastic calculus")
def functions_of_brownian_motion(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            ito(d(W**2), DT + 2 * W * DW, {}),
            ito(d(i * W**3), 3 * i * W * DT + 3 * i * W**2 * DW, {}),
            ito(d(exp(i * W)), term(i * i) / 2 * exp(i * W) * DT + i * exp(i * W) * DW, {}),
            ito(d(sin(W)), -(sin(W) / 2) * DT + cos(W) * DW, {}),
            ito(d(t * W), W * DT + t * DW, {}, t="pos"),
            ito(d(W**2 - t), 2 * W * DW, {}, t="pos"),
        )
    )


@family("stochastic calculus")
def functions_of_geometric_motion(g: random.Random) -> Claim:
    i = small(g)
    sde = {"S_t": (mu * St, sigma * St)}
    dom = {"S_t": "pos", "mu": "real", "sigma": "pos"}
    return g.choice(
        (
            ito(d(ln(St)), (mu - sigma**2 / 2) * DT + sigma * DW, sde, **dom),
            ito(d(St**2), (2 * mu + sigma**2) * St**2 * DT + 2 * sigma * St**2 * DW, sde, **dom),
            ito(d(1 / St), (sigma**2 - mu) / St * DT - sigma / St * DW, sde, **dom),
            ito(d(i * St), i * mu * St * DT + i * sigma * St * DW, sde, **dom),
        )
    )


@family("stochastic calculus")
def mean_reversion(g: random.Random) -> Claim:
    sde = {"X_t": (theta * (mu - Xt), sigma)}
    dom = {"theta": "pos", "mu": "real", "sigma": "pos", "X_t": "real", "t": "pos"}
    return g.choice(
        (
            ito(
                d(exp(theta * t) * Xt),
                theta * mu * exp(theta * t) * DT + sigma * exp(theta * t) * DW,
                sde,
                **dom,
            ),
            ito(d(Xt**2), (2 * theta * Xt * (mu - Xt) + sigma**2) * DT + 2 * sigma * Xt * DW, sde, **dom),
        )
    )


@family("stochastic calculus")
def products_of_processes(g: random.Random) -> Claim:
    sde = {"X_t": (a, sigma), "Y_t": (b, theta)}
    dom = {"a": "real", "b": "real", "sigma": "pos", "theta": "pos", "X_t": "real", "Y_t": "real"}
    return g.choice(
        (
            ito(d(Xt * Yt), Xt * d(Yt) + Yt * d(Xt) + d(Xt) * d(Yt), sde, **dom),
            ito(
                d(Xt * Yt),
                (a * Yt + b * Xt + sigma * theta) * DT + (sigma * Yt + theta * Xt) * DW,
                sde,
                **dom,
            ),
        )
    )


# --- ODE and PDE


@family("ODE/PDE")
def oscillators(g: random.Random) -> Claim:
    i = small(g)
    shape = a * cos(i * t) + b * sin(i * t)
    return equal(der(shape, "t", 2) + i * i * shape, 0, a="real", b="real", t="real")


@family("ODE/PDE")
def first_order_equations(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            equal(der(c * exp(-i * t) + 1, "t") + i * (c * exp(-i * t) + 1), i, c="real", t="real"),
            equal(
                der(1 / (1 + exp(-i * t)), "t"),
                i * (1 / (1 + exp(-i * t))) * (1 - 1 / (1 + exp(-i * t))),
                t="real",
            ),
        )
    )


@family("ODE/PDE")
def heat_equation(g: random.Random) -> Claim:
    i = small(g)
    wave = exp(-i * i * k * t) * sin(i * x)
    kernel = exp(-(x**2) / (4 * t)) / sqrt(t)
    return g.choice(
        (
            equal(der(wave, "t", 1, "partial"), k * der(wave, "x", 2, "partial"), k="pos", t="pos", x="real"),
            equal(der(kernel, "t", 1, "partial") - der(kernel, "x", 2, "partial"), 0, t="pos", x="real"),
        )
    )


@family("ODE/PDE")
def waves(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    wave = sin(i * (x - j * t))
    return g.choice(
        (
            equal(der(wave, "t", 2, "partial"), j * j * der(wave, "x", 2, "partial"), x="real", t="real"),
            equal(der(wave, "t", 1, "partial") + j * der(wave, "x", 1, "partial"), 0, x="real", t="real"),
        )
    )


@family("ODE/PDE")
def black_scholes(g: random.Random) -> Claim:
    i = small(g)
    forward = S - i * exp(-r * (T - t))
    power = exp((r + sigma**2) * (T - t)) * S**2
    dom = {"S": "pos", "sigma": "pos", "r": "pos", "t": "pos", "T": "pos"}
    v = g.choice((forward, power))
    return equal(
        der(v, "t", 1, "partial")
        + sigma**2 / 2 * S**2 * der(v, "S", 2, "partial")
        + r * S * der(v, "S", 1, "partial"),
        r * v,
        **dom,
    )


@family("ODE/PDE")
def recurrences(g: random.Random) -> Claim:
    i, j = small(g), small(g)
    fixed = term(j) / (1 - i)
    return equal(c * term(i) ** (n + 1) + fixed, i * (c * term(i) ** n + fixed) + j, c="real", n="nat")


# --- inequalities


def below(left: Any, right: Any, **domain: str) -> Claim:
    return Claim(term(left), term(right), domain, "below")


@family("inequalities")
def means_of_two_numbers(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            below(2 * i * x * y, x**2 + i * i * y**2, x="real", y="real"),
            below(sqrt(x * y), (x + y) / 2, x="pos", y="pos"),
            below(4 * x * y, (x + y) ** 2, x="real", y="real"),
            below(2 / (1 / x + 1 / y), (x + y) / 2, x="pos", y="pos"),
        )
    )


@family("inequalities")
def tangents(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            below(1 + i * x, exp(i * x), x="real"),
            below(ln(x), x / i - 1 + ln(i), x="pos"),
            below(sin(x), x, x="nonneg"),
            below(1 + i * x, (1 + x) ** i, x="above -1"),
            below(1 - x**2 / 2, cos(x), x="real"),
        )
    )


@family("inequalities")
def bounds(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (
            below(i / (1 + x**2), i, x="real"),
            below(x * (1 - x), term(1) / 4, x="real"),
            below(call("tanh", i * x), 1, x="real"),
            below(call("abs", sin(i * x)), 1, x="real"),
            below(i * x - x**2, term(i * i) / 4, x="real"),
        )
    )


@family("inequalities")
def cauchy_schwarz(g: random.Random) -> Claim:
    return below(
        (x1 * y1 + x2 * y2) ** 2,
        (x1**2 + x2**2) * (y1**2 + y2**2),
        x_1="real",
        x_2="real",
        y_1="real",
        y_2="real",
    )


@family("inequalities")
def powers_between_zero_and_one(g: random.Random) -> Claim:
    i = small(g)
    return g.choice(
        (below(x ** (i + 1), x**i, x="unit"), below(1 - x, exp(-x), x="unit"), below(ln(1 + x), x, x="unit"))
    )
