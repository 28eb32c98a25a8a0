"""A second set of traces for the cache planner: other work, on which no constant of it was chosen.

They showed two gaps in its reasoning when they were first run (what is sent twice at once; what stands before
the last block), which were closed; its constants come from ``benchmarks/cache_traces.py`` alone, whose pen
these use. How many requests a trace has is drawn too: no player can learn where one ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.cache_traces import HAIKU, MINUTE, OPUS, Draw, Family
from grn.llm.plan.prompt import Block, Prompt

GOES_ON = 0.8  # how likely a trace has another request, from the second on


def requests(draw: Draw, size: int) -> Iterator[int]:
    """Number the requests of a trace: two at least, ``size`` at most, none of them known to be the last."""
    for number in range(size):
        if number >= 2 and draw.random.random() > GOES_ON:
            return
        yield number


def review(draw: Draw, size: int) -> Iterator[Prompt]:
    """Threads of questions about one document: each begins anew behind it, half of them go on."""
    head = [*draw.head(0, 900), draw.block(15_000, "document")]
    said: list[Block] = []
    for _ in requests(draw, size):
        if draw.random.random() < 0.5:
            said = []
        said.append(draw.block(150))
        yield draw.send([*head, *said], OPUS)
        said.append(draw.block(400))
        draw.wait(150, 1.0)


def retrieval(draw: Draw, size: int) -> Iterator[Prompt]:
    """Three of five documents before each question, the best one first: beginnings are common by chance."""
    head, pool = draw.head(0, 1800), [draw.block(4000, "document") for _ in range(5)]
    for _ in requests(draw, size):
        found = sorted(pool, key=lambda one: pool.index(one) + draw.random.gauss(0, 1.5))[:3]
        yield draw.send([*head, *found, draw.block(90)])
        draw.wait(200)


def subagents(draw: Draw, size: int) -> Iterator[Prompt]:
    """An agent's loop whose every third call goes to a helper: the same tools, another system prompt."""
    tools = draw.block(8000, "tool", "tools")
    mine, other = draw.block(3000, level="system"), draw.block(1200, level="system")
    said = [draw.block(400)]
    for _ in requests(draw, size):
        if draw.random.random() < 1 / 3:
            yield draw.send([tools, other, draw.block(900)], OPUS, 200)
        else:
            yield draw.send([tools, mine, *said], OPUS, 200)
            said += [draw.block(150, "tool_use"), draw.block(1200, "tool_result")]
        draw.wait(15, 1.4)


def summed_up(draw: Draw, size: int) -> Iterator[Prompt]:
    """A conversation that is summed up now and then: behind the system prompt all is new."""
    head, said = draw.head(3000, 2000), [draw.block(5000)]
    for _ in requests(draw, size):
        if draw.random.random() < 0.25:
            said = [draw.block(1500)]
        said.append(draw.block(900))
        yield draw.send([*head, *said])
        said.append(draw.block(700))
        draw.wait(120, 1.0)


def at_once(draw: Draw, size: int) -> Iterator[Prompt]:
    """Pairs of questions about a document, half a second apart: the second comes before it can be read."""
    head = [*draw.head(0, 1000), draw.block(12_000, "document")]
    for number in requests(draw, size):
        yield draw.send([*head, draw.block(200)])
        draw.at_ms += 500
        if number % 2:
            draw.wait(420, 0.7)


def day(draw: Draw, size: int) -> Iterator[Prompt]:
    """A conversation over a day: gaps of seconds and of hours, from a law with a heavy tail."""
    said = [*draw.head(2500, 1500), draw.block(6000, "document")]
    for _ in requests(draw, size):
        said.append(draw.block(400))
        yield draw.send(said, OPUS)
        said.append(draw.block(600))
        draw.at_ms += round(40_000 * draw.random.paretovariate(0.7))


def asked_again(draw: Draw, size: int) -> Iterator[Prompt]:
    """A conversation whose last question is put in other words each third time."""
    said = draw.head(0, 3500)
    for _ in requests(draw, size):
        if len(said) > 2 and draw.random.random() < 1 / 3:
            said = said[:-2]
        said = [*said, draw.block(700)]
        yield draw.send(said)
        said = [*said, draw.block(500)]
        draw.wait(70)


def toggled(draw: Draw, size: int) -> Iterator[Prompt]:
    """A conversation with two sets of tools in turn by chance: what stands behind them is kept for each."""
    sets = [draw.block(5000, "tool", "tools"), draw.block(7000, "tool", "tools")]
    now, said = 0, [draw.block(2000, level="system")]
    for _ in requests(draw, size):
        now = 1 - now if draw.random.random() < 0.25 else now
        said.append(draw.block(500))
        yield draw.send([sets[now], *said], HAIKU)
        said.append(draw.block(400))
        draw.wait(60)


def hourly(draw: Draw, size: int) -> Iterator[Prompt]:
    """A job that asks about a growing log every half hour, and stops when it is over."""
    said = [*draw.head(0, 1500), draw.block(9000)]
    for _ in requests(draw, size):
        yield draw.send([*said, draw.block(120)])
        said.append(draw.block(1500))
        draw.at_ms += 30 * MINUTE
        draw.wait(20)


FAMILIES: tuple[Family, ...] = (
    review,
    retrieval,
    subagents,
    summed_up,
    at_once,
    day,
    asked_again,
    toggled,
    hourly,
)
