"""The provider's rules, by the examples of its own page; then what must hold for every trace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import UsageError
from grn.llm.plan.cache import Entries, Marks, Served, billed, serve, simulate
from grn.llm.plan.policies import Automatic, Static, Uncached
from grn.llm.plan.prompt import Prompt, in_order, shared
from grn.llm.usage import Usage
from tests.llm.plan.prompts import MINUTE, OFFER, OFFERS, prompt, system, text, traces


def send(entries: Entries, one: Prompt, *marks: int, life: str = "5m") -> Served:
    return serve(entries, one, tuple((mark, life) for mark in marks), OFFER)  # type: ignore[misc]


def many(count: int, start: int = 0) -> list:  # type: ignore[type-arg]
    return [text(f"b{number}", 200) for number in range(start, start + count)]


def test_a_growing_conversation_as_on_the_page() -> None:
    """Ten blocks, 15, 35: written, read at block 10, lost beyond the window; a second mark finds it."""
    first = send({}, prompt(0, *many(10)), 9)
    assert (first.hit, first.usage) == (-1, Usage(cache_write_5m=2000))
    second = send(first.entries, prompt(1000, *many(15)), 14)
    assert (second.hit, second.usage) == (9, Usage(cache_read=2000, cache_write_5m=1000))
    third = prompt(2000, *many(35))
    assert send(second.entries, third, 34).hit == -1
    assert send(second.entries, third, 14, 34).hit == 14
    # Twenty places count the mark's own: block 15 is found from block 34 and not from 35 (counted from one).
    assert send(second.entries, prompt(2000, *many(34)), 33).hit == 14


def test_a_run_of_calls_of_tools_is_one_place() -> None:
    """Forty calls at once, and their forty results, push the last entry two places back, and not eighty."""
    before = many(10)
    first = send({}, prompt(0, *before), 9)
    calls = [text(f"call{n}", 20, "tool_use") for n in range(40)]
    results = [text(f"result{n}", 20, "tool_result") for n in range(40)]
    assert send(first.entries, prompt(1, *before, *calls, *results), 89).hit == 9
    one_by_one = [block for pair in zip(calls, results, strict=True) for block in pair]
    assert send(first.entries, prompt(1, *before, *one_by_one), 89).hit == -1


def test_a_mark_on_what_changes_is_never_read() -> None:
    """The common mistake: a time stamp under the mark is written each time; one block earlier it is read."""
    stable = many(5)
    entries: Entries = {}
    for minute in range(3):
        served = send(entries, prompt(minute * MINUTE, *stable, text(f"now{minute}", 300)), 5)
        entries = served.entries
        assert served.usage == Usage(cache_write_5m=1300)
    first = send({}, prompt(0, *stable, text("now0", 300)), 4)
    again = send(first.entries, prompt(1, *stable, text("now1", 300)), 4)
    assert again.usage == Usage(input=300, cache_read=1000)


def test_lifetimes_begin_with_the_request_and_are_refreshed_by_reading() -> None:
    """Five minutes from the start of the request that wrote or last read; an hour where asked for."""
    blocks = many(10)
    one = send({}, prompt(0, *blocks), 9)
    assert send(one.entries, prompt(5 * MINUTE, *blocks), 9).hit == -1
    two = send(one.entries, prompt(5 * MINUTE - 1, *blocks), 9)
    assert two.hit == 9
    assert send(two.entries, prompt(10 * MINUTE - 2, *blocks), 9).hit == 9
    hour = send({}, prompt(0, *blocks), 9, life="1h")
    assert hour.usage == Usage(cache_write_1h=2000)
    assert send(hour.entries, prompt(59 * MINUTE, *blocks), 9).hit == 9
    assert send(hour.entries, prompt(60 * MINUTE, *blocks), 9).hit == -1


def test_what_is_written_can_be_read_once_the_answer_begins() -> None:
    """Two requests at once both pay for writing."""
    blocks = many(10)
    first = send({}, prompt(0, *blocks, begins_ms=3000), 9)
    assert send(first.entries, prompt(2999, *blocks), 9).hit == -1
    assert send(first.entries, prompt(3000, *blocks), 9).hit == 9


def test_mixed_lifetimes_are_billed_at_three_places() -> None:
    """A, B and C: read up to A, written for an hour up to B, for five minutes up to C, then input."""
    one = prompt(0, *many(10))
    marks: Marks = ((3, "1h"), (6, "1h"), (8, "5m"))
    usage = billed(one, marks, 3, 1000)
    assert usage == Usage(cache_read=800, cache_write_1h=600, cache_write_5m=400, input=200)
    assert billed(one, marks, -1, 1000) == Usage(cache_write_1h=1400, cache_write_5m=400, input=200)
    assert billed(one, marks, 6, 1000) == Usage(cache_read=1400, cache_write_5m=400, input=200)


def test_short_prefixes_are_not_kept_and_nobody_says_so() -> None:
    """Below the model's minimum a mark does nothing, at it everything."""
    below = send({}, prompt(0, text("a", 999)), 0)
    assert (below.usage, below.entries) == (Usage(input=999), {})
    assert send({}, prompt(0, text("a", 1000)), 0).usage == Usage(cache_write_5m=1000)


def test_the_page_s_example_of_usage() -> None:
    """100,000 tokens that are kept and 50 of a question: read 100,000, written none, input 50."""
    head = system("long", 100_000)
    first = send({}, prompt(0, head, text("q1", 50)), 0)
    again = send(first.entries, prompt(MINUTE, head, text("q2", 50)), 0)
    assert again.usage == Usage(cache_read=100_000, input=50)


def test_an_entry_is_of_one_model() -> None:
    """The same bytes for another model are another prefix."""
    first = send({}, prompt(0, *many(10)), 9)
    assert send(first.entries, Prompt(1, "other", tuple(many(10))), 9).hit == -1
    assert shared(prompt(0, *many(10)), Prompt(1, "other", tuple(many(10)))) == 0
    assert shared(prompt(0, *many(10)), prompt(1, *many(4))) == 4


@pytest.mark.parametrize(
    "marks",
    [
        tuple((n, "5m") for n in range(5)),
        ((2, "5m"), (1, "5m")),
        ((1, "5m"), (1, "5m")),
        ((1, "5m"), (2, "1h")),
        ((6, "5m"),),
        ((5, "5m"),),
    ],
)
def test_what_the_provider_refuses_is_refused(marks: Marks) -> None:
    """More than four, out of order, twice on a block, an hour behind five minutes, nowhere, on thinking."""
    one = prompt(0, *many(5), text("thought", 10, "thinking"))
    with pytest.raises(UsageError):
        serve({}, one, marks, OFFER)


def test_policies_mark_what_can_be_marked() -> None:
    """Automatic caching steps back from thinking; fixed marks stand at the ends of levels, once each."""
    one = prompt(0, system("s", 5), text("q", 5), text("t", 5, "thinking"))
    assert Automatic().place(one) == ((1, "5m"),)
    assert Static("1h").place(one) == ((0, "1h"), (1, "1h"))
    assert Static(rolling=False).place(one) == ((0, "5m"),)
    assert in_order([text("q", 1), system("s", 1)])[0].level == "system"


@given(traces(), st.sampled_from([Uncached(), Automatic(), Automatic("1h"), Static(), Static(rolling=False)]))
def test_bills_add_up(trace: list[Prompt], policy: Automatic | Static | Uncached) -> None:
    """Every token is billed in one class; nothing costs less than reading all; without marks all is input."""
    run = simulate(trace, policy, OFFERS)
    for one, served in zip(trace, run.served, strict=True):
        assert served.usage.prompt == one.tokens
        assert served.usage.output == one.output
        assert served.cost_pusd >= 10 * one.tokens + 500 * one.output
        for entry in served.entries.values():
            assert one.at_ms < entry.until_ms <= one.at_ms + 60 * MINUTE
    if isinstance(policy, Uncached):
        assert run.cost_pusd == sum(100 * one.tokens + 500 * one.output for one in trace)
        assert run.usage.cache_read == 0


@given(traces())
def test_further_marks_on_what_is_kept_cost_nothing(trace: list[Prompt]) -> None:
    """A mark below the prefix that is read changes no bill (the page: breakpoints themselves add no cost)."""
    entries: Entries = {}
    for one in trace:
        (last,) = [one.last_markable()]
        marks: Marks = () if last is None else ((last, "5m"),)
        served = serve(entries, one, marks, OFFER)
        below = [place for place in range(max(served.hit, 0)) if one.blocks[place].markable]
        if below:
            more = serve(entries, one, ((below[0], "5m"), *marks), OFFER)
            assert more.usage == served.usage
        entries = served.entries
