"""Where work is to run: the memory that is there, and how fast it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from grn.hw.cards import MODELS, find_model
from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.hw.probe import Machine

GIB = 1 << 30


@dataclass(frozen=True)
class Place:
    """A card, or the processor's memory; ``None`` is unknown.

    Attributes
    ----------
    name
        For a person.
    memory
        Bytes that one job can have.
    bandwidth_gb_s, tflops
        Of its memory, 10⁹ bytes per second; dense 16-bit products, 10¹² a second.
    capability
        Compute capability of a card; ``None`` for a processor.
    is_card
        Whether it is one.
    """

    name: str
    memory: float
    bandwidth_gb_s: float | None
    tflops: float | None
    capability: tuple[int, int] | None
    is_card: bool = True


def named_card(name: str) -> Place:
    """A card of the data sheets.

    Raises
    ------
    UsageError
        There is none of this name.
    """
    model = find_model(name)
    if model is None:
        raise UsageError(
            "this card is not in the table",
            seen=name,
            hint="give --memory-gib and --bandwidth, or one of: " + ", ".join(m.name for m in MODELS),
        )
    return Place(
        model.name, model.memory_gib * GIB, model.bandwidth_gb_s, model.bf16_tflops, model.capability
    )


def best_place(machine: Machine) -> Place:
    """The card of a machine with the most memory, less what is taken of it; or its processor without one."""
    cards = [card for card in machine.cards if card.memory_gib is not None]
    if cards:
        card = max(cards, key=lambda each: each.memory_gib or 0)
        model = find_model(card.name)
        known = card.capability.split(".") if card.capability else None
        capability = (int(known[0]), int(known[1])) if known else model.capability if model else None
        return Place(
            card.name,
            ((card.memory_gib or 0) - (card.used_gib or 0)) * GIB,
            card.bandwidth_gb_s,
            model.bf16_tflops if model else None,
            capability,
        )
    return Place(
        f"{machine.cpu_model or 'processor'}, no card",
        (machine.mem_gib_available or 0) * GIB,
        None,
        None,
        None,
        False,
    )


CLUSTER: Final = ("A100-SXM4-40GB", "A100-SXM4-80GB", "H200", "B200")
"""Cards that university clusters have, the smallest first."""


def cluster_cards(needed: float) -> tuple[str, int]:
    """The smallest card of a cluster that has so many bytes, and how many of the largest common one else.

    Sharded over several (FSDP), each keeps a part and gathers a layer at a time: a tenth is left for that.
    """
    for name in CLUSTER:
        if needed <= named_card(name).memory:
            return name, 1
    name = CLUSTER[1]
    return name, -int(-needed // (0.9 * named_card(name).memory))
