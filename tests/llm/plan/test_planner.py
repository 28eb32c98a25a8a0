"""The planner: learns from the past alone, loses little at worst, and comes near to who knows the future."""

from __future__ import annotations

from hypothesis import given, settings

from grn.llm.plan.cache import simulate
from grn.llm.plan.habits import Habits, Odds
from grn.llm.plan.oracle import least_cost
from grn.llm.plan.planner import Planner, look_ahead
from grn.llm.plan.policies import Automatic, Static, Uncached
from grn.llm.plan.prompt import Prompt
from grn.llm.prices import Rates
from tests.conftest import NIGHTLY
from tests.llm.plan.prompts import MINUTE, OFFERS, prompt, system, text, traces

RATES = Rates(100, 125, 200, 10, 500)


@given(traces(most=3, blocks_most=3))
@settings(max_examples=300 if NIGHTLY else 20)
def test_the_pruned_search_finds_what_the_full_one_does(trace: list[Prompt]) -> None:
    """What the oracle leaves out never helps."""
    assert least_cost(trace, OFFERS) == least_cost(trace, OFFERS, prune=False)


@given(traces())
def test_nobody_costs_less_than_the_oracle(trace: list[Prompt]) -> None:
    """It is a lower bound of every policy, the planner's too."""
    least = least_cost(trace, OFFERS)
    for policy in (Uncached(), Automatic(), Automatic("1h"), Static(), Planner(OFFERS)):
        assert simulate(trace, policy, OFFERS).cost_pusd >= least


@given(traces(most=8, names=4))
def test_little_is_lost_at_worst(trace: list[Prompt]) -> None:
    """Against no cache: the longest prompt written once for each lifetime, and a fiftieth of the bill."""
    plain = simulate(trace, Uncached(), OFFERS).cost_pusd
    written = RATES.cache_write_5m + RATES.cache_write_1h - 2 * RATES.input
    first = max(one.tokens for one in trace) * written
    assert simulate(trace, Planner(OFFERS), OFFERS).cost_pusd <= plain + first + plain // 50


@given(traces(most=6))
def test_the_future_changes_no_mark(trace: list[Prompt]) -> None:
    """Marks of a trace's beginning are the same whatever follows, and the same each time."""
    whole = simulate(trace, Planner(OFFERS), OFFERS).marks
    half = len(trace) // 2
    assert simulate(trace[:half], Planner(OFFERS), OFFERS).marks == whole[:half]
    assert simulate(trace, Planner(OFFERS), OFFERS).marks == whole


def test_questions_about_a_document_teach_where_the_mark_belongs() -> None:
    """The ends of questions never come back: soon only the document is marked, and it is read."""
    head = (system("s", 1500), text("book", 20_000, "document"))
    trace = [prompt(n * MINUTE, *head, text(f"q{n}", 60), output=10) for n in range(8)]
    run = simulate(trace, Planner(OFFERS), OFFERS)
    assert [place for place, _ in run.marks[-1]][-1] == 1
    assert run.served[-1].usage.cache_read == 21_500
    assert run.cost_pusd < simulate(trace, Automatic(), OFFERS).cost_pusd / 3


def test_gaps_decide_on_the_lifetime() -> None:
    """Where requests come a quarter of an hour apart, what is written is soon written for an hour."""
    head = (system("s", 1500), text("book", 20_000, "document"))
    trace = [prompt(n * 15 * MINUTE, *head, text(f"q{n}", 60)) for n in range(10)]
    planner = Planner(OFFERS)
    lives = [{life for _, life in marks} for marks in simulate(trace, planner, OFFERS).marks]
    assert lives[0] == {"5m"}
    assert lives[1:] == [{"1h"}] * 9
    later = [Prompt(one.at_ms + 40 * 60 * MINUTE, one.model, one.blocks) for one in trace]
    again = simulate(later, Planner(OFFERS, planner.habits), OFFERS)
    assert "1h" in {life for _, life in again.marks[0]}, "what was learned is kept"


def test_a_long_turn_is_bridged() -> None:
    """26 blocks a turn: a mark on the last request's end finds it beyond the lookback."""
    trace = [
        prompt(turn * MINUTE, *(text(f"b{n}", 100) for n in range(26 * (turn + 1)))) for turn in range(4)
    ]
    run = simulate(trace, Planner(OFFERS), OFFERS)
    assert [served.hit for served in run.served] == [-1, 25, 51, 77]


def test_what_is_sent_twice_at_once_is_written_once_it_pays() -> None:
    """A second request before the first one's answer begins reads nothing, and is no sign that it would."""
    head = (system("s", 1500), text("book", 20_000, "document"))
    trace = [
        prompt(n // 2 * 8 * MINUTE + n % 2 * 500, *head, text(f"q{n}", 60), begins_ms=2000) for n in range(20)
    ]
    planner = Planner(OFFERS)
    run = simulate(trace, planner, OFFERS)
    assert planner.habits.gaps.short == 0
    # Five pairs later the first of a pair writes or reads for an hour, and the second reads.
    assert all(served.usage.cache_read == 21_500 for served in run.served[10:])


def test_what_stands_before_the_last_block_is_a_place_for_a_mark() -> None:
    """A log that grows before each question: from the third request on only its new piece is written."""
    said = [text("log0", 9000)]
    trace = []
    for n in range(6):
        trace.append(prompt(n * MINUTE, *said, text(f"q{n}", 120)))
        said.append(text(f"log{n + 1}", 1500))
    run = simulate(trace, Planner(OFFERS), OFFERS)
    for n, (one, served) in enumerate(zip(trace, run.served, strict=True)):
        if n >= 2:
            assert served.usage.cache_read == one.ends[n - 1], "all but the new piece and the question"


def test_what_is_expected_follows_from_the_odds() -> None:
    """By hand: returns within five minutes cost a reading each; without returns nothing costs anything."""
    often = Odds(0.9, 0.0)
    outlook = look_ahead(often, often, RATES)
    # Ten returns on the average, each read for 10: 0.9 * 10 / (1 - 0.9) from the next on.
    assert round(outlook.cost(often), 6) == 90
    # Not kept it is written at the first return, 125, and read at the others: 0.9 * (125 + 0.9 * 10 / 0.1).
    assert round(outlook.cost(), 6) == round(0.9 * (125 + 90), 6)
    never = Odds(0.0, 0.0)
    assert look_ahead(never, never, RATES).cost(never) == 0
    # Always a quarter of an hour apart: five minutes are no use, an hour pays.
    slow = Odds(0.0, 0.9)
    outlook = look_ahead(slow, slow, RATES)
    assert outlook.cost(slow, "1h") < outlook.cost(slow, "5m") == outlook.cost()


def test_a_doubt_is_taken_back() -> None:
    """Of two conversations in turn, neither end counts as lost for good when the other one speaks."""
    habits = Habits()
    head = system("s", 1500)
    trace = [
        prompt(0, head, text("a1", 10)),
        prompt(1000, head, text("b1", 10)),
        prompt(2000, head, text("a1", 10), text("a2", 10)),
        prompt(3000, head, text("b1", 10), text("b2", 10)),
    ]
    beliefs = []
    for one in trace:
        habits.see(one)
        beliefs.append(habits.odds("", "last").back)
        habits.note(one, habits.landmarks(one))
    # Each as (returns + 2 * 0.65) / (seen + 2): a1 doubted; returned, b1 doubted; both returned, a2 doubted.
    assert [round(belief, 4) for belief in beliefs] == [0.65, 0.4333, 0.575, 0.66]
