"""The frozen benchmark of steps: at least 1,000 true and 1,000 corrupted ones, drawn from seeds.

A step is drawn from a family, found true by evaluation (:mod:`benchmarks.maths_terms`), and corrupted in one
place; what evaluation cannot tell from true (an equivalent mutant) or cannot evaluate is dropped. Even
numbers of a family are for development, odd ones are held back.

    python -m benchmarks.maths_cases          counts and the digest of all steps
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import mpmath as mp

from benchmarks.maths_families import FAMILIES, Claim
from benchmarks.maths_terms import (
    KINDS,
    Term,
    Value,
    Writer,
    corrupt,
    differential,
    evaluate,
    free_names,
    write_name,
)

SEED = 20261123
TRUE_PER_FAMILY = 24
FALSE_PER_FAMILY = 24
TRIES = 160
FROZEN = "d05c630dc14b50e2e6cba30793e5d7bbfdc8a6f9345b3a9db17f4e289aa8fa9d"
"""What :func:`digest` gives for all steps: a figure is worth something as long as it does."""


@dataclass(frozen=True)
class Case:
    """One step of the benchmark.

    ``given`` are lines of the dialect, ``latex`` the step; ``corruption`` is empty for true steps.
    """

    number: int
    area: str
    family: str
    given: tuple[str, ...]
    latex: str
    true: bool
    corruption: str
    held_back: bool


def draw_cases(families: int | None = None) -> Iterator[Case]:
    """All steps, in a fixed order; of the first few families only, if told."""
    number = 0
    for area, name, draw in FAMILIES[:families]:
        rng = random.Random(f"{SEED} {name}")  # text seeds are hashed with SHA-512: the same everywhere
        true: dict[tuple[tuple[str, ...], str], tuple[Claim, Writer]] = {}
        false: dict[tuple[tuple[str, ...], str], str] = {}
        for _ in range(TRIES):
            if len(true) >= TRUE_PER_FAMILY and len(false) >= FALSE_PER_FAMILY:
                break
            claim = draw(rng)
            writer = Writer(rng)
            if holds(claim, rng) is not True:
                raise AssertionError(f"{name} claims what is not so: {write(claim, writer)}")
            key = (given(claim, writer), write(claim, writer))
            if len(true) < TRUE_PER_FAMILY:
                true.setdefault(key, (claim, writer))
            kinds = rng.sample(KINDS, len(KINDS))
            kind, wrong = next(((k, w) for k in kinds if (w := spoil(claim, k, rng))), ("", None))
            if wrong is None or len(false) >= FALSE_PER_FAMILY:
                continue
            text = write(wrong, writer)
            if text != key[1] and holds(wrong, rng) is False:
                false.setdefault((key[0], text), kind)
        for position, (lines, text) in enumerate(true):
            yield Case(number, area, name, lines, text, True, "", position % 2 == 1)
            number += 1
        for position, ((lines, text), kind) in enumerate(false.items()):
            yield Case(number, area, name, lines, text, False, kind, position % 2 == 1)
            number += 1


def write(claim: Claim, writer: Writer) -> str:
    """The step as LaTeX."""
    sign = r" \le " if claim.mode == "below" else " = "
    step = writer.write(claim.left) + sign + writer.write(claim.right)
    if claim.premise:
        return f"{writer.write(claim.premise[0])} = {writer.write(claim.premise[1])} \\implies {step}"
    return step


_DOMAIN = {
    "real": r"{} \in \mathbb{{R}}",
    "pos": "{} > 0",
    "nat": r"{} \in \mathbb{{N}}",
    "unit": "0 < {} < 1",
    "above -1": "{} > -1",
    "nonneg": r"{} \ge 0",
    "matrix": r"{} \in \mathbb{{R}}^{{n \times n}}",
}


def given(claim: Claim, writer: Writer) -> tuple[str, ...]:
    """What the document says before the step."""
    lines = [_DOMAIN[kind].format(write_name(name)) for name, kind in claim.domain.items()]
    lines += [f"{name} invertible" for name, kind in claim.domain.items() if kind == "matrix"]
    for name, (mu, sigma) in claim.env.get("laws", {}).items():
        lines.append(f"{name} \\sim \\mathcal{{N}}({writer.write(mu)}, {writer.write(sigma**2)})")
    if len(claim.env.get("laws", {})) > 1:
        lines.append(" and ".join(claim.env["laws"]) + " independent")
    for name, (drift, noise) in claim.env.get("sde", {}).items():
        if name == "W_t":
            lines.append("W_t Brownian")
        else:
            lines.append(f"d{name} = {writer.write(drift, 2)} \\, dt + {writer.write(noise, 2)} \\, dW_t")
    return tuple(lines)


def spoil(claim: Claim, kind: str, rng: random.Random) -> Claim | None:
    """One corruption, of the right side mostly."""
    if claim.premise and rng.random() < 0.5:
        wrong = corrupt(claim.premise[0], kind, rng)
        return wrong and replace(claim, premise=(wrong, claim.premise[1]))
    # Limits and transposes stand on the left of most steps.
    if claim.left.head != "var" and rng.random() < (0.9 if kind in {"limit", "algebra"} else 0.35):
        wrong = corrupt(claim.left, kind, rng)
        return wrong and replace(claim, left=wrong)
    wrong = corrupt(claim.right, kind, rng)
    return wrong and replace(claim, right=wrong)


def holds(claim: Claim, rng: random.Random) -> bool | None:
    """Whether a step holds at points of its domain; None where it cannot be evaluated or judged."""
    bound = {
        part.args[1] for side in (claim.left, claim.right) for part in _parts(side) if part.head in {"der"}
    }
    known = (
        set(claim.domain)
        | set(claim.env.get("laws", {}))
        | set(claim.env.get("sde", {}))
        | {"t", "C", "h", "x"}
    )
    if "n" not in claim.domain and not (free_names(claim.right) - _bound(claim.right)) <= known | bound:
        return None
    rounds = 400 if claim.mode == "below" else 5
    try:
        with mp.workdps(30):
            found = [_holds_at(claim, rng) for _ in range(rounds)]
    except (ValueError, TypeError, ZeroDivisionError, KeyError, OverflowError, mp.libmp.NoConvergence):
        return None
    if claim.mode == "below":
        # 1e-9: what breaks an inequality by less than that could be rounding.
        return all(gap <= mp.mpf(10) ** -9 for gap in found)
    worst = max(found)
    # A limit is taken 1e-7 from its point; all else agrees to 9 digits or differs visibly.
    close = mp.mpf(10) ** (-5 if "lim" in str(claim.left) else -9)
    if worst < close:
        return True
    return False if worst > 1000 * close else None


def _parts(t: Term) -> Iterator[Term]:
    yield t
    for part in t.args:
        if isinstance(part, Term):
            yield from _parts(part)


def _bound(t: Term) -> set[str]:
    return {part.args[1] for part in _parts(t) if part.head in {"int", "sum", "lim"}}


def _holds_at(claim: Claim, rng: random.Random) -> Value:
    env: dict[str, Value] = dict(claim.env)
    for name in sorted({*claim.domain, *claim.env.get("sde", {})}):
        env[name] = _sample(claim.domain.get(name, "real"), rng)
    env.setdefault("t", mp.mpf(rng.uniform(0.3, 2)))
    if claim.mode == "implies" and claim.premise:
        at = {"x": evaluate(claim.right, env)}
        return abs(evaluate(claim.premise[0], at) - evaluate(claim.premise[1], at))
    if claim.mode == "antiderivative":
        left = evaluate(claim.left.args[0], env)
        right = mp.diff(lambda v: evaluate(claim.right, {**env, "x": v}), env["x"])
        return _difference(left, right) + (0 if "C" in free_names(claim.right) else 1)
    if claim.mode.startswith("order"):
        return _order_missed(claim)
    if claim.mode == "ito":
        one, two = differential(claim.left, env), differential(claim.right, env)
        return max(_difference(one[0], two[0]), _difference(one[1], two[1]))
    if claim.mode == "below":
        gap = evaluate(claim.left, env) - evaluate(claim.right, env)
        if isinstance(gap, mp.mpc):
            raise ValueError("complex")
        return gap
    return _difference(evaluate(claim.left, env), evaluate(claim.right, env))


def _order_missed(claim: Claim) -> Value:
    """0 where left minus right, the order left out, falls like the order written; 1 where not."""
    terms = claim.right.parts("add")
    orders = [part for part in terms if part.head == "order"]
    if len(orders) != 1:
        raise ValueError("no order is written")
    rest = [part for part in terms if part.head != "order"]
    ratios = []
    for step in (mp.mpf("1e-4"), mp.mpf("1e-6")):
        env = {"h": step}
        value = evaluate(claim.left, env) - mp.fsum(evaluate(part, env) for part in rest)
        ratios.append(abs(value / evaluate(orders[0].args[0], env)))
    return mp.mpf(0) if ratios[1] < 5 * ratios[0] + mp.mpf("1e-6") else mp.mpf(1)


def _sample(kind: str, rng: random.Random) -> Value:
    if kind == "matrix":
        # Of the form I + noise: invertible with a margin.
        return mp.matrix([[rng.uniform(-1, 1) + (3 if i == j else 0) for j in range(3)] for i in range(3)])
    if kind == "nat":
        return mp.mpf(rng.randint(1, 6))
    low, high = {
        "real": (-3.0, 3.0),
        "pos": (0.05, 4.0),
        "unit": (0.02, 0.98),
        "above -1": (-0.98, 3.0),
        "nonneg": (0.0, 4.0),
    }[kind]
    return mp.mpf(rng.uniform(low, high))


def _difference(left: Value, right: Value) -> Value:
    if isinstance(left, mp.matrix) or isinstance(right, mp.matrix):
        gap = left - right
        return max(abs(entry) for entry in gap)
    if not (mp.isfinite(left) and mp.isfinite(right)) or mp.im(left) or mp.im(right):
        raise ValueError("no real number")
    return abs(left - right) / (1 + abs(left) + abs(right))


def digest(cases: list[Case]) -> str:
    """SHA-256 of all steps: what is measured is what was frozen."""
    return hashlib.sha256(json.dumps([asdict(case) for case in cases], sort_keys=True).encode()).hexdigest()


def main() -> None:
    """Print counts by area and corruption, and the digest."""
    cases = list(draw_cases())
    for true in (True, False):
        chosen = [case for case in cases if case.true is true]
        held_back = sum(case.held_back for case in chosen)
        print(f"{'true' if true else 'corrupted'}  {len(chosen):,}, held back {held_back:,}")
        print("   ", dict(Counter(case.area for case in chosen)))
    print("corruptions", dict(Counter(case.corruption for case in cases if case.corruption)))
    print("sha256", digest(cases))


if __name__ == "__main__":
    main()
