"""Kernels compiled by Numba: the very functions that plain Python runs, without fast-math."""

from __future__ import annotations

import hashlib
import inspect
import threading
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from grn.quant.indicators.spec import Indicator
from grn.quant.jit import load_or_compile, place_cache

Kernel = Callable[..., None]

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}
_lock = threading.Lock()
_compiled: dict[Kernel, Kernel] = {}


def compile_kernel(indicator: Indicator, registry: Mapping[str, Indicator]) -> Kernel:
    """Return the kernel compiled for contiguous float64 arrays, once per process; inputs may be read-only.

    A kernel may call the kernels of other indicators of ``registry``; these are compiled first. Safe under
    threads.
    """
    with _lock:
        return _compile(indicator, {entry.kernel: entry for entry in registry.values()})


def _compile(indicator: Indicator, entries: Mapping[Kernel, Indicator]) -> Kernel:
    if indicator.kernel not in _compiled:
        place_cache()
        import numba

        callees = _callees(indicator.kernel)
        called = {name: _compile(entries[kernel], entries) for name, kernel in callees.items()}
        kernel = numba.njit(cache=True, **_OPTIONS)(_linked(indicator.kernel, called))
        load_or_compile(kernel, _signature(indicator), *called.values())
        kernel.disable_compile()
        _compiled[indicator.kernel] = kernel
    return _compiled[indicator.kernel]


def _callees(kernel: Kernel) -> dict[str, Kernel]:
    assert isinstance(kernel, FunctionType)
    seen = ((name, kernel.__globals__.get(name)) for name in kernel.__code__.co_names)
    return {name: value for name, value in seen if isinstance(value, FunctionType)}


def _linked(kernel: Kernel, called: Mapping[str, Kernel]) -> FunctionType:
    """Copy ``kernel`` so that the names it calls mean compiled functions.

    Numba's disk cache notices a change in the kernel's own file only. The copy is therefore named after all
    that its machine code depends on: an edited callee in another file is never served stale.
    """
    assert isinstance(kernel, FunctionType)
    linked = FunctionType(kernel.__code__, {**kernel.__globals__, **called}, kernel.__name__)
    linked.__module__ = kernel.__module__
    digest = hashlib.sha256(f"{_OPTIONS}{kernel_source(kernel)}".encode()).hexdigest()
    linked.__qualname__ = f"{kernel.__qualname__}_{digest[:12]}"
    return linked


def kernel_source(kernel: Kernel) -> str:
    """Return the source of a kernel and of all kernels that it calls, directly or not."""
    return inspect.getsource(kernel) + "".join(kernel_source(callee) for callee in _callees(kernel).values())


def _signature(indicator: Indicator) -> object:
    # Declared, not inferred: one compilation serves read-only and writable inputs alike.
    from numba import types

    scalars: dict[str, types.Number] = {"int": types.int64, "float": types.float64}
    arguments: list[types.Type] = []
    arguments += [types.Array(types.float64, 1, "C", readonly=True) for _ in indicator.inputs]
    arguments += [scalars[spec.kind] for spec in indicator.params]
    arguments += [types.Array(scalars[cell.kind], 1, "C") for cell in indicator.scratch]
    arguments += [types.Array(types.float64, 1, "C") for _ in indicator.outputs]
    return types.void(*arguments)
