"""Other ways to write a formula that do not cancel: proposals only, nothing here is believed.

A tree may then have heads that the reader does not know: ``expm1``, ``log1p``, ``logaddexp``, ``log_Phi``.
:func:`meaning` writes them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from grn.maths.syntax import ONE, Apply, Call, Cases, Number, Tree, number

MEANINGS: dict[str, Callable[..., Tree]] = {
    "expm1": lambda x: Call("add", (Call("exp", (x,)), number(-1))),
    "log1p": lambda x: Call("log", (Call("add", (ONE, x)),)),
    "logaddexp": lambda x, y: Call("log", (Call("add", (Call("exp", (x,)), Call("exp", (y,)))),)),
    "log_Phi": lambda x: Call("log", (Call("Phi", (x,)),)),
}
"""What the heads of stable forms mean."""

Term = tuple[int, Tree]


def meaning(tree: Tree) -> Tree:
    """A tree with the heads of stable forms written out."""
    for place, part in enumerate(_parts(tree)):
        tree = _with(tree, place, meaning(part))
    if isinstance(tree, Call) and tree.head in MEANINGS:
        return MEANINGS[tree.head](*tree.args)
    return tree


def rewritten(tree: Tree) -> Iterator[tuple[str, Tree, Tree, Tree]]:
    """Trees that differ from this one in one place: the rule, that place before and after it, the tree."""
    if isinstance(tree, Call):
        for rule, after in _here(tree):
            yield rule, tree, after, after
    for place, arg in enumerate(_parts(tree)):
        for rule, before, after, inner in rewritten(arg):
            yield rule, before, after, _with(tree, place, inner)


def _parts(tree: Tree) -> tuple[Tree, ...]:
    match tree:
        case Call(_, args) | Apply(_, _, args):
            return args
        case Cases(branches):
            return tuple(value for value, _ in branches)
    return ()


def _with(tree: Tree, place: int, part: Tree) -> Tree:
    """A tree with one of its parts replaced."""
    parts = tuple(part if n == place else old for n, old in enumerate(_parts(tree)))
    match tree:
        case Call(head, _):
            return Call(head, parts)
        case Apply(function, order, _):
            return Apply(function, order, parts)
        case Cases(branches):
            return Cases(tuple((value, when) for value, (_, when) in zip(parts, branches, strict=True)))
    return tree


def _here(tree: Call) -> Iterator[tuple[str, Tree]]:
    match tree:
        case Call("add"):
            yield from _sums(_terms(tree))
        case Call("log", (Call("add") as inner,)):
            yield from _logarithms(inner)
        case Call("log", (Call("Phi", (x,)),)):
            yield "log Phi", Call("log_Phi", (x,))


def _sums(terms: list[Term]) -> Iterator[tuple[str, Tree]]:
    """One or two terms of a sum at a time, wherever they stand in it."""
    for place, (sign, term) in enumerate(terms):
        match term:
            case Call("mul", factors):
                rest = terms[:place] + terms[place + 1 :]
                for at, factor in enumerate(factors):
                    if isinstance(factor, Call) and factor.head == "exp":
                        beside = _times(*factors[:at], *factors[at + 1 :])
                        small = _times(beside, Call("expm1", factor.args))
                        yield "expm1", _sum([*rest, (sign, beside), (sign, small)])
                        yield from _weighted(rest, sign, beside, factor)
    for i, (sign, one) in enumerate(terms):
        for j, (other_sign, two) in enumerate(terms):
            if i == j or sign == other_sign:
                continue
            for rule, joined in _pair(one, two):
                rest = [term for place, term in enumerate(terms) if place not in (i, j)]
                yield rule, _sum([(sign, joined), *rest])


def _weighted(rest: list[Term], sign: int, beside: Tree, weight: Call) -> Iterator[tuple[str, Tree]]:
    """``a + (b - a) e^c`` as ``b e^c - a (e^c - 1)``: two parts that do not cancel."""
    for part_sign, part in _terms(beside, sign):
        if (-part_sign, part) in rest:
            others = list(rest)
            others.remove((-part_sign, part))
            left = _terms(beside, sign)
            left.remove((part_sign, part))
            kept = (1, _times(_sum(left), weight))
            yield "weights", _sum([*others, kept, (part_sign, _times(part, Call("expm1", weight.args)))])


def _pair(a: Tree, b: Tree) -> Iterator[tuple[str, Tree]]:
    """Ways to write ``a - b``."""
    match a, b:
        case Call("exp", (x,)), Number(value) if value == 1:
            yield "expm1", Call("expm1", (x,))
        case Call("pow", (x, power)), Number(value) if value == 1 and not isinstance(power, Number):
            yield "expm1 of a power", Call("expm1", (_times(power, Call("log", (x,))),))
        case Call("exp", (x,)), Call("exp", (y,)):
            yield "expm1", _times(b, Call("expm1", (_sum([(1, x), (-1, y)]),)))
        case Call("cosh", (x,)), Number(value) if value == 1:
            yield "half angle", _times(number(2), _square(Call("sinh", (_half(x),))))
        case Number(value), Call("cos", (x,)) if value == 1:
            yield "half angle", _times(number(2), _square(Call("sin", (_half(x),))))
        case Number(value), Call("Phi", (x,)) if value == 1:
            yield "other tail", Call("Phi", (_minus(x),))
        case Number(value), Call("erf", (x,)) if value == 1:
            yield "other tail", Call("erfc", (x,))
        case Number(value), Call("erfc", (x,)) if value == 1:
            yield "other tail", Call("erf", (x,))
        case Call("log", (x,)), Call("log", (y,)):
            yield "log1p", Call("log1p", (Call("div", (_sum([(1, x), (-1, y)]), y)),))
        case Call("pow", (x, Number(power))), Call("pow", (y, Number(other))) if power == other == 2:
            yield "difference of squares", _times(_sum([(1, x), (-1, y)]), _sum([(1, x), (1, y)]))
        case Number(value), Call("pow", (x, Number(power))) if value == 1 and power == 2:
            yield "difference of squares", _times(_sum([(1, ONE), (-1, x)]), _sum([(1, ONE), (1, x)]))
        case Call("div", (top, x)), Call("div", (other, y)) if top == other:
            yield (
                "difference of reciprocals",
                Call("div", (_times(top, _sum([(1, y), (-1, x)])), _times(x, y))),
            )
    if any(isinstance(part, Call) and part.head == "sqrt" for part in (a, b)):
        apart = _sum([(1, _squared(a)), (-1, _squared(b))])
        yield "difference of roots", Call("div", (apart, _sum([(1, a), (1, b)])))


def _logarithms(inner: Call) -> Iterator[tuple[str, Tree]]:
    terms = _terms(inner)
    for place, (sign, term) in enumerate(terms):
        if sign == 1 and term == ONE:
            rest = terms[:place] + terms[place + 1 :]
            yield "log1p", Call("log1p", (_sum(rest),))
    match terms:
        case [(1, Call("exp", (x,))), (1, Call("exp", (y,)))]:
            yield "logaddexp", Call("logaddexp", (x, y))
        case [(1, Call("exp", (x,))), (1, Number(value))] | [(1, Number(value)), (1, Call("exp", (x,)))] if (
            value == 1
        ):
            yield "logaddexp", Call("logaddexp", (number(0), x))


# --- small algebra


def _terms(tree: Tree, sign: int = 1) -> list[Term]:
    match tree:
        case Call("add", args):
            return [term for arg in args for term in _terms(arg, sign)]
        case Call("neg", (inner,)):
            return _terms(inner, -sign)
        case Number(value) if value < 0:
            return [(-sign, Number(-value))]
    return [(sign, tree)]


def _sum(terms: list[Term]) -> Tree:
    """A sum with its numbers added up and opposite terms left out."""
    flat = [inner for sign, tree in terms for inner in _terms(tree, sign)]
    total = sum((sign * tree.value for sign, tree in flat if isinstance(tree, Number)), Fraction(0))
    kept: list[Term] = []
    for sign, tree in flat:
        if isinstance(tree, Number):
            continue
        if (-sign, tree) in kept:
            kept.remove((-sign, tree))
        else:
            kept.append((sign, tree))
    if total:
        kept.append((1 if total > 0 else -1, Number(abs(total))))
    kept.sort(key=lambda term: term[0] < 0)  # no sum begins with a minus where it need not
    parts = tuple(tree if sign > 0 else Call("neg", (tree,)) for sign, tree in kept)
    if not parts:
        return number(0)
    return parts[0] if len(parts) == 1 else Call("add", parts)


def _times(*factors: Tree) -> Tree:
    kept = tuple(factor for factor in factors if factor != ONE)
    return kept[0] if len(kept) == 1 else Call("mul", kept)


def _minus(tree: Tree) -> Tree:
    return tree.args[0] if isinstance(tree, Call) and tree.head == "neg" else Call("neg", (tree,))


def _half(tree: Tree) -> Tree:
    return Call("div", (tree, number(2)))


def _square(tree: Tree) -> Tree:
    return Call("pow", (tree, number(2)))


def _squared(tree: Tree) -> Tree:
    if isinstance(tree, Call) and tree.head == "sqrt":
        return tree.args[0]
    return Number(tree.value**2) if isinstance(tree, Number) else _square(tree)
