"""The account and the walk, compiled from the very functions that the reference engine runs."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

from grn.quant.engine import account
from grn.quant.engine import walk as _walk

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}

decide = numba.njit(**_OPTIONS)(account.decide)
close_leg = numba.njit(**_OPTIONS)(account.close_leg)
open_leg = numba.njit(**_OPTIONS)(account.open_leg)


def _rebound(function: Callable[..., Any], **names: object) -> FunctionType:
    """The same code with compiled functions in place of the plain ones it calls by name."""
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
    copy.__module__ = function.__module__
    copy.__qualname__ = function.__qualname__
    return copy


walk = numba.njit(**_OPTIONS)(_rebound(_walk.walk, decide=decide, close_leg=close_leg, open_leg=open_leg))
