"""Which engine runs a strategy, and what each cannot do, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grn.kit.errors import MissingError, UnsupportedError, UsageError
from grn.quant.engine.cuda.cards import Card, find_cards, is_installed, load_cupy
from grn.quant.engine.cuda.predict import predict_cpu_s, predict_cuda_s
from grn.quant.strategy.step import StepCall
from grn.quant.strategy.tree import nodes
from grn.quant.strategy.weights import AnyStrategy, Weights

Engine = Literal["auto", "reference", "cpu", "cuda"]
ENGINES: tuple[str, ...] = ("cpu", "cuda", "reference")
"""All that can be asked for."""
ANYWHERE: tuple[str, ...] = ("cpu", "reference")
"""Those that need no card, in order of preference."""
_WORTH_A_LOOK_S = 3.0
"""Below this a sweep is over before CuPy is imported: no card is asked."""
_RESULT_BYTES = 256.0
"""Per combination, between host and card."""


@dataclass(frozen=True)
class Choice:
    """The engine that runs, and why."""

    engine: str
    reason: str


@dataclass(frozen=True)
class Work:
    """How much there is to do.

    Attributes
    ----------
    combinations
        Parameter combinations.
    bars
        Bars of all symbols together.
    threads
        Threads of the cpu engine.
    """

    combinations: int
    bars: int
    threads: int

    @property
    def bar_combinations(self) -> float:
        """Bars times combinations."""
        return float(self.combinations) * self.bars


def refusals(strategy: AnyStrategy) -> Mapping[str, str | None]:
    """For each engine, why it cannot run the strategy; None when it can."""
    roots = (*strategy.signals, *strategy.numbers)
    slow = next((n.step.name for n in nodes(*roots) if isinstance(n, StepCall) and not n.step.jit), None)
    compiled = None if slow is None else f"step {slow} is declared jit=False and cannot be compiled"
    weights = "target weights run on the cpu engine" if isinstance(strategy, Weights) else None
    return {"cpu": compiled, "cuda": weights or compiled, "reference": None}


def look_for_cards() -> tuple[Card, ...]:
    """The cards that could be used now: none without CuPy, a driver or a card."""
    if not is_installed():
        return ()
    try:
        return find_cards(load_cupy())
    except MissingError:
        return ()


def choose_engine(
    strategy: AnyStrategy,
    wanted: str = "auto",
    work: Work | None = None,
    *,
    look: Callable[[], Sequence[Card]] = look_for_cards,
) -> Choice:
    """The engine asked for, or the one that is predicted to be fastest of those that can run the strategy.

    Parameters
    ----------
    work
        How much there is to do; when it is not known, no card is considered.
    look
        Finds the cards; called only when a card could be faster.

    Raises
    ------
    MissingError
        ``"cuda"`` was asked for, and there is no card or no CuPy.
    UnsupportedError
        The engine asked for cannot run it; the message says what stands in the way.
    """
    why = refusals(strategy)
    if wanted == "auto":
        said = ""
        if work is not None and why["cuda"] is None:
            choice, said = _compare(work, look)
            if choice is not None:
                return choice
        for engine in ANYWHERE:
            if why[engine] is None:
                passed = [f"{e}: {why[e]}" for e in ANYWHERE[: ANYWHERE.index(engine)]]
                code = "the compiled walk covers" if isinstance(strategy, Weights) else "fused kernels cover"
                return Choice(engine, ("; ".join(passed) or f"{code} everything the strategy uses") + said)
    if wanted not in ENGINES:
        raise UsageError("unknown engine", seen=repr(wanted), hint=f"use one of: auto, {', '.join(ENGINES)}")
    if why[wanted] is not None:
        raise UnsupportedError(
            f"engine {wanted!r} refuses: {why[wanted]}", hint='use engine="auto" or "reference"'
        )
    if wanted == "cuda":
        # Here, before anything is loaded: without a card the sweep cannot run.
        find_cards(load_cupy())
    return Choice(wanted, "asked for")


def _compare(work: Work, look: Callable[[], Sequence[Card]]) -> tuple[Choice | None, str]:
    """The cards if they are predicted to be faster than the processor; else why not, for the reason."""
    on_cpu = predict_cpu_s(work.bar_combinations, work.threads)
    if on_cpu < _WORTH_A_LOOK_S or not (cards := look()):
        return None, ""
    on_cards = predict_cuda_s(cards, work.bar_combinations, _RESULT_BYTES * work.combinations)
    names = ", ".join(card.name for card in cards)
    compared = f"predicted {on_cards:,.1f} s on {names}, {on_cpu:,.1f} s on {work.threads} threads"
    return (Choice("cuda", compared), "") if on_cards < on_cpu else (None, f"; {compared}")
