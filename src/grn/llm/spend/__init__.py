"""What calls cost: reserved before, settled after, capped by the month, added up exactly."""

from __future__ import annotations

from grn.llm.spend.book import Book, month_of
from grn.llm.spend.budget import Pace, pace
from grn.llm.spend.records import Bill, CallRow, Cap, Funding, How, Intent, Standing

__all__ = [
    "Bill",
    "Book",
    "CallRow",
    "Cap",
    "Funding",
    "How",
    "Intent",
    "Pace",
    "Standing",
    "month_of",
    "pace",
]
