"""Kernels of this room: plain Python functions over arrays, compiled on first use.

Each kernel is the same function in both modes, so tests can run it uncompiled; no fast-math, terms are added
in the order of rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from grn.quant.jit import load_or_compile, place_cache

_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": False}
_lock = threading.Lock()
_compiled: dict[Callable[..., Any], Callable[..., Any]] = {}


def compiled(kernel: Callable[..., Any], signature: Sequence[str]) -> Callable[..., Any]:
    """Return a kernel compiled by Numba, once per process and kept on disk.

    Parameters
    ----------
    kernel
        A plain function of scalars and C-contiguous arrays that calls no other kernel: Numba's disk cache
        notices changes of the kernel's own file only.
    signature
        A type per argument: ``int`` and ``float`` are scalars; ``i8 i4 i1 f8`` arrays that are read, with
        ``+`` behind arrays that are written (``f8+``), and a second dimension as ``f8+2``.
    """
    with _lock:
        if kernel not in _compiled:
            place_cache()
            import numba

            function = numba.njit(**_OPTIONS)(kernel)
            load_or_compile(function, tuple(_type(word) for word in signature))
            function.disable_compile()
            _compiled[kernel] = function
        return _compiled[kernel]


def _type(word: str) -> Any:
    from numba import types

    scalars = {"int": types.int64, "float": types.float64}
    if word in scalars:
        return scalars[word]
    element = {"i8": types.int64, "i4": types.int32, "i1": types.int8, "f8": types.float64}[word[:2]]
    # Declared, not inferred: one compilation serves read-only arrays, as Polars hands them out, and others.
    return types.Array(element, 2 if word.endswith("2") else 1, "C", readonly="+" not in word)
