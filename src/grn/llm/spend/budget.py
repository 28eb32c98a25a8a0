"""Caps of a month, and how fast it is being spent."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from grn.llm.money import PICO
from grn.llm.spend.records import Cap, Funding, Standing

# The specification's two monthly amounts. They are prices of chat subscriptions there, and caps on API
# spending here (errata, point 13). Google's API has an unpaid tier, whose prompts may be used for training:
# until its owner says that the key is paid for, it counts as free.
_DEFAULTS: Mapping[str, tuple[int | None, Funding]] = {
    "anthropic": (20 * PICO, "prepaid"),
    "google": (1999 * PICO // 100, "free"),
    "voyage": (None, "invoice"),
    "local": (None, "prepaid"),
}


def default_cap(provider: str) -> Cap:
    """Give the cap that holds until one is set."""
    cap_pusd, funding = _DEFAULTS.get(provider, (0, "invoice"))
    return Cap(provider, cap_pusd, funding)


@dataclass(frozen=True)
class Pace:
    """How a month is going.

    Attributes
    ----------
    forecast_pusd
        Spent by the end of the month if it goes on like this; ``None`` in the month's first hours.
    spent_on
        Day on which the cap is reached at this rate; ``None`` when it is not reached this month.
    """

    forecast_pusd: int | None
    spent_on: date | None


_TOO_EARLY_S = 6 * 3600  # a rate over less time says nothing about a month


def pace(standing: Standing, now_ns: int) -> Pace:
    """Carry the month's spending so far on in a straight line."""
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    year, month = (int(part) for part in standing.month.split("-"))
    days = calendar.monthrange(year, month)[1]
    elapsed_s = int((now - datetime(year, month, 1, tzinfo=UTC)).total_seconds())
    if not _TOO_EARLY_S <= elapsed_s <= days * 86_400 or standing.spent_pusd == 0:
        return Pace(None, None)
    forecast_pusd = standing.spent_pusd * days * 86_400 // elapsed_s
    cap_pusd = standing.cap.cap_pusd
    if cap_pusd is None or forecast_pusd < cap_pusd:
        return Pace(forecast_pusd, None)
    reached_s = max(cap_pusd * elapsed_s // standing.spent_pusd, 0)
    day = min(reached_s // 86_400 + 1, days)
    return Pace(forecast_pusd, date(year, month, day))
