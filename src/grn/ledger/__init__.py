"""What was run and what it tried: one SQLite file and a folder of blobs named by their content."""

from __future__ import annotations

from grn.ledger.records import Invocation, Market, Outcome, TrialCount, TrialsRow
from grn.ledger.store import Ledger

__all__ = ["Invocation", "Ledger", "Market", "Outcome", "TrialCount", "TrialsRow"]
