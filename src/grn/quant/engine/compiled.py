"""The account and the walk, compiled from the very functions that the reference engine runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

from grn.kit.files import sha256_hex
from grn.quant.engine import account
from grn.quant.engine import walk as _walk
from grn.quant.jit import load_or_compile, place_cache

place_cache()

import numba  # noqa: E402  # the place of its cache comes first

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}

DIGEST = sha256_hex(
    *(Path(str(module.__file__)).read_bytes() for module in (account, _walk)), repr(_OPTIONS).encode()
)
"""Of all that the machine code here depends on, Numba apart."""


def _renamed(function: Callable[..., Any], **names: object) -> FunctionType:
    """The same code with compiled functions in place of the plain ones it calls by name.

    Numba's disk cache notices a change in a function's own file only, and the account is compiled into the
    walk.  The copy is therefore named after both files and the options: an edit is never served stale.
    """
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
    copy.__module__ = function.__module__
    copy.__qualname__ = f"{function.__qualname__}_{DIGEST[:12]}"
    return copy


decide = numba.njit(**_OPTIONS)(_renamed(account.decide))
close_leg = numba.njit(**_OPTIONS)(_renamed(account.close_leg))
open_leg = numba.njit(**_OPTIONS)(_renamed(account.open_leg))
walk = numba.njit(**_OPTIONS)(_renamed(_walk.walk, decide=decide, close_leg=close_leg, open_leg=open_leg))


def prepare(function: Any, arguments: Sequence[object]) -> None:
    """Load or compile the walk, or a kernel, for arguments like these; a damaged cache is written anew."""
    type_of: Callable[[object], Any] = numba.typeof
    types = tuple(map(type_of, arguments))
    load_or_compile(function, types, decide, close_leg, open_leg)
