"""The portfolio's walk, compiled from the very functions that the reference runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

from grn.kit.files import sha256_hex
from grn.quant.engine import tariff, terms
from grn.quant.engine.portfolio import book, sums, targets
from grn.quant.engine.portfolio import walk as _walk
from grn.quant.jit import load_or_compile, place_cache

place_cache()

import numba  # noqa: E402  # the place of its cache comes first

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}

_MODULES = (terms, tariff, book, targets, _walk, sums)
DIGEST = sha256_hex(*(Path(str(m.__file__)).read_bytes() for m in _MODULES), repr(_OPTIONS).encode())
"""Of all that the machine code here depends on, Numba apart."""

_PLAIN: tuple[Callable[..., Any], ...] = (
    tariff.whole, tariff.on_tick, tariff.in_lots, tariff.market_price, tariff.pressed_price, tariff.fees_of,
    tariff.value_for,
    book.worth, book.gross, book.write, book.move, book.count, book.reduce, book.power, book.increase,
    book.trade, book.liquidate,
    targets.aim, targets.wanted, targets.precedes, targets.proportion, targets.cost_of_increase,
    targets.open_scopes, targets.judge, targets.rebalance,
    _walk.start, _walk.split, _walk.hold, _walk.leave, _walk.walk,
    sums.sum_path,
)  # fmt: skip
"""Callees before callers."""


def _renamed(function: Callable[..., Any], names: dict[str, Any]) -> FunctionType:
    """The same code with compiled functions in place of the plain ones it calls by name.

    Numba's disk cache notices a change in a function's own file only.  The copy is therefore named after all
    files and the options: an edit is never served stale.
    """
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
    copy.__module__ = function.__module__
    copy.__qualname__ = f"{function.__qualname__}_{DIGEST[:12]}"
    return copy


_COMPILED: dict[str, Any] = {}
for _function in _PLAIN:
    _COMPILED[_function.__name__] = numba.njit(**_OPTIONS)(_renamed(_function, dict(_COMPILED)))

walk = _COMPILED["walk"]
sum_path = _COMPILED["sum_path"]


def prepare(function: Any, arguments: Sequence[object]) -> None:
    """Load or compile a function for arguments like these; a damaged cache is written anew."""
    type_of: Callable[[object], Any] = numba.typeof
    load_or_compile(function, tuple(map(type_of, arguments)), *_COMPILED.values())
