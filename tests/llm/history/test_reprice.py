"""Pricing anew: what was billed by a rule is found again under that rule, and by hand under others."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from grn.llm.catalogue import Catalogue
from grn.llm.history.past import PastCall
from grn.llm.history.prompts import prompts_of
from grn.llm.history.reprice import BATCH, FIVE, HOUR, PLANNED, RECORDED, UNCACHED, reprice
from grn.llm.plan.cache import Policy, simulate
from grn.llm.plan.offers import offer_of
from grn.llm.plan.policies import Automatic
from grn.llm.plan.prompt import Block, Prompt, shared
from grn.llm.usage import Usage

CATALOGUE = Catalogue(date(2026, 11, 23))
OPUS = "claude-opus-5-5"
OFFERS = {OPUS: offer_of(CATALOGUE.find(OPUS))}
MINUTE = 60_000


def billed(trace: list[tuple[str, Prompt]], policy: Policy) -> list[PastCall]:
    """Send a trace by a policy, and tell of it what a transcript does."""
    run = simulate([prompt for _, prompt in trace], policy, OFFERS)
    return [
        PastCall(f"c{n}", "claude-code", prompt.at_ms, OPUS, session, "p", served.usage)
        for n, ((session, prompt), served) in enumerate(zip(trace, run.served, strict=True))
    ]


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[str, Prompt]]:
    """Two conversations in turn that grow, each with a beginning of its own."""
    said: dict[str, list[Block]] = {}
    trace, now = [], 0
    for turn in range(draw(st.integers(1, 8))):
        now += draw(st.sampled_from([1, 100, 299, 400, 3000, 4000])) * 1000
        session = draw(st.sampled_from("ab"))
        tokens = draw(st.lists(st.integers(1, 3000), min_size=1, max_size=2))
        blocks = said.setdefault(session, [Block("messages", "text", session, 600)])
        blocks += [Block("messages", "text", f"{session}{turn}{n}", size) for n, size in enumerate(tokens)]
        trace.append((session, Prompt(now, OPUS, tuple(blocks), 100)))
    return trace


@given(conversations(), st.sampled_from(["5m", "1h"]))
def test_what_was_billed_by_a_rule_is_found_again(trace: list[tuple[str, Prompt]], life: str) -> None:
    """From counts alone: automatic caching gives the recorded bill of each conversation to the picodollar."""
    found = reprice(billed(trace, Automatic(life)), CATALOGUE)  # type: ignore[arg-type]
    for bill in found.bills:
        assert bill.cost_pusd[FIVE if life == "5m" else HOUR] == bill.cost_pusd[RECORDED]
    plain = sum(4_000_000 * prompt.tokens + 20_000_000 * 100 for _, prompt in trace)
    assert found.total(UNCACHED) == plain
    assert found.total(BATCH) == plain // 2


def test_a_prompt_grows_is_cut_and_begins_like_others() -> None:
    """By hand: growth shares all, a summary what was read, a new conversation what was read of another."""

    def call(number: int, session: str, usage: Usage) -> PastCall:
        return PastCall(f"c{number}", "claude-code", number * MINUTE, OPUS, session, "p", usage)

    calls = [
        call(0, "a", Usage(cache_write_5m=5000, output=50)),
        call(1, "a", Usage(input=10, cache_write_5m=990, cache_read=5000)),
        call(2, "a", Usage(cache_write_5m=700, cache_read=3000)),
        call(3, "b", Usage(cache_write_5m=900, cache_read=2000)),
        call(4, "b", Usage(cache_write_5m=100, cache_read=2900)),
    ]
    prompts = [prompt for whose, prompt in prompts_of(calls) if whose is not None]

    def common(one: int, other: int) -> int:
        blocks = shared(prompts[one], prompts[other])
        return prompts[one].ends[blocks - 1] if blocks else 0

    assert [prompt.tokens for prompt in prompts] == [5000, 6000, 3700, 2900, 3000]
    assert (common(0, 1), common(1, 2), common(0, 3), common(3, 4)) == (5000, 3000, 2000, 2900)


def test_what_was_kept_before_is_kept_for_all() -> None:
    """A first prompt that was read from the cache was written by unknown calls: nobody pays for them here."""
    calls = [
        PastCall(
            f"c{n}", "claude-code", n * MINUTE, OPUS, "a", "p", Usage(input=10 + 5 * n, cache_read=20_000)
        )
        for n in range(3)
    ]
    unknown, *known = prompts_of(calls)
    assert unknown[0] is None
    assert unknown[1].tokens == 20_000
    assert [prompt.tokens for _, prompt in known] == [20_010, 20_015, 20_020]
    found = reprice(calls, CATALOGUE)
    recorded, five, uncached = (found.total(way) or 0 for way in (RECORDED, FIVE, UNCACHED))
    assert abs(five - recorded) < recorded // 50 < uncached // 500


def test_others_are_left_out_and_another_model_is_priced() -> None:
    """Other makers, batches and sums have no placement; another model gets the same tokens at its rates."""
    usage = Usage(input=1000, cache_read=2000, output=10)
    calls = [
        PastCall("1", "claude-code", 0, OPUS, "a", "p", usage),
        PastCall("2", "codex", 1, "gpt-6.1", "b", "p", usage),
        PastCall("3", "gemini-cli", 2, "gemini-3.8-flash", "c", "p", usage),
        PastCall("4", "anthropic-export", 3, OPUS, "", "p", usage, "sum"),
    ]
    found = reprice(calls, CATALOGUE, "haiku")
    assert (len(found.bills), found.left_out) == (1, 3)
    # Haiku 5.5, dollars per million tokens: 0.10 in, 0.01 read, 0.50 out.
    assert found.total("recorded:haiku") == (1000 * 100 + 2000 * 10 + 10 * 500) * 1000
    assert found.total(PLANNED) is not None
    assert found.half() == 1
    assert reprice([], CATALOGUE).bills == []
