"""Tests that a derivation itself proposes: no model, and every expectation from a step or a proof."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from grn.maths.deciders.ladder import decide
from grn.maths.gate.given import claims_of_order, orders_of, values_of_arrays, write_given
from grn.maths.implement.accuracy import Floats, draw_points, evaluate
from grn.maths.implement.arrays import emitter_for
from grn.maths.implement.emit import Emitter, Limits, Refer, dotted, written
from grn.maths.implement.function import Function
from grn.maths.implement.given import function_for, plain
from grn.maths.implement.module import Implemented, originals_source
from grn.maths.implement.results import equations, free_keys, identifier
from grn.maths.plain import print_tree
from grn.maths.syntax import Bind, Call, Constant, Derivative, Name, Relation, Tree, number
from grn.maths.verdict import BeyondError

POINTS = 6
MOST_SYMMETRIES = 3
"""Symmetries of one function: the first that are proved."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One test that somebody proposes.

    Attributes
    ----------
    name
        Of the test function.
    kind
        Where it comes from: ``relation``, ``symmetry``, ``bound``, ``monotonicity``, ``numbers``, ``values``,
        or what a file says.
    source
        A module with this test.
    step
        The step that it rests on; 0 where none is named.
    """

    name: str
    kind: str
    source: str
    step: int = 0


def propose(made: Implemented, module: str, room: dict[str, Any]) -> Iterator[Proposal]:
    """Propose tests of a module, those that say most first.

    Parameters
    ----------
    module
        The module's name.
    room
        The module's functions by name: what may hold is looked up there first, and then proved.
    """
    yield from _relations(made, module)
    yield from _orders(made, module)
    for function in made.functions:
        if function.arguments and _takes_numbers(made, function):
            yield from _symmetries(made, function, module, room)
            yield from _order(made, function, module, room)
    for function in made.functions:
        if function.arguments:
            yield from _numbers(made, function, module)
            yield from _values(made, function, module)


def _takes_numbers(made: Implemented, function: Function) -> bool:
    """Whether nothing else than numbers is asked for and computed with."""
    numbers = plain(made.derivation, function.arguments)
    return numbers == function.arguments and not made.derivation.is_of_arrays(function.key)


# --- steps of the document


def _relations(made: Implemented, module: str) -> Iterator[Proposal]:
    """Every proved equation that can be computed: both sides, by the module's functions."""
    names = made.names

    def refer(key: str, args: list[ast.expr]) -> ast.expr | None:
        result = made.derivation.results.get(key)
        if result is None or key not in names or len(args) != len(result.own):
            return None
        others = made.derivation.arguments(key)[len(result.own) :]
        passed = [*args, *(ast.Name(identifier(other)) for other in others)]
        return ast.Call(dotted(f"subject.{names[key]}"), passed, [])

    for step, statement in made.derivation.claims:
        for place, (left, right) in enumerate(equations(statement)):
            keys = _computed(made, left, right)
            if keys is None:
                continue
            try:
                emitter = emitter_for(made.derivation, tuple(keys), False, refer, _limits(keys, made, refer))
                sides = [written(emitter.expression(side)) for side in (left, right)]
                of_arrays = any(made.derivation.is_of_arrays(k) for s in (left, right) for k in free_keys(s))
                points = _points(made, keys, of_arrays)
            except BeyondError:
                continue
            body = [*points, f"left = {sides[0]}", f"right = {sides[1]}"]
            rough = any(word in side for side in sides for word in ("slope(", "beyond("))
            loose = "rtol=1e-5, atol=1e-7" if rough else "rtol=1e-10, atol=1e-12"
            body.append(f"np.testing.assert_allclose(left, right, {loose})")
            name = f"test_step_{step.number}{'_' + str(place + 1) if place else ''}"
            told = f"Step {step.number}: {print_tree(left)} = {print_tree(right)}."
            extra = ["from scipy import special"] if any("special." in side for side in sides) else []
            helpers = [text for word, text in _HELPERS.items() if any(f"{word}(" in side for side in sides)]
            yield Proposal(name, "relation", _module(module, name, told, body, helpers, *extra), step.number)


def _computed(made: Implemented, left: Tree, right: Tree) -> list[str] | None:
    """Arguments of an equation in which a function of the module occurs; None for any other."""
    keys = [key for side in (left, right) for key in free_keys(side)]
    if not any(key in made.names for key in keys):
        return None
    free = {key for side in (left, right) for key in made.derivation.free(side)}
    return sorted(free, key=made.derivation.order.index)


def _limits(keys: Sequence[str], made: Implemented, refer: Refer) -> Limits:
    def limits(tree: Derivative | Bind) -> ast.expr:
        return _limit(tree, emitter_for(made.derivation, tuple(keys), False, refer, limits))

    return limits


def _orders(made: Implemented, module: str) -> Iterator[Proposal]:
    """Matrices that were proved to be symmetric or definite, in the document or here."""
    for step, function, left, says in (*claims_of_order(made), *orders_of(made)):
        name = f"test_{function.name}_is_{says.replace(' ', '_')}"
        points = write_given(made.derivation, function.arguments, of_arrays=True)
        value = f"value = subject.{function.name}({', '.join(map(identifier, function.arguments))})"
        body = [*points, value, *_HOLDS[says]]
        told = f"{'Step ' + str(step) + ': ' if step else ''}{print_tree(left)} is {says}."
        yield Proposal(name, "bound", _module(module, name, told, body), step or function.form.step.number)


_HOLDS = {
    "symmetric": ["np.testing.assert_allclose(value, value.T, rtol=1e-10, atol=1e-12)"],
    "positive definite": ["assert (np.linalg.eigvalsh(value) > 0).all()"],
    "positive semidefinite": ["assert (np.linalg.eigvalsh(value) > -1e-12).all()"],
}


def _limit(tree: Derivative | Bind, emitter: Emitter) -> ast.expr:
    """A derivative as a quotient of differences, a limit as a value close to it."""
    if isinstance(tree, Derivative):
        found = emitter.expression(tree.body)
        for name, order in tree.by:
            if order not in (number(1), number(2)) or not isinstance(name, Name):
                raise BeyondError("a derivative of a high order")
            kind = "slope" if order == number(1) else "bend"
            found = _applied(kind, name, found, ast.Name(identifier(print_tree(name))))
        return found
    if not isinstance(tree.name, Name) or tree.low is None:
        raise BeyondError("a limit of no name")
    own = ast.Name(identifier(print_tree(tree.name)))
    where: ast.expr = (
        ast.Name("FAR")
        if tree.low == Constant("oo")
        else ast.BinOp(
            emitter.expression(tree.low),
            ast.Sub() if print_tree(tree.high or number(0)) == "minus" else ast.Add(),
            ast.Name("NEAR"),
        )
    )
    return _applied(
        "beyond",
        tree.name,
        emitter.expression(tree.body),
        ast.BinOp(where, ast.Add(), ast.BinOp(ast.Constant(0), ast.Mult(), own)),
    )


def _applied(kind: str, name: Name, body: ast.expr, at: ast.expr) -> ast.expr:
    parameter = ast.arg(identifier(name.text))
    takes = ast.arguments([], [parameter], None, [], [], None, [])
    return ast.Call(ast.Name(kind), [ast.Lambda(takes, body), at], [])


# --- what a function keeps


def _symmetries(
    made: Implemented, function: Function, module: str, room: dict[str, Any]
) -> Iterator[Proposal]:
    """Scaling, signs and shifts of arguments: seen in numbers first, then proved."""
    derivation, found = made.derivation, 0
    points = draw_points(derivation, function.arguments, POINTS, mild=True)
    base = evaluate(room[function.name], points)
    for changed, word, change in _moves(made, function):
        moved = points.copy()
        for place in changed:
            moved[place] = {"twice": 2 * points[place], "minus": -points[place], "shift": points[place] + 1}[
                word
            ]
        value = evaluate(room[function.name], moved)
        for says, expected, claim in _outcomes(word):
            if not np.allclose(value, expected(base), rtol=1e-9, atol=1e-12) or not np.abs(base).max() > 1e-6:
                continue
            keys = [function.arguments[place] for place in changed]
            own = _own(function, derivation.results[function.key].own)
            left: Tree = own
            for key in keys:
                left = Call("subs", (left, Name(key), change(Name(key))))
            verdict = decide(Relation("Eq", left, claim(own)), derivation.symbols.copy())
            if verdict.kind != "proved":
                continue
            listed = "_".join(identifier(key) for key in keys)
            name = f"test_{function.name}_{word}_{listed}"
            passed = [
                {"twice": f"2 * {a}", "minus": f"-{a}", "shift": f"{a} + 1"}[word] if place in changed else a
                for place, a in enumerate(map(identifier, function.arguments))
            ]
            call = f"subject.{function.name}({', '.join(map(identifier, function.arguments))})"
            body = [
                *_points(made, function.arguments),
                f"moved = subject.{function.name}({', '.join(passed)})",
                f"np.testing.assert_allclose(moved, {says.format(call)}, rtol=1e-10, atol=1e-12)",
            ]
            outcome = says.format(function.key)
            told = f"{function.key} under {word} {', '.join(keys)} is {outcome}: by {verdict.rule}."
            yield Proposal(name, "symmetry", _module(module, name, told, body), function.form.step.number)
            found += 1
            break
        if found == MOST_SYMMETRIES:
            return


def _moves(made: Implemented, function: Function) -> Iterator[tuple[tuple[int, ...], str, Any]]:
    places = range(len(function.arguments))
    spots = [made.derivation.range(key) for key in function.arguments]
    plain = [p for p in places if not spots[p].whole and key_is_plain(function.arguments[p])]
    free = [p for p in plain if spots[p].low is None and spots[p].high is None]
    scaled = [p for p in plain if spots[p].high is None and spots[p].low in (None, 0)]
    for size in (1, 2, 3):
        for chosen in combinations(scaled, size):
            yield chosen, "twice", lambda name: Call("mul", (number(2), name))
        for chosen in combinations(free, size):
            yield chosen, "minus", lambda name: Call("neg", (name,))
            yield chosen, "shift", lambda name: Call("add", (name, number(1)))


def key_is_plain(key: str) -> bool:
    """Whether a key is a name without an index."""
    return "[" not in key


def _outcomes(word: str) -> Iterator[tuple[str, Any, Any]]:
    yield "{}", lambda f: f, lambda f: f
    if word == "minus":
        yield "-{}", lambda f: -f, lambda f: Call("neg", (f,))
    elif word == "shift":
        yield "{} + 1", lambda f: f + 1, lambda f: Call("add", (f, number(1)))
    else:
        for factor in (2, 4):
            yield (
                f"{factor} * {{}}",
                lambda f, k=factor: k * f,
                lambda f, k=factor: Call("mul", (number(k), f)),
            )
            yield (
                f"{{}} / {factor}",
                lambda f, k=factor: f / k,
                lambda f, k=factor: Call("div", (f, number(k))),
            )


def _own(function: Function, own: Sequence[str]) -> Tree:
    from grn.maths.syntax import Apply

    return Apply(function.key, 0, tuple(Name(key) for key in own)) if own else Name(function.key)


def _order(made: Implemented, function: Function, module: str, room: dict[str, Any]) -> Iterator[Proposal]:
    """A sign that the values keep, and arguments along which they only rise or fall; proved."""
    derivation = made.derivation
    points = draw_points(derivation, function.arguments, POINTS, mild=True)
    base, own = evaluate(room[function.name], points), _own(function, derivation.results[function.key].own)
    call = f"subject.{function.name}({', '.join(map(identifier, function.arguments))})"
    for sign, says in (("Gt", "> 0"), ("Lt", "< 0")):
        if not ((base > 0) if sign == "Gt" else (base < 0)).all():
            continue
        verdict = decide(Relation(sign, own, number(0)), derivation.symbols.copy())
        if verdict.kind == "proved":
            name = f"test_{function.name}_{'above' if sign == 'Gt' else 'below'}_0"
            body = [*_points(made, function.arguments), f"assert ({call} {says}).all()"]
            told = f"{function.key} {says}: by {verdict.rule}."
            yield Proposal(name, "bound", _module(module, name, told, body), function.form.step.number)
    for place, key in enumerate(function.arguments):
        if derivation.range(key).whole or not key_is_plain(key):
            continue
        moved = points.copy()
        moved[place] += 1e-3
        rise = evaluate(room[function.name], moved) - base
        if not ((rise > 0).all() or (rise < 0).all()):
            continue
        sign, way = ("Ge", "rises") if (rise > 0).all() else ("Le", "falls")
        slope = Derivative(own, ((Name(key), number(1)),))
        verdict = decide(Relation(sign, slope, number(0)), derivation.symbols.copy())
        if verdict.kind != "proved":
            continue
        argument = identifier(key)
        name = f"test_{function.name}_{way}_along_{argument}"
        passed = ", ".join(f"{a} + 0.01" if a == argument else a for a in map(identifier, function.arguments))
        more = f"subject.{function.name}({passed})"
        body = [
            *_points(made, function.arguments),
            f"assert ({more} {'>' if sign == 'Ge' else '<'} {call}).all()",
        ]
        told = f"{function.key} {way} along {key}: by {verdict.rule}."
        yield Proposal(name, "monotonicity", _module(module, name, told, body), function.form.step.number)


# --- numbers


def _numbers(made: Implemented, function: Function, module: str) -> Iterator[Proposal]:
    """Lists and numbers of single precision are taken like arrays of double precision."""
    name = f"test_{function.name}_takes_every_kind_of_number"
    arguments = [identifier(key) for key in function.arguments]
    functions = {identifier(key) for key in made.derivation.callables}
    listed = ", ".join(a if a in functions else f"{a}.tolist()" for a in arguments)
    single = ", ".join(a if a in functions else f"{a}.astype(np.float32)" for a in arguments)
    body = [
        *_points(made, function.arguments, made.derivation.is_of_arrays(function.key)),
        f"double = subject.{function.name}({', '.join(arguments)})",
        f"assert np.array_equal(subject.{function.name}({listed}), double)",
        f"single = subject.{function.name}({single})",
        "assert single.dtype == np.float64",
        "np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4)",
    ]
    told = f"{function.key} of lists and of single precision is computed in double precision."
    yield Proposal(name, "numbers", _module(module, name, told, body), function.form.step.number)


def _values(made: Implemented, function: Function, module: str) -> Iterator[Proposal]:
    """The formula as the document writes it, at 30 digits."""
    derivation, name = made.derivation, f"test_{function.name}_is_its_formula"
    used = [f.key for f in made.functions if f.key in _used(made, function.key)]
    passed = ", ".join(map(identifier, function.arguments))
    numbers = [identifier(key) for key in plain(derivation, function.arguments)]
    of_arrays = derivation.is_of_arrays(function.key)
    if of_arrays:
        exact = values_of_arrays(function, derivation)
    else:
        functions = derivation.callables
        to_exact = ", ".join(
            function_for(functions[key], True) if key in functions else identifier(key)
            for key in function.arguments
        )
        asked = "(*point)) for point in points]"
        if len(numbers) < len(function.arguments):
            asked = f"({to_exact})) for {', '.join(numbers)}{',' * (len(numbers) == 1)} in points]"
        listed = ", ".join(numbers)
        exact = [
            f"    rows = np.broadcast_arrays({listed})" if len(numbers) > 1 else f"    rows = [{listed}]",
            "    points = [[mp.mpf(x) for x in row] for row in zip(*rows, strict=True)]",
            f"    exact = [float(original_{function.name}{asked}",
        ]
    body = [
        *_points(made, function.arguments, of_arrays),
        "with mp.workdps(30):",
        *exact,
        f"np.testing.assert_allclose(subject.{function.name}({passed}), exact, rtol=1e-10, atol=1e-14)",
    ]
    count = "drawn arguments" if of_arrays else f"{POINTS} points"
    told = f"Step {function.form.step.number}: {function.key} at {count}."
    helpers = [originals_source(made, used).replace(": Any", "").replace(" -> Any", "")]
    source = _module(module, name, told, body, helpers, "from mpmath import mp")
    yield Proposal(name, "values", source, function.form.step.number)


def _used(made: Implemented, key: str) -> set[str]:
    found, todo = set(), [key]
    while todo:
        name = todo.pop()
        if name in made.names and name not in found:
            found.add(name)
            todo += free_keys(made.derivation.results[name].forms[0].tree)
    return found


# --- writing


def _points(made: Implemented, keys: Sequence[str], of_arrays: bool = False) -> list[str]:
    if of_arrays or plain(made.derivation, keys) != tuple(keys):
        return write_given(made.derivation, keys, of_arrays)
    drawn: Floats = draw_points(made.derivation, keys, POINTS, mild=True)
    return [f"{identifier(key)} = np.array({row.tolist()})" for key, row in zip(keys, drawn, strict=True)]


def _module(
    module: str, name: str, told: str, body: Sequence[str], helpers: Sequence[str] = (), *imports: str
) -> str:
    head = ["import numpy as np", *imports, f"import {module} as subject"]
    test = [f"def {name}():", f'    """{told}"""'.replace("\\", "/"), *(f"    {line}" for line in body)]
    return "\n\n\n".join(part.strip("\n") for part in ("\n".join(head), *helpers, "\n".join(test))) + "\n"


_HELPERS = {
    "slope": '''def slope(f, x):
    """The derivative of f at x, by differences of the sixth order."""
    h = 1e-3 * np.maximum(np.abs(x), 0.1)
    near, mid, far = (f(x + k * h) - f(x - k * h) for k in (1, 2, 3))
    return (45 * near - 9 * mid + far) / (60 * h)''',
    "bend": '''def bend(f, x):
    """The second derivative of f at x, by differences of the sixth order."""
    h = 5e-3 * np.maximum(np.abs(x), 0.1)
    near, mid, far = (f(x + k * h) - 2 * f(x) + f(x - k * h) for k in (1, 2, 3))
    return (270 * near - 27 * mid + 2 * far) / (180 * h * h)''',
    "beyond": '''FAR, NEAR = 1e3, 1e-7


def beyond(f, x):
    """The value of f close to where its limit is taken."""
    return f(x)''',
}
