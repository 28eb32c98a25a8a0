"""A card's memory for a local model: taken on lease before llama.cpp takes it from the driver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grn.fit.card import Place
from grn.fit.inference import CONTEXT_BYTES, Use, plan_inference
from grn.fit.subject import find_subject
from grn.hw.lease import Card, Leases
from grn.kit.errors import BudgetError, DataError, UnsupportedError, UsageError

_ANY_CARD = Place("a card", 0.0, None, None, None)


def lease_card(path: Path, context: int, cards: Sequence[Card], folder: Path | None = None) -> Card | None:
    """Hold what a model will take of a card, until this process ends.

    Parameters
    ----------
    path
        The model's file.
    context
        Tokens that it is loaded with.
    cards
        That this process sees; the one with most memory to spare is taken.
    folder
        Where leases lie; default in ``$GRN_HOME``.

    Returns
    -------
    Card or None
        The card; ``None`` without any.

    Raises
    ------
    BudgetError
        Others hold the memory.
    """
    if not cards:
        return None
    card = max(cards, key=lambda one: Leases(one.uuid, one.total, folder=folder).free())
    try:
        Leases(card.uuid, card.total, folder=folder).reach(needed(path, context), f"local model {path.name}")
    except BudgetError as error:
        raise BudgetError(
            f"there is no room on {card.name} for {path.name}",
            seen=str(error),
            hint="wait until they are done, or CUDA_VISIBLE_DEVICES= keeps the model on the processor",
        ) from error
    return card


def needed(path: Path, context: int) -> int:
    """Bytes of a card that a model takes at most, as :mod:`grn.fit` predicts; by its file's size else."""
    try:
        subject = find_subject(str(path))
        use = Use(subject.quantisation or "Q4_K_M", min(context, subject.model.context))
        return int(plan_inference(subject.model, use, _ANY_CARD, subject.weights).upper)
    except (DataError, UnsupportedError, UsageError):  # damaged (llama.cpp will say how), unknown, an encoder
        return int(1.2 * path.stat().st_size + CONTEXT_BYTES)
