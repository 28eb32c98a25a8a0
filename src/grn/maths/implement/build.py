"""From a derivation to functions: which form of each result, how it is written, how exact it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from grn.kit.errors import UsageError
from grn.maths.deciders.ladder import decide
from grn.maths.implement.accuracy import (
    Environment,
    Floats,
    Sample,
    badness,
    evaluate,
    exact,
    numeric,
    run_source,
    sample,
)
from grn.maths.implement.arrays import emitter_for
from grn.maths.implement.bounded import bounded
from grn.maths.implement.function import Function, Namer, write_function, write_original
from grn.maths.implement.given import bind_functions, measure_arrays, plain
from grn.maths.implement.module import Implemented
from grn.maths.implement.plot import Panel, leading_argument
from grn.maths.implement.results import Derivation, free_keys, identifier
from grn.maths.implement.stable import meaning, rewritten
from grn.maths.syntax import Relation, Tree
from grn.maths.verdict import BeyondError

POINTS = 192
"""Points of a domain at which a function is held against 160 digits."""

GOOD = 32.0
"""Units of error that no other form is looked for."""

ROUNDS = 5


def implement(
    derivation: Derivation,
    names: Mapping[str, str] | None = None,
    *,
    points: int = POINTS,
    seen: Callable[[str], None] | None = None,
) -> Implemented:
    """Write functions for named results, and for all that they use.

    Parameters
    ----------
    names
        Results by key, each with the name that it gets in Python; None for all of them.
    points
        Points of the domain at which each is measured.
    seen
        Called with the key of each function as soon as it is written.

    Raises
    ------
    UsageError
        There is no such result, or nothing that code could be written for.
    """
    wanted = _wanted(derivation, names)
    order, skipped = _order(derivation, wanted)
    called = {key: (names or {}).get(key, identifier(key)) for key in order}
    if len(set(called.values())) < len(called):
        raise UsageError("two results would have one name", seen=", ".join(called.values()))
    floats, digits = numeric(), exact()
    functions: list[Function] = []
    panels: list[Panel] = []
    for key in order:
        form = derivation.results[key].forms[0]
        function = Function(key, called[key], derivation.arguments(key), form, form.tree)
        if {name for name, _ in skipped} & set(_results_in(form.tree, derivation)):
            skipped.append((key, "it uses a result without code"))
            continue
        run_source(write_original(function, derivation, called), digits)
        try:
            panels += _measured(function, derivation, called, floats, digits, points)
        except BeyondError as error:
            skipped.append((key, str(error)))
            continue
        run_source(write_function(function, derivation, called, docstring=False), floats)
        functions.append(function)
        if seen is not None:
            seen(key)
    if not functions:
        why = "; ".join(f"{key}: {reason}" for key, reason in skipped) or None
        raise UsageError(
            "nothing here that code could be written for", seen=why, hint="define a name with :="
        )
    return Implemented(derivation, tuple(functions), tuple(panels), tuple(skipped))


def _wanted(derivation: Derivation, names: Mapping[str, str] | None) -> list[str]:
    if names is None:
        return list(derivation.results)
    for key in names:
        if key not in derivation.results:
            known = ", ".join(derivation.results) or "none"
            raise UsageError("there is no such result in the document", seen=key, hint=f"results: {known}")
    return list(names)


def _order(derivation: Derivation, wanted: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Results in the order in which they use each other, and those for which there is no code."""
    order: list[str] = []
    reasons: dict[str, str] = {}

    def visit(key: str, above: frozenset[str]) -> bool:
        if key in order:
            return True
        if key in above or key in reasons:
            return False
        result = derivation.results[key]
        for form in result.forms:
            used = [name for name in _results_in(form.tree, derivation) if name != key]
            try:
                if not all(visit(name, above | {key}) for name in used):
                    raise BeyondError("it uses a result without code")
                _try(key, form.tree, derivation, order)
            except BeyondError as error:
                reasons.setdefault(key, str(error))
                continue
            result.forms.remove(form)
            result.forms.insert(0, form)
            reasons.pop(key, None)
            order.append(key)
            return True
        reasons.setdefault(key, "it uses itself")
        return False

    for key in wanted:
        visit(key, frozenset())
    return order, [(key, reason) for key, reason in reasons.items() if key in wanted]


def _results_in(tree: Tree, derivation: Derivation) -> list[str]:
    return [key for key in free_keys(tree) if key in derivation.results]


def _try(key: str, tree: Tree, derivation: Derivation, order: Sequence[str]) -> None:
    names = {name: identifier(name) for name in (*order, key)}
    free = tuple(sorted(derivation.free(tree, frozenset((key,))), key=derivation.order.index))
    for is_exact in (True, False):
        emitter_for(derivation, free, is_exact, Namer(derivation, names).refer).expression(tree)


def _measured(
    function: Function,
    derivation: Derivation,
    called: dict[str, str],
    floats: Environment,
    digits: Environment,
    points: int,
) -> list[Panel]:
    """Find the form that loses least, and its error; returns the picture of it."""
    if not function.arguments or not points:
        return []
    arguments = plain(derivation, function.arguments)
    bound = partial(bind_functions, derivation=derivation, arguments=function.arguments)
    original = bound(digits[f"original_{function.name}"], exact=True)
    if derivation.is_of_arrays(function.key):
        room = dict(floats)
        run_source(write_function(function, derivation, called, docstring=False), room)
        computed = bound(room[function.name], exact=False)
        at_errors, at = bounded(partial(measure_arrays, computed, original, derivation, arguments))
        function.naive_error = function.error = float(at_errors.max())
        first = next((key for key in arguments if derivation.is_array(key)), arguments[0])
        return [Panel(function.name, first, at, None, at_errors)]
    taken = bounded(partial(sample, derivation, arguments, original, points))
    if not taken.exact:
        raise BeyondError("nowhere in its domain has it a value that float64 holds")

    def errors(tree: Tree) -> Floats:
        trial = Function(function.key, function.name, function.arguments, function.form, tree)
        room = dict(floats)
        run_source(write_function(trial, derivation, called, docstring=False), room)
        return taken.errors(evaluate(bound(room[function.name], exact=False), taken.points))

    naive = found = errors(function.tree)
    for _ in range(ROUNDS):
        if found.max() <= GOOD:
            break
        better = _better(function.tree, found, errors, derivation)
        if better is None:
            break
        function.tree, found, rule = better
        function.rules.append(rule)
    function.naive_error, function.error = float(naive.max()), float(found.max())
    return [_panel(function, arguments, taken, naive, found)]


def _better(
    tree: Tree, errors: Floats, measure: Callable[[Tree], Floats], derivation: Derivation
) -> tuple[Tree, Floats, str] | None:
    """The rewriting that loses fewest bits, if it is proved equal and nowhere worse than the worst so far."""
    candidates: list[tuple[float, int, str, Tree, Tree, Tree, Any]] = []
    for place, (rule, before, after, whole) in enumerate(rewritten(tree)):
        try:
            found = measure(whole)
        except BeyondError:
            continue
        if found.max() <= errors.max() and badness(found) < 0.9 * badness(errors):
            candidates.append((badness(found), place, rule, before, after, whole, found))
    for _, _, rule, before, after, whole, found in sorted(candidates, key=lambda row: row[:2]):
        verdict = decide(Relation("Eq", meaning(before), meaning(after)), derivation.symbols.copy())
        if verdict.kind == "proved" and not verdict.needs:
            return whole, found, f"{rule} (equal by {verdict.rule})"
    return None


def _panel(
    function: Function, arguments: Sequence[str], taken: Sample, naive: Floats, found: Floats
) -> Panel:
    axis = leading_argument(taken.points, naive)
    argument = arguments[axis]
    return Panel(function.name, argument, taken.points[axis], naive if function.rules else None, found)
