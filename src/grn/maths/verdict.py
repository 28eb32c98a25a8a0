"""What is said of a step, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

KINDS = ("proved", "refuted", "supported", "undecided", "unparsed", "assumed", "timeout")
"""``proved`` and ``refuted`` are claims; ``supported`` is numerical agreement and is never called a proof."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict on one step.

    Attributes
    ----------
    kind
        One of :data:`KINDS`.
    rule
        What decided: ``expansion``, ``Itô's formula``, ``ball arithmetic`` ...
    detail
        The witness of a refutation with its enclosure, or what is missing.
    needs
        Conditions under which both sides are defined, where they do not follow from what is assumed.
    """

    kind: str
    rule: str = ""
    detail: str = ""
    needs: tuple[str, ...] = field(default=())

    @property
    def accepted(self) -> bool:
        """Whether the step may stand: proved, supported or assumed."""
        return self.kind in ("proved", "supported", "assumed")


def undecided(why: str) -> Verdict:
    """No decider had an answer."""
    return Verdict("undecided", detail=why)


class BeyondError(Exception):
    """A decider does not know something that is in a step; another one may."""
