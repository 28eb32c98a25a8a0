"""Where a run trains: the card with room for it, its memory taken on lease; or the processor, capped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grn.compute.train.recipe import Recipe
from grn.fit.subject import find_subject
from grn.fit.training import Job, Memory, predict_memory
from grn.hw.lease import Card, Leases
from grn.kit.errors import BudgetError, UnsupportedError

_GIB = 1 << 30


@dataclass(frozen=True)
class Place:
    """Where, for torch; how many bytes are foreseen there; one sentence for a person."""

    device: str
    n_bytes: int
    reason: str


def price(recipe: Recipe, longest: int) -> Memory | None:
    """Memory that a card would need, by :mod:`grn.fit`; ``None`` for an architecture not known there."""
    path = recipe.model.path if recipe.model.hub else str(recipe.find(recipe.model.path))
    try:
        model = find_subject(path, hub=recipe.model.hub).model
    except UnsupportedError:
        return None
    tuning = recipe.tuning
    job = Job(
        tuning.method, min(longest, model.context), recipe.steps.batch, tuning.rank, tuning.targets,
        tuning.checkpointing,
    )  # fmt: skip
    return predict_memory(model, job)


def choose_place(
    memory: Memory | None, cards: Sequence[Card], cap_bytes: int, *, folder: Path | None = None
) -> Place:
    """Decide where to train, and take a lease there for the life of this process.

    Parameters
    ----------
    memory
        What is foreseen.
    cards
        Of this machine; without any it is the processor's turn.
    cap_bytes
        What a job may take of the processor's memory (`memory_gib` of the settings).
    folder
        Where leases lie; default in ``$GRN_HOME``.

    Raises
    ------
    BudgetError
        It is foreseen to take more than there is, or others hold the card.
    """
    if not cards:
        foreseen = 0 if memory is None else int(memory.allocated)
        if foreseen > cap_bytes:
            raise BudgetError(
                f"training would take {foreseen / _GIB:.3g} GiB of the {cap_bytes / _GIB:.3g} GiB "
                "that a job may take",
                hint="grn fit MODEL --train names a change; the limit is memory_gib in config.toml",
            )
        return Place("cpu", foreseen, f"no card; the processor, {cap_bytes / _GIB:.3g} GiB at most")
    card = max(cards, key=lambda one: Leases(one.uuid, one.total, folder=folder).free())
    leases = Leases(card.uuid, card.total, folder=folder)
    wanted = int(memory.device) if memory is not None else leases.free()
    leases.keep(max(1, wanted), "grn compute train")
    reason = f"{card.name}, {wanted / _GIB:.3g} GiB of it taken on lease"
    return Place(f"cuda:{list(cards).index(card)}", wanted, reason)
