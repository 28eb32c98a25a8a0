"""Where a run trains: the card with room for it, its memory taken on lease; or the processor, capped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grn.compute.train.material import Material
from grn.compute.train.recipe import Recipe
from grn.fit.card import Place as Where
from grn.fit.card import best_place
from grn.fit.subject import find_subject
from grn.fit.tracing import trace_model, trace_module
from grn.fit.training import Job, predict_memory
from grn.hw.lease import Card, Leases
from grn.hw.probe import probe
from grn.kit.errors import BudgetError, UnsupportedError, UsageError

_GIB = 1 << 30


@dataclass(frozen=True)
class Place:
    """Where, for torch and by its own name; how many bytes are foreseen there; one sentence for a person."""

    device: str
    name: str
    n_bytes: int
    reason: str


@dataclass(frozen=True)
class Foreseen:
    """Bytes that a run will take, and how that is known: ``traced``, or from the architecture's figures."""

    n_bytes: int
    how: str


def price(recipe: Recipe, material: Material, *, on_card: bool) -> Foreseen | None:
    """Memory that a run will take; ``None`` where nobody can tell.

    On a card a language model's is that of :mod:`grn.fit.training`, which measurements were held against.
    Everything else is traced: its own code, in the precision of the place.
    """
    model, tuning = recipe.model, recipe.tuning
    place = Where("", 0.0, None, None, None, on_card)
    job = Job(
        tuning.method, material.longest, recipe.steps.batch, tuning.rank, tuning.targets,
        tuning.checkpointing,
        # The trainer's own loss, which makes all logits at once.
        loss=None if on_card else "full", mixed=tuning.mixed,
    )  # fmt: skip
    try:
        if model.module is not None:
            data = recipe.find(recipe.data.train)
            return Foreseen(int(trace_module(model.module, job, place, data, recipe.folder).device), "traced")
        path = model.path or ""
        figures = None
        with contextlib.suppress(UnsupportedError):
            figures = find_subject(path if model.hub else str(recipe.find(path)), hub=model.hub).model
        classify = model.task == "classify"
        if figures is not None and on_card and not classify and not tuning.mixed:
            job = replace(job, seq=min(job.seq, figures.context))
            return Foreseen(int(predict_memory(figures, job).device), "from its figures")
        config = None if model.hub else recipe.find(path)
        return Foreseen(int(trace_model(figures, job, place, config, classify=classify).device), "traced")
    except (UnsupportedError, UsageError):  # a model that cannot be traced may well be trained
        return None


def choose_place(
    foreseen: Foreseen | None, cards: Sequence[Card], cap_bytes: int, *, folder: Path | None = None,
    environ: MutableMapping[str, str] = os.environ,
) -> Place:  # fmt: skip
    """Decide where to train, and take a lease there for the life of this process.

    Parameters
    ----------
    foreseen
        What it will take, see :func:`price`.
    cards
        Of this machine; without any it is the processor's turn.
    cap_bytes
        What a job may take of the processor's memory (`memory_gib` of the settings).
    folder
        Where leases lie; default in ``$GRN_HOME``.
    environ
        The environment, which is told the card before CUDA reads it: CUDA's numbers need not be the driver's.

    Raises
    ------
    BudgetError
        It is foreseen to take more than there is, or others hold the card.
    """
    n_bytes = 0 if foreseen is None else foreseen.n_bytes
    if not cards:
        if n_bytes > cap_bytes:
            raise BudgetError(
                f"training would take {n_bytes / _GIB:.3g} GiB of the {cap_bytes / _GIB:.3g} GiB "
                "that a job may take",
                hint="grn fit MODEL --train names a change; the limit is memory_gib in config.toml",
            )
        told = f", {_text(n_bytes)} foreseen ({foreseen.how})" if foreseen is not None else ""
        reason = f"no card; the processor, {cap_bytes / _GIB:.3g} GiB at most{told}"
        return Place("cpu", read_processor(), n_bytes, reason)
    card = max(cards, key=lambda one: Leases(one.uuid, one.total, folder=folder).free())
    leases = Leases(card.uuid, card.total, folder=folder)
    wanted = max(1, n_bytes or leases.free())
    leases.reach(wanted, "grn compute train")
    environ["CUDA_VISIBLE_DEVICES"] = card.uuid
    return Place("cuda:0", card.name, n_bytes, f"{card.name}, {wanted / _GIB:.3g} GiB of it taken on lease")


def read_processor() -> str:
    """Name of the processor, as :func:`grn.fit.card.best_place` has it where there is no card."""
    return best_place(replace(probe(), cards=())).name


def _text(n_bytes: int) -> str:
    return f"{n_bytes / _GIB:.2f} GiB" if n_bytes >= _GIB / 10 else f"{n_bytes / (1 << 20):.1f} MiB"
