"""Which engine runs a strategy, and what each cannot do, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from grn.kit.errors import UnsupportedError, UsageError
from grn.quant.strategy.step import StepCall
from grn.quant.strategy.tree import nodes
from grn.quant.strategy.weights import AnyStrategy, Weights

Engine = Literal["auto", "reference", "cpu"]
ENGINES: tuple[str, ...] = ("cpu", "reference")
"""In order of preference."""


@dataclass(frozen=True)
class Choice:
    """The engine that runs, and why."""

    engine: str
    reason: str


def refusals(strategy: AnyStrategy) -> Mapping[str, str | None]:
    """For each engine, why it cannot run the strategy; None when it can."""
    roots = (*strategy.signals, *strategy.numbers)
    slow = next((n.step.name for n in nodes(*roots) if isinstance(n, StepCall) and not n.step.jit), None)
    return {
        "cpu": None if slow is None else f"step {slow} is declared jit=False and cannot be compiled",
        "reference": None,
    }


def choose_engine(strategy: AnyStrategy, wanted: str = "auto") -> Choice:
    """The engine asked for, or the first one that can run the strategy.

    Raises
    ------
    UnsupportedError
        The engine asked for cannot run it; the message says what stands in the way.
    """
    why = refusals(strategy)
    if wanted == "auto":
        for engine in ENGINES:
            if why[engine] is None:
                passed = [f"{e}: {why[e]}" for e in ENGINES[: ENGINES.index(engine)]]
                code = "the compiled walk covers" if isinstance(strategy, Weights) else "fused kernels cover"
                return Choice(engine, "; ".join(passed) or f"{code} everything the strategy uses")
    if wanted not in ENGINES:
        raise UsageError("unknown engine", seen=repr(wanted), hint=f"use one of: auto, {', '.join(ENGINES)}")
    if why[wanted] is not None:
        raise UnsupportedError(
            f"engine {wanted!r} refuses: {why[wanted]}", hint='use engine="auto" or "reference"'
        )
    return Choice(wanted, "asked for")
