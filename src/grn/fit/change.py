"""Changes that make work fit, and the verdict where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grn.fit.card import GIB, Place


@dataclass(frozen=True)
class Change:
    """A change, and what it costs."""

    what: str
    cost: str


@dataclass(frozen=True)
class Verdict:
    """Where work runs.

    Attributes
    ----------
    where
        ``here``: also at the upper bound.  ``tight``: as predicted, with nothing to spare for its error.
        ``changed``: here, with the changes named.  ``cluster``: not here.
    reason
        One sentence for a person.
    card, count
        What a cluster would need for it as it was asked.
    """

    where: str
    reason: str
    card: str | None = None
    count: int = 0


def judge(
    device: float, upper: float, place: Place, changes: Sequence[Change], cluster: tuple[str, int]
) -> Verdict:
    """Decide where work runs that takes so many bytes, at most so many."""
    room = f"{place.name} has {place.memory / GIB:.1f} GiB"
    if upper <= place.memory:
        return Verdict("here", f"{room}, and it takes {upper / GIB:.1f} at most")
    if device <= place.memory:
        return Verdict(
            "tight", f"{room}; {device / GIB:.1f} are predicted, {upper / GIB:.1f} at most", *cluster
        )
    if changes:
        return Verdict("changed", f"{room}, and it takes {device / GIB:.1f}", *cluster)
    card, count = cluster
    wanted = f"{count} × {card}" + (", sharded (FSDP)" if count > 1 else "")
    return Verdict(
        "cluster", f"{room}, and it takes {device / GIB:.1f} whatever is changed: {wanted}", *cluster
    )
