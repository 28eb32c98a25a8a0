"""Proposed tests of matrices and of functions that take functions: what they are called with and held to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from grn.maths.deciders.ladder import decide
from grn.maths.implement.accuracy import draw_points
from grn.maths.implement.function import Function
from grn.maths.implement.given import draw_given, function_for, plain
from grn.maths.implement.module import Implemented
from grn.maths.implement.results import Derivation, identifier
from grn.maths.plain import print_tree
from grn.maths.sizes import NUMBER
from grn.maths.syntax import ZERO, Call, Name, Relation, Tree

POINTS = 6

Order = tuple[int, Function, Tree, str]
"""A step of the document or 0, whose value it is of, the tree, and what it is: ``positive definite`` ..."""

_SAID = {"Succ": "positive definite", "SuccEq": "positive semidefinite"}


def write_given(derivation: Derivation, keys: Sequence[str], of_arrays: bool) -> list[str]:
    """Lines that give a value to each argument: functions, arrays and single numbers, or several numbers.

    Raises
    ------
    BeyondError
        There is no function that takes so many numbers.
    """
    numbers = plain(derivation, keys)
    lines = [
        f"{identifier(key)} = {function_for(derivation.callables[key], False)}"
        for key in keys
        if key in derivation.callables
    ]
    if not of_arrays:
        rows = draw_points(derivation, numbers, POINTS, mild=True)
        return lines + [
            f"{identifier(k)} = np.array({row.tolist()})" for k, row in zip(numbers, rows, strict=True)
        ]
    drawn = draw_given(derivation, keys, random.Random(f"mild {' '.join(keys)}"), mild=True)
    return lines + [f"{identifier(k)} = np.array({x.tolist()})" for k, x in zip(numbers, drawn, strict=True)]


def values_of_arrays(function: Function, derivation: Derivation) -> list[str]:
    """Lines that work out the formula for matrices of mpmath; ``exact`` has the shape of the value."""
    numbers = plain(derivation, function.arguments)
    passed = []
    for key in function.arguments:
        name = identifier(key)
        if key not in numbers:
            passed.append(function_for(derivation.callables[key], True))
        elif derivation.is_array(key):
            passed.append(f"mp.matrix({name}.tolist())")
        else:
            passed.append(f"mp.mpf(float({name}))")
    told = f"    exact = original_{function.name}({', '.join(passed)})"
    size = derivation.sizes.known.get(function.key, NUMBER)
    if size == NUMBER:
        return [told, "    exact = float(exact)"]
    flat = ".ravel()" if "1" in size else ""
    return [told, f"    exact = np.array(exact.tolist(), dtype=np.float64){flat}"]


def claims_of_order(made: Implemented) -> Iterator[Order]:
    """Steps that say of a function that its value is definite."""
    by_key = {function.key: function for function in made.functions}
    for step, statement in made.derivation.claims:
        match statement:
            case Relation("Succ" | "SuccEq" as sign, Name(key), _) if key in by_key:
                yield step.number, by_key[key], statement.left, _SAID[sign]


def orders_of(made: Implemented) -> Iterator[Order]:
    """Matrices that are symmetric, and what can be proved of their sign; what steps say is left out."""
    said = {(print_tree(left), says) for _, _, left, says in claims_of_order(made)}
    for function in made.functions:
        size = made.derivation.sizes.known.get(function.key, NUMBER)
        if size == NUMBER or size[0] != size[1]:
            continue
        own = Name(function.key)
        claims = {"symmetric": Relation("Eq", Call("transpose", (own,)), own)}
        claims |= {says: Relation(sign, own, ZERO) for sign, says in _SAID.items()}
        for says, claim in claims.items():
            if (function.key, says) in said:
                continue
            if decide(claim, made.derivation.symbols.copy()).kind == "proved":
                yield 0, function, own, says
                if says == _SAID["Succ"]:
                    break  # what is definite is semidefinite
