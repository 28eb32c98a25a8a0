"""Passages in a prompt, each under the name that it is cited by; and whether an answer cites only those."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from grn.llm.library.index import Placed

_HEAD = (
    "Passages of local documents follow. Cite each one that you use by its name in square brackets, exactly "
    "as it stands above the passage. Say so if they do not answer the question."
)
_BRACKETS = re.compile(r"\[([^\[\]\n]{2,200})\](?!\()")  # not the text of a link
_PAGE = re.compile(r"(?P<what>.+?),?\s+pp?\.\s*(?P<first>\d+)(?:\s*[-–]\s*(?P<last>\d+))?")
_CELL = re.compile(r"(?P<what>.+?),?\s+cell\s+(?P<first>\d+)(?:\s*[-–]\s*(?P<last>\d+))?")
_LINE = re.compile(r"(?P<what>[^:]+\.\w{1,6}):(?P<first>\d+)(?:\s*[-–]\s*(?P<last>\d+))?")
_KEY = re.compile(r"[^\W\d_][\w.+-]*?(?:[:_-]?\d{2,4})[\w.:+-]*")  # lo2002, Bailey:2014ab, sharpe_1994


@dataclass(frozen=True)
class Checked:
    """The citations of an answer, each once and in order: those of passages that were given, and others."""

    given: tuple[str, ...]
    unknown: tuple[str, ...]


def context(passages: Sequence[Placed], budget: int, weigh: Callable[[str], int]) -> tuple[str, list[Placed]]:
    """Write passages for a prompt, the best first, as many as fit; returns the text and which ones.

    The same passages and budget give the same bytes. A passage that does not fit is left out whole, and a
    smaller one after it may still fit.

    Parameters
    ----------
    budget
        Tokens of all of it, as `weigh` counts them or bounds them from above.
    """
    text, taken = _HEAD, []
    for placed in passages:
        title = f"\n{placed.passage.title}" if placed.passage.title else ""
        grown = f"{text}\n\n[{placed.cite}]{title}\n{placed.passage.text}"
        if weigh(grown) <= budget:
            text = grown
            taken.append(placed)
    return (text, taken) if taken else ("", [])


def check(answer: str, given: Sequence[Placed], keys: Collection[str] = ()) -> Checked:
    """Look for citations in square brackets, and whether each is of a passage that was given.

    A citation is a name with a page, a cell or a line, a cite key of the library, or what looks like a cite
    key (a name with a number); other words in brackets are none. A page, cell or line has to lie in a passage
    that was given; a name alone is good if any passage of it was.

    Parameters
    ----------
    keys
        Cite keys of the library, given or not.
    """
    known = {placed.key for placed in given} | {placed.name for placed in given}
    good: dict[str, None] = {}
    bad: dict[str, None] = {}
    for found in _BRACKETS.findall(answer):
        for part in re.split(r"\s*;\s*|,\s*(?!pp?\.|cell\b)(?=@?[^\W\d])", found):
            cited = part.strip().removeprefix("@")
            place = next(filter(None, (form.fullmatch(cited) for form in (_PAGE, _CELL, _LINE))), None)
            if place is not None:
                first = int(place["first"])
                last = int(place["last"] or first)
                fits = _was_given(place["what"].removeprefix("@"), first, last, given)
                (good if fits else bad)[cited] = None
            elif cited in known:
                good[cited] = None
            elif cited in keys or _KEY.fullmatch(cited):
                bad[cited] = None
    return Checked(tuple(good), tuple(bad))


def _was_given(what: str, first: int, last: int, given: Sequence[Placed]) -> bool:
    """Whether every page or line that is cited lies in a passage of that name."""
    spans = [
        (placed.passage.first, placed.passage.last)
        for placed in given
        if what in (placed.key, placed.name) or placed.name.endswith(f"/{what}")
    ]
    return 0 < first <= last <= first + 10_000 and all(
        any(low <= number <= high for low, high in spans) for number in range(first, last + 1)
    )
