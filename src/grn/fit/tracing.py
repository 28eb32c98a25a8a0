"""Memory of training as its own program shows it, traced under fake tensors, at a place."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from grn.fit.card import Place, cluster_cards
from grn.fit.change import Change, Verdict, judge
from grn.fit.training import CONTEXT_BYTES, FRAGMENTATION, Job
from grn.kit.errors import UsageError, require_extra

if TYPE_CHECKING:
    from grn.fit.architecture import Architecture
    from grn.fit.step import Traced, Work

ERROR: Final = 0.05
"""Of a traced prediction: what kernels take for themselves, and gaps beyond the counted share."""
UPPER: Final = 1.20
MOST = 1 << 16
"""Largest batch that is looked for."""


@dataclass(frozen=True)
class Footprint:
    """Memory of a traced training step at a place, bytes.

    Attributes
    ----------
    traced
        What its tensors take.
    device, error, upper
        With an allocator's gaps and a card's context; its error; what it should never exceed.
    """

    traced: Traced
    device: float
    error: float
    upper: float


@dataclass(frozen=True)
class ModulePlan:
    """A prediction for training a person's own module.

    Attributes
    ----------
    name, job, place
        What was asked.
    parameters
        Of the module.
    footprint
        Memory of a step.
    largest_batch
        With everything else as it is; 0 when nothing fits.
    changes
        The cheapest that make it fit.
    verdict
        Where it runs.
    """

    name: str
    job: Job
    place: Place
    parameters: int
    footprint: Footprint
    largest_batch: int
    changes: tuple[Change, ...]
    verdict: Verdict


def quieten() -> None:
    """Let bitsandbytes not tell of kernels that it would fetch from a hub: here nothing is fetched."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def measure(traced: Traced, place: Place, factor: float = 1.0) -> Footprint:
    """What a traced step takes of a place, where runs took `factor` times what was foreseen."""
    device = float(traced.peak)
    if place.is_card:
        device += FRAGMENTATION * (traced.peak - traced.weights - traced.optimizer) + CONTEXT_BYTES
    device *= factor
    return Footprint(traced, device, device * ERROR, device * UPPER)


def trace_model(
    model: Architecture | None,
    job: Job,
    place: Place,
    path: Path | None = None,
    *,
    classify: bool | None = None,
) -> Footprint:
    """Trace a training step of a model as `transformers` has it.

    Parameters
    ----------
    model
        Its figures; not needed with `path`.
    path
        Its ``config.json``, or the folder of one: then its own classes are traced, and else a Llama's or
        BERT's of the same figures.
    classify
        Whether it names labels and writes nothing; default for encoders.

    Raises
    ------
    MissingExtraError, UnsupportedError, UsageError
        The extra `train` is not installed; this model, or these options, cannot be traced.
    """
    quieten()
    require_extra("torch", "train")
    from grn.fit.step import trace
    from grn.fit.transformer import build_work, config_of, load_code

    config = config_of(model, path)
    if classify is None:
        classify = model is not None and model.encoder
    load_code(config, job, classify)
    return measure(trace(partial(build_work, config, job, classify, on_card=place.is_card)), place)


def trace_module(
    name: str, job: Job, place: Place, data: Path | None = None, folder: Path | None = None
) -> Footprint:
    """Trace a training step of a module of one's own; see :func:`plan_module` for errors.

    Parameters
    ----------
    name, data
        As there.
    folder
        Where it is imported from; default the working directory.
    """
    require_extra("torch", "train")
    from grn.fit.module import find_factory, make_module
    from grn.fit.step import trace

    find_factory(name, folder)
    return measure(trace(lambda: _work(make_module(name, folder), job, data, on_card=place.is_card)), place)


def plan_module(
    name: str, job: Job, place: Place, data: Path | None = None, *, factor: float = 1.0
) -> ModulePlan:
    """Predict what training a module of one's own takes, all of its weights, at a place.

    Parameters
    ----------
    name
        Its import path, ``module:attr``.
    data
        An ``.npz`` file that it reads; without one the module says what it reads (:mod:`grn.fit.module`).
    factor
        What runs took of what was foreseen.

    Raises
    ------
    MissingExtraError, MissingError, UsageError, DataError
        Something is not there, is no module, or cannot be traced.
    """
    require_extra("torch", "train")
    from grn.fit.module import find_factory, make_module
    from grn.fit.step import trace

    if job.method != "full":
        raise UsageError("a module of one's own is trained in full", seen=job.method, hint="--train full")
    find_factory(name)
    counted: list[int] = []

    def build(changed: Job) -> Work:
        module = make_module(name)
        counted[:] = [sum(each.numel() for each in module.parameters())]
        return _work(module, changed, data, on_card=place.is_card)

    def footprint(changed: Job) -> Footprint:
        return measure(trace(partial(build, changed)), place, factor)

    here = footprint(job)
    parameters = counted[0]
    largest = _largest_batch(footprint, job, here, place.memory)
    changes: tuple[Change, ...] = ()
    if here.device > place.memory:
        changes = _cheapest(footprint, job, place.memory, largest)
    verdict = judge(here.device, here.upper, place, changes, cluster_cards(here.upper))
    return ModulePlan(name, job, place, parameters, here, largest, changes, verdict)


def _work(module: object, job: Job, data: Path | None, *, on_card: bool) -> Work:
    import torch

    from grn.fit.module import make_batch
    from grn.fit.step import Work, check_loss
    from grn.fit.transformer import make_optimizer

    assert isinstance(module, torch.nn.Module)
    module.train()
    batch = make_batch(module, data, job.batch, job.seq)

    def loss() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=job.mixed):
            return check_loss(module(**batch))

    return Work(module, make_optimizer(module, job.optimizer, on_card=on_card), loss)


def _largest_batch(footprint: Callable[[Job], Footprint], job: Job, here: Footprint, room: float) -> int:
    """Most examples of which a step fits; memory of each moment grows by the same with every example."""
    more = footprint(replace(job, batch=2 * job.batch))
    fixed = here.device - here.traced.peak
    guesses = []
    for moment, peak in here.traced.peaks.items():
        slope = (more.traced.peaks[moment] - peak) / job.batch
        if slope > 0:
            guesses.append(job.batch + math.floor((room - fixed - peak) / slope))
    guess = min(guesses, default=MOST)
    # Its neighbours are looked at: rounding, and a card's gaps, bend the line a little.
    step = max(1, guess // 100)
    for batch in (guess + step, guess, guess - step, guess - 4 * step):
        if batch >= 1 and footprint(replace(job, batch=min(batch, MOST))).device <= room:
            return min(batch, MOST)
    return 0


def _cheapest(
    footprint: Callable[[Job], Footprint], job: Job, room: float, largest: int
) -> tuple[Change, ...]:
    if largest:
        what = f"micro-batch {largest}, gradients summed over {-(-job.batch // largest)}"
        return (Change(what, "some time: smaller products"),)
    mixed = replace(job, mixed=True, batch=1)
    if not job.mixed and footprint(mixed).device <= room:
        return (
            Change("micro-batch 1", "some time: smaller products"),
            Change("mixed precision (--mixed)", "next to nothing"),
        )
    light = replace(job, optimizer="adamw_8bit", batch=1)
    if job.optimizer == "adamw" and footprint(light).device <= room:
        return (
            Change("micro-batch 1", "some time: smaller products"),
            Change("optimizer adamw_8bit", "next to nothing"),
        )
    return ()
