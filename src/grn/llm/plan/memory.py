"""What a planner knows, kept in a file between commands: how prompts came back, and what the provider keeps.

Prompts are in it as hashes of their beginnings, and as counts. The file is no record: who deletes it begins
with beliefs again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.files import lock, make_dir, write_atomic
from grn.llm.plan.cache import Entry, Offer
from grn.llm.plan.habits import Counts, Habits, Known, Waiting
from grn.llm.plan.planner import Planner, Spent

FORMAT = 1
PREFIXES_MOST = 4_000
"""Prefixes that are remembered, the last seen ones: some hundred conversations of a dozen turns."""


def recall(path: Path, offers: Mapping[str, Offer]) -> Planner:
    """Make a planner of what a file holds; without one, or of one that is damaged, one that knows nothing."""
    try:
        plain = json.loads(path.read_bytes())
        return _planner(plain, offers) if plain["format"] == FORMAT else Planner(offers)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Planner(offers)


@contextmanager
def remembering(path: Path, offers: Mapping[str, Offer]) -> Iterator[Planner]:
    """Lend a planner, and keep what it has learned; one process at a time.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    make_dir(path.parent)
    with lock(path.with_suffix(".lock")):
        planner = recall(path, offers)
        yield planner
        write_atomic(path, canonical_json(plain(planner)))


def plain(planner: Planner) -> dict[str, Any]:
    """Give what a planner knows as data; of prefixes the last :data:`PREFIXES_MOST`."""
    habits = planner.habits
    return {
        "format": FORMAT,
        "ends": {name: _sums(counts) for name, counts in habits.ends.items()},
        "ends_like": [[*name, *_sums(counts)] for name, counts in habits.ends_like.items()],
        "gaps": _sums(habits.gaps),
        "gaps_like": {shape: _sums(counts) for shape, counts in habits.gaps_like.items()},
        # Lists keep the order, which is that of when they were last seen.
        "known": [
            [prefix, known.next, known.fork, *_sums(known.own)]
            for prefix, known in list(habits.known.items())[-PREFIXES_MOST:]
        ],
        "waiting": [[prefix, *astuple(one)] for prefix, one in habits.waiting.items()],
        "entries": [[prefix, *astuple(entry)] for prefix, entry in planner.entries.items()],
        "spent": asdict(planner.spent),
    }


def _planner(plain: Mapping[str, Any], offers: Mapping[str, Offer]) -> Planner:
    habits = Habits(gaps=Counts(*plain["gaps"]))
    habits.ends.update({name: Counts(*sums) for name, sums in plain["ends"].items()})
    habits.ends_like.update({(shape, name): Counts(*sums) for shape, name, *sums in plain["ends_like"]})
    habits.gaps_like.update({shape: Counts(*sums) for shape, sums in plain["gaps_like"].items()})
    habits.known.update(
        {prefix: Known(after, fork, Counts(*sums)) for prefix, after, fork, *sums in plain["known"]}
    )
    habits.waiting.update({prefix: Waiting(*one) for prefix, *one in plain["waiting"]})
    entries = {prefix: Entry(*entry) for prefix, *entry in plain["entries"]}
    return Planner(offers, habits, entries, Spent(**plain["spent"]))


def _sums(counts: Counts) -> list[float]:
    return [counts.short, counts.slow, counts.never]
