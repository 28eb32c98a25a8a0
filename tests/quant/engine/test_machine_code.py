"""What the compiler made of kernels, walk and indicators: no fused multiply-add, no reordered sum."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numba
import pytest

from grn.quant import Rules, Strategy, close, param, sma
from grn.quant.engine import compiled
from grn.quant.engine.ahead import print_kernel
from grn.quant.engine.cpu import compile_kernel
from grn.quant.engine.plan import build_plan
from grn.quant.indicators.registry import INDICATORS, jitted
from grn.quant.metrics.accumulators import GROUPS

FUSED = re.compile(r"\b(?:v?fn?m(?:add|sub)\w*|fml[as])\b")
"""Fused multiply-add and its relatives: x86-64 (FMA3, FMA4) and AArch64."""
RELAXED = re.compile(r"= f(?:add|sub|mul|div|neg) (?:nnan |ninf |nsz )*(?:fast|reassoc|contract|arcp|afn) ")
"""Floating-point operations of LLVM's assembly that carry a licence to change bits."""

F64, I64 = numba.float64, numba.int64


def anew(dispatcher: Any, signature: object, **options: object) -> tuple[str, str]:
    """Compile a function again with its own options, past every cache: machine code and LLVM's assembly."""
    chosen = {**dispatcher.targetoptions, **options}
    assert chosen.pop("nopython")
    again = numba.njit(signature, **chosen)(dispatcher.py_func)
    return "\n".join(again.inspect_asm().values()), "\n".join(again.inspect_llvm().values())


def kernel() -> tuple[Callable[..., None], object]:
    """A fused kernel with every accumulator, and the types that it is called with."""
    fast, slow = param("fast", [2, 3]), param("slow", [4, 5])
    level = close * 1.01 + fast * sma(close, slow)
    strategy = Strategy(sma(close, fast) > level, sma(close, fast) < level, direction="both")
    source = print_kernel(
        build_plan(strategy, Rules()), strategy.params, [group.name for group in GROUPS], Rules()
    )
    table, column = F64[:, ::1], F64[::1]
    market = numba.types.UniTuple(column, 10)
    bits = numba.uint8[:, ::1], numba.int64[:, ::1]
    types = numba.void(table, numba.int32[:, ::1], table, market, column, column, F64, I64, I64, *bits, table)
    return compile_kernel(source), types


@pytest.mark.timeout(120)
def test_a_fused_kernel_rounds_every_operation() -> None:
    """A kernel multiplies and adds in separate instructions, each rounded as IEEE 754 says.

    The same kernel with fast-math is the control: there the search finds what it looks for.
    """
    function, types = kernel()
    machine, llvm = anew(function, types)
    assert "fmul double" in llvm
    assert "fmul <8 x double>" in llvm
    assert not FUSED.findall(machine)
    assert not RELAXED.findall(llvm)
    _, licensed = anew(function, types, fastmath=True)
    assert RELAXED.findall(licensed)


def test_the_search_finds_a_fused_instruction() -> None:
    """Where the processor has the instruction, a contracted multiply-add is in the machine code: found."""

    @numba.njit(F64(F64, F64, F64), fastmath={"contract"})
    def multiply_add(a: float, b: float, c: float) -> float:
        return a * b + c

    from llvmlite import binding

    has_fma = binding.get_host_cpu_features().get("fma", False) or "aarch64" in binding.get_process_triple()
    found = FUSED.findall("\n".join(multiply_add.inspect_asm().values()))
    assert bool(found) == bool(has_fma)


def test_the_walk_rounds_every_operation() -> None:
    """The walk, and with it the account that is inlined into it, is compiled without contraction."""
    flags, column = numba.boolean[::1], F64[::1]
    table, market = F64[:, ::1], numba.types.UniTuple(column, 10)
    account = (column, column, column, table, table)
    types = I64(flags, flags, flags, flags, table, market, column, column, F64, *account)
    machine, llvm = anew(compiled.functions["walk"], types)
    assert "fmul double" in llvm
    assert not FUSED.findall(machine)
    assert not RELAXED.findall(llvm)


@pytest.mark.parametrize("name", INDICATORS)
def test_an_indicator_is_compiled_strictly(name: str) -> None:
    """No indicator is compiled with fast-math: LLVM contracts nothing without that licence."""
    options: dict[str, Any] = jitted(name).targetoptions  # type: ignore[attr-defined]  # numba is untyped
    assert not options.get("fastmath", False)


@pytest.mark.parametrize("name", ["ema", "kalman_trend"])
def test_a_recursive_indicator_rounds_every_operation(name: str) -> None:
    """Recursions of products and sums, where contraction would pay most, have none."""
    dispatcher: Any = jitted(name)
    machine, llvm = anew(dispatcher, dispatcher.signatures[0])
    assert "fmul double" in llvm
    assert not FUSED.findall(machine)
    assert not RELAXED.findall(llvm)
