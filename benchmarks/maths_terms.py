r"""Terms of the benchmark of steps: written as LaTeX, evaluated in high precision, corrupted.

What is true and what is false must not be judged by the program under test, so nothing of ``grn`` is used: a
term is evaluated by mpmath (derivatives by differences, integrals by quadrature,
expectations by Gauss-Hermite, Itô's formula by its definition), and that decides.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np

Value = Any
Environment = Mapping[str, Any]

GREEK = frozenset({"alpha", "beta", "kappa", "mu", "sigma", "theta"})
NAMED = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "ln", "exp")
SWAPS = {
    "sin": ("cos", "sinh"),
    "cos": ("sin", "cosh"),
    "tan": ("sin", "tanh"),
    "sinh": ("cosh", "sin"),
    "cosh": ("sinh", "cos"),
    "tanh": ("tan", "sinh"),
    "arctan": ("tan", "ln"),
    "ln": ("exp", "sqrt"),
    "exp": ("cosh", "sin"),
    "sqrt": ("ln", "exp"),
    "Phi": ("exp", "tanh"),
}


@dataclass(frozen=True)
class Term:
    """A head and its arguments: terms, numbers or names."""

    head: str
    args: tuple[Any, ...]

    def __add__(self, other: Any) -> Term:
        return Term("add", (*self.parts("add"), *term(other).parts("add")))

    def __radd__(self, other: Any) -> Term:
        return term(other) + self

    def __neg__(self) -> Term:
        if self.head == "num":
            return term(-self.args[0])
        return self.args[0] if self.head == "neg" else Term("neg", (self,))

    def __sub__(self, other: Any) -> Term:
        return self + (-term(other))

    def __rsub__(self, other: Any) -> Term:
        return term(other) - self

    def __mul__(self, other: Any) -> Term:
        return Term("mul", (*self.parts("mul"), *term(other).parts("mul")))

    def __rmul__(self, other: Any) -> Term:
        return term(other) * self

    def __truediv__(self, other: Any) -> Term:
        return Term("div", (self, term(other)))

    def __rtruediv__(self, other: Any) -> Term:
        return Term("div", (term(other), self))

    def __pow__(self, other: Any) -> Term:
        return Term("pow", (self, term(other)))

    def parts(self, head: str) -> tuple[Any, ...]:
        """Arguments of a sum or product, or the term alone."""
        return self.args if self.head == head else (self,)


def term(value: Any) -> Term:
    """A number as a term."""
    return value if isinstance(value, Term) else Term("num", (Fraction(value),))


def names(text: str) -> list[Term]:
    """Variables from names with spaces between."""
    return [Term("var", (name,)) for name in text.split()]


def call(name: str, body: Any) -> Term:
    """A function of one argument."""
    return Term("fun", (name, term(body)))


def make(head: str, *args: Any) -> Term:
    """Any other head; numbers become terms, texts stay."""
    return Term(head, tuple(a if isinstance(a, str | tuple) or a is None else term(a) for a in args))


PI, OO = Term("const", ("pi",)), Term("const", ("oo",))


# --- LaTeX


def write_name(name: str) -> str:
    r"""``sigma_1`` as ``\sigma_1``."""
    stem, _, sub = name.partition("_")
    stem = f"\\{stem}" if stem in GREEK else stem
    return stem if not sub else f"{stem}_{sub}" if len(sub) == 1 else f"{stem}_{{{sub}}}"


class Writer:
    """Writes terms as LaTeX; a generator chooses between usual ways to write the same."""

    def __init__(self, rng: random.Random) -> None:
        self.fraction = rng.choice((r"\frac", r"\frac", r"\dfrac"))
        self.power_of_e = rng.random() < 0.6
        self.dot = rng.choice((r" \, ", " ", " "))
        self.open, self.close = rng.choice(((r"\left(", r"\right)"), ("(", ")"), (r"\left( ", r" \right)")))
        self.d = rng.choice(("d", r"\mathrm{d}"))

    def write(self, t: Term, tight: int = 0) -> str:
        """LaTeX of a term; ``tight``: 0 alone, 1 in a sum, 2 in a product, 3 as base of a power."""
        text, loose = getattr(self, f"_{t.head}")(t)
        return f"{self.open}{text}{self.close}" if loose < tight else text

    def _num(self, t: Term) -> tuple[str, int]:
        value = t.args[0]
        if value.denominator == 1:
            return str(value), 4 if value >= 0 else 0
        sign = "-" if value < 0 else ""
        return (
            f"{sign}{self.fraction}{{{abs(value.numerator)}}}{{{value.denominator}}}",
            2 if value > 0 else 0,
        )

    def _var(self, t: Term) -> tuple[str, int]:
        return write_name(t.args[0]), 4

    def _const(self, t: Term) -> tuple[str, int]:
        return {"pi": r"\pi", "oo": r"\infty", "e": "e"}[t.args[0]], 4

    def _add(self, t: Term) -> tuple[str, int]:
        text = self.write(t.args[0], 1 if t.args[0].head != "neg" else 0)
        for part in t.args[1:]:
            if part.head == "neg":
                text += " - " + self.write(part.args[0], 2)
            elif part.head == "num" and part.args[0] < 0:
                text += " - " + self.write(-part, 2)
            else:
                text += " + " + self.write(part, 1)
        return text, 0

    def _neg(self, t: Term) -> tuple[str, int]:
        return "-" + self.write(t.args[0], 2), 0

    def _mul(self, t: Term) -> tuple[str, int]:
        text = ""
        for position, part in enumerate(t.args):
            last = position == len(t.args) - 1
            open_ended = part.head in {"int", "sum", "lim", "der"} and not last
            piece = self.write(part, 4 if open_ended else 2)
            joint = r" \cdot " if piece[0] in "0123456789" or piece.startswith(r"\frac{d") else self.dot
            text += joint + piece if text else piece
        return text, 2

    def _div(self, t: Term) -> tuple[str, int]:
        return f"{self.fraction}{{{self.write(t.args[0])}}}{{{self.write(t.args[1])}}}", 3

    def _pow(self, t: Term) -> tuple[str, int]:
        base, exponent = t.args
        power = self.write(exponent)
        return f"{self.write(base, 4)}^{{{power}}}", 3

    def _fun(self, t: Term) -> tuple[str, int]:
        name, body = t.args
        if name == "sqrt":
            return f"\\sqrt{{{self.write(body)}}}", 4
        if name == "abs":
            return f"\\left|{self.write(body)}\\right|", 4
        if name == "exp" and self.power_of_e:
            return f"e^{{{self.write(body)}}}", 3
        head = f"\\{name}" if name in NAMED or name == "Phi" else name
        return f"{head}\\left({self.write(body)}\\right)", 3

    def _der(self, t: Term) -> tuple[str, int]:
        body, name, order, kind = t.args
        d = r"\partial" if kind == "partial" else self.d
        gap = " " if kind == "partial" else ""
        n = int(order.args[0])
        top, bottom = (f"{d}^{n}", f"^{n}") if n > 1 else (d, "")
        return f"\\frac{{{top}}}{{{d}{gap}{write_name(name)}{bottom}}}\\left({self.write(body)}\\right)", 2

    def _int(self, t: Term) -> tuple[str, int]:
        body, name, low, high = t.args
        bounds = "" if low is None else f"_{{{self.write(low)}}}^{{{self.write(high)}}}"
        return f"\\int{bounds} {self.write(body, 1)} \\, {self.d}{write_name(name)}", 1

    def _sum(self, t: Term) -> tuple[str, int]:
        body, name, low, high = t.args
        return f"\\sum_{{{name}={self.write(low)}}}^{{{self.write(high)}}} {self.write(body, 2)}", 1

    def _lim(self, t: Term) -> tuple[str, int]:
        body, name, point = t.args
        return f"\\lim_{{{name} \\to {self.write(point)}}} {self.write(body, 2)}", 1

    def _mean(self, t: Term) -> tuple[str, int]:
        return f"\\mathbb{{E}}\\left[{self.write(t.args[0])}\\right]", 3

    def _variance(self, t: Term) -> tuple[str, int]:
        return f"\\operatorname{{Var}}\\left({self.write(t.args[0])}\\right)", 3

    def _covariance(self, t: Term) -> tuple[str, int]:
        return f"\\operatorname{{Cov}}\\left({self.write(t.args[0])}, {self.write(t.args[1])}\\right)", 3

    def _below(self, t: Term) -> tuple[str, int]:
        return f"\\mathbb{{P}}\\left({self.write(t.args[0])} \\le {self.write(t.args[1])}\\right)", 3

    def _mat(self, t: Term) -> tuple[str, int]:
        rows = r" \\ ".join(" & ".join(self.write(e) for e in row) for row in t.args[0])
        return f"\\begin{{pmatrix}} {rows} \\end{{pmatrix}}", 4

    def _transpose(self, t: Term) -> tuple[str, int]:
        return f"{self.write(t.args[0], 4)}^{{\\top}}", 3

    def _inverse(self, t: Term) -> tuple[str, int]:
        return f"{self.write(t.args[0], 4)}^{{-1}}", 3

    def _det(self, t: Term) -> tuple[str, int]:
        inner = self.write(t.args[0])
        return (f"\\det {inner}" if t.args[0].head == "mat" else f"\\det\\left({inner}\\right)"), 3

    def _trace(self, t: Term) -> tuple[str, int]:
        return f"\\operatorname{{tr}}\\left({self.write(t.args[0])}\\right)", 3

    def _d(self, t: Term) -> tuple[str, int]:
        inner = t.args[0]
        atom = inner.head == "var"
        return f"{self.d}{' ' if self.d != 'd' else ''}{self.write(inner, 0 if atom else 4)}", 3

    def _order(self, t: Term) -> tuple[str, int]:
        return f"O\\left({self.write(t.args[0])}\\right)", 3


# --- values


def evaluate(t: Term, env: Environment) -> Value:
    """A term's value: a number, or a matrix.

    ``env`` gives values by name; ``env["laws"]`` the mean and deviation of Gaussian names,
    ``env["joint"]`` the covariance of two of them.
    """
    a = t.args
    match t.head:
        case "num":
            return mp.mpf(a[0].numerator) / a[0].denominator
        case "var":
            return env[a[0]]
        case "const":
            return {"pi": mp.pi, "oo": mp.inf, "e": mp.e}[a[0]]
        case "add":
            return _fold(lambda x, y: x + y, [evaluate(part, env) for part in a])
        case "neg":
            return -evaluate(a[0], env)
        case "mul":
            return _fold(lambda x, y: x * y, [evaluate(part, env) for part in a])
        case "div":
            return evaluate(a[0], env) / evaluate(a[1], env)
        case "pow":
            return evaluate(a[0], env) ** evaluate(a[1], env)
        case "fun":
            return FUNCTIONS[a[0]](evaluate(a[1], env))
        case "der":
            return mp.diff(lambda v: evaluate(a[0], {**env, a[1]: v}), env[a[1]], int(a[2].args[0]))
        case "int":
            bounds = [evaluate(a[2], env), evaluate(a[3], env)]
            return mp.quad(lambda v: evaluate(a[0], {**env, a[1]: v}), bounds)
        case "sum":
            low, high = int(evaluate(a[2], env)), evaluate(a[3], env)
            last = low + 1500 if high == mp.inf else int(high)
            return mp.fsum(evaluate(a[0], {**env, a[1]: mp.mpf(k)}) for k in range(low, last + 1))
        case "lim":
            point = evaluate(a[2], env)
            near = mp.mpf(10) ** 9 if point == mp.inf else point + mp.mpf(10) ** -7
            with mp.workdps(60):
                return evaluate(a[0], {**env, a[1]: near})
        case "mean":
            return _mean(a[0], env)
        case "variance":
            return _mean(a[0] * a[0], env) - _mean(a[0], env) ** 2
        case "covariance":
            return _mean(a[0] * a[1], env) - _mean(a[0], env) * _mean(a[1], env)
        case "below":
            mu, sigma = env["laws"][a[0].args[0]]
            return mp.ncdf((evaluate(a[1], env) - evaluate(mu, env)) / evaluate(sigma, env))
        case "mat":
            return mp.matrix([[evaluate(entry, env) for entry in row] for row in a[0]])
        case "transpose":
            return evaluate(a[0], env).T
        case "inverse":
            return evaluate(a[0], env) ** -1
        case "det":
            return mp.det(evaluate(a[0], env))
        case "trace":
            m = evaluate(a[0], env)
            return mp.fsum(m[i, i] for i in range(m.rows))
    raise ValueError(t.head)


def _positive_root(x: Value) -> Value:
    if x < 0:
        raise ValueError("root of a negative number")
    return mp.sqrt(x)


def _real_log(x: Value) -> Value:
    if x <= 0:
        raise ValueError("logarithm of a number that is not positive")
    return mp.log(x)


FUNCTIONS = {
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arctan": mp.atan,
    "ln": _real_log,
    "exp": mp.exp,
    "sqrt": _positive_root,
    "abs": abs,
    "Phi": mp.ncdf,
}


def _fold(join: Any, values: list[Value]) -> Value:
    total = values[0]
    for value in values[1:]:
        total = join(total, value)
    return total


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(36)


def _mean(body: Term, env: Environment) -> Value:
    """Expectation over the Gaussian names of a body: Gauss-Hermite with 36 nodes each."""
    random_names = sorted(name for name in free_names(body) if name in env.get("laws", {}))
    total = mp.mpf(0)
    laws = {
        name: (evaluate(env["laws"][name][0], env), evaluate(env["laws"][name][1], env))
        for name in random_names
    }
    for picks in itertools.product(range(len(_NODES)), repeat=len(random_names)):
        at = dict(env)
        weight = mp.mpf(1)
        for name, pick in zip(random_names, picks, strict=True):
            mu, sigma = laws[name]
            at[name] = mu + sigma * mp.mpf(float(_NODES[pick]))
            weight *= mp.mpf(float(_WEIGHTS[pick])) / mp.sqrt(2 * mp.pi)
        total += weight * evaluate(body, at)
    return total


def differential(t: Term, env: Environment) -> tuple[Value, Value]:
    """Coefficients of dt and dW; ``env["sde"]`` gives drift and diffusion of each process, ``t`` is time."""
    a = t.args
    match t.head:
        case "d":
            return _ito(a[0], env)
        case "add":
            found = [differential(part, env) for part in a]
            return mp.fsum(f[0] for f in found), mp.fsum(f[1] for f in found)
        case "neg":
            drift, noise = differential(a[0], env)
            return -drift, -noise
        case "mul":
            moving = [part for part in a if _moves(part)]
            factor = _fold(lambda x, y: x * y, [mp.mpf(1), *(evaluate(p, env) for p in a if not _moves(p))])
            found = [differential(part, env) for part in moving]
            if len(found) == 1:
                return factor * found[0][0], factor * found[0][1]
            if len(found) == 2:
                return factor * found[0][1] * found[1][1], mp.mpf(0)
        case "div":
            drift, noise = differential(a[0], env)
            return drift / evaluate(a[1], env), noise / evaluate(a[1], env)
    raise ValueError("not linear in differentials")


def _moves(t: Term) -> bool:
    return t.head == "d" or any(_moves(part) for part in t.args if isinstance(part, Term))


def _ito(body: Term, env: Environment) -> tuple[Value, Value]:
    sde = env["sde"]
    moving = sorted(name for name in free_names(body) if name in sde)
    drift, noise = mp.mpf(0), mp.mpf(0)
    if "t" in free_names(body):
        drift += mp.diff(lambda v: evaluate(body, {**env, "t": v}), env["t"])
    rates = {name: (evaluate(sde[name][0], env), evaluate(sde[name][1], env)) for name in moving}
    for name in moving:
        slope = mp.diff(lambda v, n=name: evaluate(body, {**env, n: v}), env[name])
        drift += slope * rates[name][0]
        noise += slope * rates[name][1]
    for one, two in itertools.product(moving, repeat=2):
        if one == two:
            second = mp.diff(lambda v, n=one: evaluate(body, {**env, n: v}), env[one], 2)
        else:
            second = mp.diff(
                lambda v, w, n=one, m=two: evaluate(body, {**env, n: v, m: w}), (env[one], env[two]), (1, 1)
            )
        drift += second * rates[one][1] * rates[two][1] / 2
    return drift, noise


def free_names(t: Term) -> set[str]:
    """Names of variables, bound ones too."""
    if t.head == "var":
        return {t.args[0]}
    found: set[str] = set()
    for part in t.args:
        if isinstance(part, Term):
            found |= free_names(part)
        elif isinstance(part, tuple):
            for row in part:
                for entry in row:
                    found |= free_names(entry)
    return found


# --- corruption


def places(t: Term, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Term]]:
    """Every part of a term with the way to it; entries of matrices too."""
    yield path, t
    for index, part in enumerate(t.args):
        if isinstance(part, Term):
            yield from places(part, (*path, index))
        elif isinstance(part, tuple):
            for r, row in enumerate(part):
                for c, entry in enumerate(row):
                    yield from places(entry, (*path, index, r, c))


def replace(t: Term, path: tuple[int, ...], new: Term) -> Term:
    """The term with another part at the end of a way."""
    if not path:
        return new
    index, rest = path[0], path[1:]
    part = t.args[index]
    if isinstance(part, tuple):
        r, c = rest[0], rest[1]
        row = (*part[r][:c], replace(part[r][c], rest[2:], new), *part[r][c + 1 :])
        changed: Any = (*part[:r], row, *part[r + 1 :])
    else:
        changed = replace(part, rest, new)
    return Term(t.head, (*t.args[:index], changed, *t.args[index + 1 :]))


KINDS = ("sign", "exponent", "coefficient", "dropped", "function", "limit", "subscript", "algebra")


def corrupt(t: Term, kind: str, rng: random.Random) -> Term | None:
    """One corruption of a kind at a place that the generator picks; None where there is none."""
    options: list[tuple[tuple[int, ...], Term]] = []
    every = list(places(t))
    for path, part in every:
        options += [(path, new) for new in _changes(part, kind, rng, sorted(free_names(t)))]
    return replace(t, *rng.choice(options)) if options else None


def _changes(part: Term, kind: str, rng: random.Random, known: list[str]) -> list[Term]:
    a = part.args
    match kind, part.head:
        case "sign", "add":
            return [Term("add", (*a[:i], -a[i], *a[i + 1 :])) for i in range(len(a))]
        case "sign", "neg":
            return [a[0]]
        case "sign", "mul" | "fun" | "div":
            return [-part] if rng.random() < 0.3 else []
        case "exponent", "pow":
            return [
                Term(
                    "pow",
                    (a[0], a[1] + 1 if a[1].head != "num" else term(a[1].args[0] + rng.choice((-1, 1)))),
                )
            ]
        case "exponent", "div":
            return [Term("div", (a[0], a[1] ** 2))] if a[1].head == "var" else []
        case "coefficient", "num":
            value = a[0]
            return [term(rng.choice((value + 1, value * 2, value - 1, value / 2)))] if value else [term(1)]
        case "dropped", "add":
            kept = [a[:i] + a[i + 1 :] for i in range(len(a))]
            return [Term("add", k) if len(k) > 1 else k[0] for k in kept]
        case "dropped", "mul":
            kept = [a[:i] + a[i + 1 :] for i in range(len(a)) if not _moves(a[i])]
            return [Term("mul", k) if len(k) > 1 else k[0] for k in kept]
        case "function", "fun":
            return [Term("fun", (other, a[1])) for other in SWAPS.get(a[0], ())]
        case "limit", "int" | "sum":
            if a[2] is None:
                return []
            low = Term(
                part.head, (a[0], a[1], term(a[2]) + 1 if a[2].head != "num" else a[2].args[0] + 1, a[3])
            )
            low = Term(part.head, (a[0], a[1], term(low.args[2]), a[3]))
            high = a[3] if a[3] == OO else term(a[3].args[0] + 1) if a[3].head == "num" else a[3] + 1
            return [low] if high == OO else [low, Term(part.head, (a[0], a[1], a[2], high))]
        case "subscript", "var":
            return [Term("var", (name,)) for name in known if name != a[0] and name[:1] != "W"]
        case "algebra", "transpose" | "inverse":
            return [a[0]]
        case "algebra", "mul":
            swapped = [(*a[:i], a[i + 1], a[i], *a[i + 2 :]) for i in range(len(a) - 1)]
            return [Term("mul", s) for s in swapped]
        case "algebra", "det":
            return [Term("trace", a)]
        case "algebra", "trace":
            return [Term("det", a)]
    return []
