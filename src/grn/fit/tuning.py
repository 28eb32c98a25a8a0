"""What it takes to train a model: memory, and what to change when it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from grn.fit.architecture import Architecture
from grn.fit.attention import Kernel, choose_kernel
from grn.fit.card import Place, cluster_cards
from grn.fit.change import Change, Verdict, judge
from grn.fit.speed import PREFILL_SHARE
from grn.fit.training import ERROR, Job, Memory, choose_loss, largest_batch, largest_sequence, predict_memory
from grn.kit.errors import UsageError

_FORWARDS: Final = {"full": 3.0, "lora": 2.0, "qlora": 2.0}
"""Products of a step in forward passes: forward, gradients of what goes in, gradients of weights.
Checkpointing adds a forward pass."""


@dataclass(frozen=True)
class TrainingPlan:
    """A prediction for training a model.

    Attributes
    ----------
    model, job, place
        What was asked.
    memory
        Its parts, bytes.
    error
        Of `memory.device`.
    tokens_per_s
        ``None`` where the card's products are not known; half the card's peak is counted on.
    largest_seq, largest_batch
        With everything else as it is; 0 when nothing fits.
    kernel
        The attention kernel to take there.
    changes
        The cheapest that make it fit; empty when it does, or when nothing does.
    verdict
        Where it runs.
    """

    model: Architecture
    job: Job
    place: Place
    memory: Memory
    error: float
    tokens_per_s: float | None
    largest_seq: int
    largest_batch: int
    kernel: Kernel
    changes: tuple[Change, ...]
    verdict: Verdict


def plan_training(
    model: Architecture, job: Job, place: Place, *, factor: float = 1.0, error: float = ERROR
) -> TrainingPlan:
    """Predict what training a model takes at a place.

    Parameters
    ----------
    factor
        What is known better than the figures: memory taken, or traced, by memory that figures give.
    error
        Of the prediction then.

    Raises
    ------
    UsageError
        The sequence is longer than the model was made for.
    """
    if job.seq > model.context:
        raise UsageError(
            f"{model.name} was made for {model.context:,} tokens", seen=job.seq, hint="take a shorter --seq"
        )
    memory = scale(predict_memory(model, job), factor)
    changes: tuple[Change, ...] = ()
    room = place.memory / factor
    if place.is_card and memory.device > place.memory:
        changes = _cheapest(model, job, room)
    speed = None
    if place.tflops is not None:
        passes = _FORWARDS[job.method] + (1.0 if job.checkpointing else 0.0)
        speed = PREFILL_SHARE * place.tflops * 1e12 / (2 * model.active_parameters * passes)
    verdict = judge(memory.device, memory.upper, place, changes, cluster_cards(memory.upper))
    if not place.is_card:
        card, count = cluster_cards(memory.upper)
        verdict = Verdict("cluster", f"no card here; {count} × {card} would do", card, count)
    return TrainingPlan(
        model, job, place, memory, memory.device * error, speed,
        largest_sequence(model, job, room), largest_batch(model, job, room),
        choose_kernel(place.capability), changes, verdict,
    )  # fmt: skip


def scale(memory: Memory, factor: float) -> Memory:
    """A prediction whose sums are so many times as large; its parts stay as figures have them."""
    sums = {name: getattr(memory, name) * factor for name in ("allocated", "reserved", "device", "upper")}
    return memory if factor == 1.0 else replace(memory, **sums)


def _cheapest(model: Architecture, job: Job, room: float) -> tuple[Change, ...]:
    """The cheapest single change that is enough; else changes one upon the other, the cheapest first."""

    def fits(changed: Job) -> bool:
        return predict_memory(model, changed).device <= room

    for apply, change in _single(model, job):
        if fits(apply(job)):
            return (change,)
    made: list[Change] = []
    current = job
    while True:
        left = [each for each in _single(model, current) if each[1] not in made]
        if not left:
            return ()
        apply, change = left[0]
        current = apply(current)
        made.append(change)
        if fits(current):
            return tuple(made)


def _single(model: Architecture, job: Job) -> Iterator[tuple[Callable[[Job], Job], Change]]:
    """Changes that a job leaves open, in order of what they cost."""
    if not job.checkpointing:
        yield (
            lambda j: replace(j, checkpointing=True),
            Change("checkpointing", "a third more time: every layer is computed twice"),
        )
    if choose_loss(model, job)[0] == "full" and not model.encoder:
        yield (
            lambda j: replace(j, loss="chunked"),
            Change("chunked or fused loss", "no time, a kernel to install"),
        )
    if job.attention == "eager":
        yield lambda j: replace(j, attention="sdpa"), Change("attention sdpa", "nothing: it is faster")
    if job.optimizer == "adamw":
        yield lambda j: replace(j, optimizer="adamw_8bit"), Change("optimizer adamw_8bit", "next to nothing")
    if job.batch > 1:
        yield (
            lambda j: replace(j, batch=1),
            Change(f"micro-batch 1, gradients summed over {job.batch}", "some time: smaller products"),
        )
    if job.method == "lora":
        yield lambda j: replace(j, method="qlora"), Change("weights in 4 bits (qlora)", "a third more time")
    if job.method == "full":
        yield lambda j: replace(j, method="lora"), Change("adapters (lora)", "not all weights are trained")
    if job.optimizer in ("adamw", "adamw_8bit"):
        yield (
            lambda j: replace(j, optimizer="paged_adamw_8bit"),
            Change("optimizer paged_adamw_8bit", "moments on the host: time on every step"),
        )
    if job.method != "full" and job.rank > 8:
        yield lambda j: replace(j, rank=8), Change("rank 8", "adapters that can learn less")
    for seq in (job.seq // 2, job.seq // 4):
        if seq >= 256:
            yield partial(replace, seq=seq), Change(f"sequences of {seq:,}", "longer ones are cut")
