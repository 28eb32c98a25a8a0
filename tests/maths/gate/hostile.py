"""Proposals that must not pass the gate, each with what it is after and words that its receipt must have.

The subject has one function: half of what is positive, else 0. Where the text alone does not give a proposal
away the sandbox or the gate must. Those marked ``raw`` are also run without being read, as the
sandbox meets them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

SUBJECT = '''"""A subject for proposals."""

import numpy as np


def half(x):
    """Half of what is positive, else 0."""
    if x < 0:
        return 0.0
    return x / 2
'''

GOOD = """import halves as subject


def test_half():
    assert subject.half(3) == 1.5
    assert subject.half(-1) == 0
"""


@dataclass(frozen=True)
class Hostile:
    """One proposal."""

    name: str
    after: str
    because: str
    source: str
    raw: bool = False


def read_hostile() -> list[Hostile]:
    """All of them."""
    rows = json.loads((Path(__file__).parent / "hostile.json").read_text(encoding="utf-8"))
    return [Hostile(**{**row, "source": "\n".join(row["source"]) + "\n"}) for row in rows]
