"""What looking a series over has found, in the same form for every kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grn.quant.lake.series import Series

WRONG: Final = "wrong"
LOOK: Final = "look"


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes
    ----------
    series
        Where.
    level
        ``wrong`` or ``look``.
    what
        ``checksum``, ``manifest``, ``order``, ``value``, ``gap``, ``zero volume``, ``outlier``, ``jump``,
        ``skew``, ``behind``, ``revised``, ``book``, ``journal``.
    ts_ns
        When, or when first; ``None`` where it is of no moment.
    count
        How many.
    detail
        In words.
    """

    series: Series
    level: str
    what: str
    ts_ns: int | None
    count: int
    detail: str
