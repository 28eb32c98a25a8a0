"""The simulation compiled, from the very functions that the reference engine runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from grn.kit.files import sha256_hex
from grn.quant.engine import (
    account,
    forms,
    holding,
    levels,
    market,
    signals,
    tariff,
    terms,
    vectors,
    walk,
    working,
)
from grn.quant.jit import load_or_compile, place_cache
from grn.quant.strategy import orders

place_cache()

import numba  # noqa: E402  # the place of its cache comes first

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
_COMPILED: tuple[ModuleType, ...] = (tariff, account, levels, holding, signals, working, walk)
_READ: tuple[ModuleType, ...] = (terms, forms, market, orders, vectors)
"""Modules whose constants, or whose operations, go into machine code."""

_CALLED = frozenset(("hold", "judge_levels", "liquidate", "walk", "work_order"))
"""Functions that stay functions.  All others are compiled into what calls them: there the compiler leaves out
what the rules make impossible, and an order is half as long."""

DIGEST = sha256_hex(
    *(Path(str(module.__file__)).read_bytes() for module in (*_COMPILED, *_READ)),
    Path(__file__).read_bytes(),
    repr(_OPTIONS).encode(),
)
"""Of all that the machine code here depends on, Numba apart."""


def _compile() -> dict[str, Any]:
    """Every function of the compiled modules by name, calling one another in place of the plain ones.

    Numba's disk cache notices a change in a function's own file only, and they are compiled into each other.
    Each copy is therefore named after all files and the options: an edit is never served stale.
    """
    found: dict[str, Any] = {}
    for module in _COMPILED:
        space = {**module.__dict__, **found}
        for name, function in list(module.__dict__.items()):
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                copy = FunctionType(function.__code__, space, name, function.__defaults__)
                copy.__module__ = function.__module__
                copy.__qualname__ = f"{function.__qualname__}_{DIGEST[:12]}"
                options = dict(_OPTIONS)
                if module is not walk:
                    # Only the walk is called from Python; nobody needs wrappers for the others.
                    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
                if name not in _CALLED:
                    options["forceinline"] = True
                space[name] = found[name] = numba.njit(**options)(copy)
    return found


functions = _compile()
"""The compiled functions by name: kernels import them from here."""


def prepare(function: Any, arguments: Sequence[object]) -> None:
    """Load or compile the walk, or a kernel, for arguments like these; a damaged cache is written anew."""
    type_of: Callable[[object], Any] = numba.typeof
    load_or_compile(function, tuple(map(type_of, arguments)), *functions.values())


def __getattr__(name: str) -> Any:
    """A compiled function by its name."""
    if name not in functions:
        raise AttributeError(name)
    return functions[name]
