"""What it takes to run a model: memory, speed, and what to change when it does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from grn.fit.architecture import Architecture, cache_bytes
from grn.fit.card import GIB, Place, cluster_cards
from grn.fit.change import Change, Verdict, judge
from grn.fit.quantisation import QUANTISATIONS, Weights, smaller, weigh
from grn.fit.speed import Speed, predict_speed
from grn.fit.training import largest
from grn.kit.errors import UsageError

CACHE_BYTES: Final = {"f16": 2.0, "q8_0": 8.5 / 8, "q4_0": 4.5 / 8}
"""Of an element of the cache: llama.cpp's ``--cache-type-k`` and ``-v``."""
BATCH = 512
"""Tokens of a prompt that llama.cpp computes at once (its ``--ubatch-size``)."""
CONTEXT_BYTES = 0.35 * GIB
"""Of the CUDA context: 0.3 to 0.4 GiB with llama.cpp, which loads fewer libraries than torch."""
ERROR = 0.05
UPPER = 1.10


@dataclass(frozen=True)
class Use:
    """How a model is run: its quantisation, the tokens of the conversation, the kind of its cache."""

    quantisation: str = "Q4_K_M"
    context: int = 8192
    cache: str = "f16"

    def __post_init__(self) -> None:
        if self.context < 1:
            raise UsageError("a context is of at least one token", seen=self.context)
        if self.cache not in CACHE_BYTES:
            raise UsageError(
                "this kind of cache is not known", seen=self.cache, hint=f"known are {', '.join(CACHE_BYTES)}"
            )


@dataclass(frozen=True)
class InferencePlan:
    """A prediction for running a model; bytes and tokens per second.

    Attributes
    ----------
    model, use, place
        What was asked.
    weights, cache, working, context
        What memory goes to: weights; keys and values; one batch on its way through; the CUDA context.
    device, error, upper
        All of it, its error, and what it should never exceed.
    speed
        ``None`` where the memory's bandwidth is not known.
    largest_context
        Tokens for which there is room; 0 when the weights alone do not fit.
    changes
        The cheapest that make it fit; empty when it does, or when nothing does.
    verdict
        Where it runs.
    """

    model: Architecture
    use: Use
    place: Place
    weights: float
    cache: float
    working: float
    context: float
    device: float
    error: float
    upper: float
    speed: Speed | None
    largest_context: int
    changes: tuple[Change, ...]
    verdict: Verdict


def plan_inference(
    model: Architecture,
    use: Use,
    place: Place,
    weights: Weights | None = None,
    *,
    layer_s: float | None = None,
) -> InferencePlan:
    """Predict what running a model takes at a place.

    Parameters
    ----------
    weights
        Exact ones, of a file; default those of the quantisation.
    layer_s
        Time of a layer that bandwidth does not explain; default that of cards, and none for processors.

    Raises
    ------
    UsageError
        The context is longer than the model was made for, or the model writes nothing.
    """
    if model.encoder:
        raise UsageError(
            "this model is an encoder: it writes no tokens", seen=model.name, hint="take --train"
        )
    if use.context > model.context:
        raise UsageError(
            f"{model.name} was made for {model.context:,} tokens",
            seen=use.context,
            hint="take a shorter --context",
        )
    weighed = weigh(model, use.quantisation) if weights is None else weights
    parts = _parts(model, use, place, weighed.total)
    device = sum(parts)
    speed = None
    if place.bandwidth_gb_s is not None:
        chosen = layer_s if layer_s is not None else None if place.is_card else 0.0
        more = {} if chosen is None else {"layer_s": chosen}
        speed = predict_speed(
            model, weighed.read, bandwidth_gb_s=place.bandwidth_gb_s, tflops=place.tflops,
            tokens=min(use.context, BATCH), **more,
        )  # fmt: skip

    def needed(tokens: int) -> float:
        return sum(_parts(model, replace(use, context=tokens), place, weighed.total))

    changes = () if device <= place.memory else _changes(model, use, place, weights)
    return InferencePlan(
        model, use, place, *parts, device, device * ERROR, device * UPPER, speed,
        largest(lambda tokens: needed(tokens) * UPPER <= place.memory, model.context),
        changes, judge(device, device * UPPER, place, changes, cluster_cards(device * UPPER)),
    )  # fmt: skip


def _parts(model: Architecture, use: Use, place: Place, weights: float) -> tuple[float, float, float, float]:
    # One batch on its way: the logits in float32, and a layer's widest vectors.
    working = BATCH * 4.0 * (model.vocabulary + 2 * model.width + 4 * model.hidden)
    context = CONTEXT_BYTES if place.is_card else 0.0
    return weights, cache_bytes(model, use.context, CACHE_BYTES[use.cache]), working, context


def _changes(model: Architecture, use: Use, place: Place, exact: Weights | None) -> tuple[Change, ...]:
    """The first change that is enough, in order of what it costs; else the first pair."""

    def fits(changed: Use) -> bool:
        weights = exact if exact is not None and changed.quantisation == use.quantisation else None
        total = (weigh(model, changed.quantisation) if weights is None else weights).total
        return sum(_parts(model, changed, place, total)) * UPPER <= place.memory

    single = list(_single(use))
    for changed, change in single:
        if fits(changed):
            return (change,)
    for changed, change in single:
        for twice, second in _single(changed):
            if second.what.split()[0] != change.what.split()[0] and fits(twice):
                return change, second
    layers = largest(
        lambda n: n < model.layers and n / model.layers * _total(model, use, exact)
        + sum(_parts(model, use, place, 0.0)) <= place.memory / UPPER, model.layers - 1,
    )  # fmt: skip
    if place.is_card and layers:
        what = f"put {layers} of {model.layers} layers on the card, the rest on the processor"
        return (Change(what, "as slow as the processor's memory reads the rest"),)
    return ()


def _total(model: Architecture, use: Use, exact: Weights | None) -> float:
    return (weigh(model, use.quantisation) if exact is None else exact).total


def _single(use: Use) -> Iterator[tuple[Use, Change]]:
    if use.cache == "f16":
        yield replace(use, cache="q8_0"), Change("cache in 8 bits (q8_0)", "answers hardly change")
    for tokens in (use.context // 2, use.context // 4):
        if tokens >= 1024:
            yield replace(use, context=tokens), Change(f"context of {tokens:,} tokens", "forgets earlier")
    if use.quantisation.upper() in QUANTISATIONS:
        for name in smaller(use.quantisation):
            yield replace(use, quantisation=name), Change(f"weights in {name}", "answers get a little worse")
