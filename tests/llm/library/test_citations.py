from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from grn.llm.library.citations import check, context
from grn.llm.library.index import Placed
from grn.llm.library.passages import Passage

GIVEN = [
    Placed(1, Path("/p/lo.pdf"), "papers/lo.pdf", Passage("", "It is derived.", "page", 3, 3), "lo2002"),
    Placed(2, Path("/p/lo.pdf"), "papers/lo.pdf", Passage("table 1", "a | b", "page", 4, 4), "lo2002"),
    Placed(3, Path("/d/money.py"), "docs/money.py", Passage("move", "def move(): ...", "line", 10, 20)),
    Placed(4, Path("/d/my work.ipynb"), "docs/my work.ipynb", Passage("Plan", "Measure.", "cell", 2, 2)),
]


def weigh(text: str) -> int:
    return len(text.split())


def test_citations_are_held_against_what_was_given() -> None:
    """Page, line and cell have to lie in a passage, a key alone among them; other brackets are none."""
    answer = (
        "Derived [lo2002 p. 3], with [@lo2002, p. 4; docs/money.py:12-14], [docs/my work.ipynb cell 2]. Also "
        "[lo2002] and [money.py:10]. Not [lo2002 p. 5], [docs/money.py:21], [bailey2014], [Smith_2020a], "
        "[lo2002 pp. 3-9], [lo2002 p. 3, bailey2014 p. 1], a[0], [x], [see below], [text](link)."
    )
    found = check(answer, GIVEN, {"bailey2014"})
    assert found.given == (
        "lo2002 p. 3", "lo2002, p. 4", "docs/money.py:12-14", "docs/my work.ipynb cell 2", "lo2002",
        "money.py:10",
    )  # fmt: skip
    assert found.unknown == (
        "lo2002 p. 5", "docs/money.py:21", "bailey2014", "Smith_2020a", "lo2002 pp. 3-9", "bailey2014 p. 1",
    )  # fmt: skip


@given(st.integers(0, 120))
def test_passages_stay_within_the_budget(budget: int) -> None:
    """Never more tokens than allowed, in the order given, each under its name; the same each time."""
    text, taken = context(GIVEN, budget, weigh)
    assert weigh(text) <= budget
    assert bool(text) == bool(taken)
    assert [text.index(f"[{one.cite}]") for one in taken] == sorted(
        text.index(f"[{one.cite}]") for one in taken
    )
    assert context(GIVEN, budget, weigh) == (text, taken)


def test_every_passage_that_was_given_may_be_cited() -> None:
    """The names above the passages are good citations as they stand."""
    text, taken = context(GIVEN, 1_000, weigh)
    assert taken == GIVEN
    assert check(text, GIVEN).unknown == ()
    assert len(check(text, GIVEN).given) == 4
