"""Why a prefix was not read: each reason by the smallest trace that has it; order and advice beside it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.llm.catalogue import Catalogue
from grn.llm.plan.advice import advise, trim
from grn.llm.plan.cache import Marks, simulate
from grn.llm.plan.misses import Miss, misses
from grn.llm.plan.offers import offer_of
from grn.llm.plan.order import Order
from grn.llm.plan.policies import Automatic, Sequence
from grn.llm.plan.prompt import Block, Prompt
from grn.llm.usage import Usage
from tests.llm.plan.prompts import MINUTE, OFFER, OFFERS, prompt, system, text, traces

BOTH = {**OFFERS, "other": OFFER}
HEAD = system("s", 2000)


def explained(trace: list[Prompt], *marks: Marks) -> list[Miss]:
    return misses(trace, simulate(trace, Sequence(marks), BOTH), BOTH)


def blocks(count: int) -> list[Block]:
    return [text(f"b{number}", 100) for number in range(count)]


CASES: dict[str, tuple[list[Prompt], list[Marks], str]] = {
    "expired": (
        [prompt(0, HEAD), prompt(7 * MINUTE, HEAD)],
        [((0, "5m"),), ((0, "5m"),)],
        "what was kept for 5m ran out 2.0 minutes before",
    ),
    "short": (
        [prompt(0, text("a", 900)), prompt(1, text("a", 900), text("b", 10))],
        [((0, "5m"),), ((1, "5m"),)],
        "900 tokens are common, and fewer than 1,000 are not kept",
    ),
    "lookback": (
        [prompt(0, *blocks(10)), prompt(1, *blocks(40))],
        [((9, "5m"),), ((39, "5m"),)],
        "the next mark stands 30 places behind what is kept; 19 are searched",
    ),
    "unmarked": (
        [prompt(0, HEAD, text("q1", 10)), prompt(1, HEAD, text("q2", 10))],
        [((1, "5m"),), ((1, "5m"),)],
        "2,000 tokens are common, and no mark stood at or before their end",
    ),
    "early": (
        [prompt(0, HEAD, begins_ms=2000), prompt(1999, HEAD)],
        [((0, "5m"),), ((0, "5m"),)],
        "it was sent before the answer to the one that wrote it had begun",
    ),
    "model": (
        [prompt(0, HEAD), Prompt(1, "other", (HEAD,))],
        [((0, "5m"),), ((0, "5m"),)],
        "the same was sent to claude: every model has a cache of its own",
    ),
    "changed": (
        [prompt(at, HEAD, text(f"now{at}", 30), text("q", 900)) for at in (0, 1)],
        [((0, "5m"), (2, "5m")), ((0, "5m"), (2, "5m"))],
        "block 2 (messages) differs from what was sent before",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", list(CASES))
def test_every_reason_is_told(reason: str) -> None:
    """The second request misses for that reason, in words with its numbers."""
    trace, marks, words = CASES[reason]
    (miss,) = explained(trace, *marks)
    assert (miss.request, miss.reason, miss.words) == (1, reason, words)
    assert miss.extra_pusd == miss.tokens * 90
    run = simulate(trace, Sequence(marks), BOTH)
    lines = advise(trace, run, [miss], BOTH)
    assert len(lines) == (reason != "short")


@given(traces())
def test_what_is_read_is_no_miss(trace: list[Prompt]) -> None:
    """A request that read all it shares with an earlier one is told of nothing but a change."""
    run = simulate(trace, Automatic(), OFFERS)
    for miss in misses(trace, run, OFFERS):
        assert 0 < miss.tokens <= trace[miss.request].tokens
    grown = [prompt(n, *blocks(12 + n)) for n in range(4)]
    assert misses(grown, simulate(grown, Automatic(), OFFERS), OFFERS) == []


def test_trimming_below_a_tier() -> None:
    """101,100 tokens on Haiku 5.5: at most 100,000 cost a fifth each, the answer's too."""
    offer = offer_of(Catalogue(date(2026, 11, 23)).find("claude-haiku-5-5"))
    found = trim(Usage(input=101_100, output=1000), offer)
    assert found is not None
    # 0.50 and 2.50 dollars per million tokens above 100,000; 0.10 and 0.50 up to there.
    assert found == (1100, 101_100 * 500_000 + 2_500_000_000, 100_000 * 100_000 + 500_000_000)
    assert trim(Usage(input=100_000), offer) is None
    assert trim(Usage(input=200_000), offer) is None
    kept = trim(Usage(input=500, cache_write_5m=700, cache_read=99_900), offer)
    assert kept is not None
    assert kept[2] == 100 * 125_000 + 99_900 * 10_000


@given(st.permutations(["a", "b", "c"]), st.integers(2, 4))
def test_what_changes_goes_last(names: list[str], rounds: int) -> None:
    """Documents in any order, one of which is new each time: after the second request it stands last."""
    order = Order()
    found: list[list[str]] = []
    for turn in range(rounds):
        parts = [
            Block("messages", "document", name if name != "b" else f"b{turn}", 10, f"{name}.md")
            for name in names
        ]
        arranged = order.arrange(prompt(turn, HEAD, *parts, text("q", 5)))
        assert [block.slot for block in arranged.blocks[:1]] + [arranged.blocks[-1].slot] == ["", ""]
        found.append([block.slot for block in arranged.blocks[1:-1]])
    assert found[-1][-1] == "b.md"
    assert all(sorted(one) == ["a.md", "b.md", "c.md"] for one in found)
