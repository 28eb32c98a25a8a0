"""What was spent, added up by something: model, provider, project, day or month."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from grn.kit.clock import utc_text
from grn.llm.spend.records import CallRow
from grn.llm.usage import NONE, Usage

By = Literal["model", "provider", "project", "day", "month"]

_KEYS: dict[str, Callable[[CallRow], str]] = {
    "model": lambda row: row.served or row.sent,
    "provider": lambda row: row.provider,
    "project": lambda row: row.project or "(none)",
    "day": lambda row: utc_text(row.made_ns)[:10],
    "month": lambda row: row.month,
}


@dataclass(frozen=True)
class Sum:
    """Calls of one kind, added up.

    Attributes
    ----------
    name
        What they have in common.
    calls
        Their number, those that are still open included.
    usage
        Tokens by class.
    cost_pusd
        Picodollars, as far as calls have ended.
    open_pusd
        Picodollars reserved by calls that have not.
    unsure
        Calls whose cost is an estimate or an assumption.
    """

    name: str
    calls: int
    usage: Usage
    cost_pusd: int
    open_pusd: int
    unsure: int


def add_up(rows: Iterable[CallRow], by: By) -> list[Sum]:
    """Add calls up, by name; the sum of all lines is the sum of all calls."""
    sums: dict[str, Sum] = {}
    for row in rows:
        name = _KEYS[by](row)
        before = sums.get(name, Sum(name, 0, NONE, 0, 0, 0))
        sums[name] = Sum(
            name=name,
            calls=before.calls + 1,
            usage=before.usage + row.usage,
            cost_pusd=before.cost_pusd + (row.cost_pusd or 0),
            open_pusd=before.open_pusd + (row.reserved_pusd if row.how == "open" else 0),
            unsure=before.unsure + (row.how in ("estimated", "assumed")),
        )
    return [sums[name] for name in sorted(sums)]
