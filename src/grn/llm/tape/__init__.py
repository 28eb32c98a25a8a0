"""Recorded calls: what was asked and what came back, found again by what is asked and by nothing else."""

from __future__ import annotations

from grn.llm.tape.record import Record
from grn.llm.tape.store import Tape, list_tapes

__all__ = ["Record", "Tape", "list_tapes"]
