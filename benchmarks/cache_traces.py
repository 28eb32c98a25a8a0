"""Small traces of requests, drawn by families that are described: what the cache planner is measured on.

Lengths are log-normal around a median, gaps between requests too; every trace is its family, its size and
its seed. Contents are names: two blocks are the same when they have the same one. Sizes follow what coding
agents and chats send: tools of 3 to 15 thousand tokens, system prompts of 1 to 4, turns of some hundred,
results of tools of some thousand.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

from grn.llm.plan.prompt import Block, Kind, Level, Prompt

SONNET, OPUS, HAIKU = "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"
MINUTE = 60_000


class Draw:
    """A trace being drawn: a seeded generator, a clock, and names that nobody else has."""

    def __init__(self, family: str, seed: int) -> None:
        self.random = random.Random(f"{family}:{seed}")
        self.name = f"{family}:{seed}"
        self.at_ms = 0
        self.made = 0

    def tokens(self, median: float, spread: float = 0.6) -> int:
        """Draw a length."""
        return max(1, round(median * math.exp(self.random.gauss(0, spread))))

    def wait(self, median_s: float, spread: float = 0.8) -> None:
        """Let time pass."""
        self.at_ms += max(500, round(1000 * median_s * math.exp(self.random.gauss(0, spread))))

    def block(self, median: float, kind: Kind = "text", level: Level = "messages") -> Block:
        """Draw a block that was never sent before."""
        self.made += 1
        return Block(level, kind, f"{self.name}:{self.made}", self.tokens(median))

    def head(self, tools: float, system: float) -> list[Block]:
        """Draw tools (none for 0) and a system prompt."""
        found = [self.block(tools, "tool", "tools")] if tools else []
        return [*found, self.block(system, level="system")]

    def send(self, blocks: list[Block], model: str = SONNET, output: float = 400) -> Prompt:
        """Send a request now; its answer begins after two seconds."""
        return Prompt(self.at_ms, model, tuple(blocks), self.tokens(output), 2000)


def chat(draw: Draw, size: int) -> Iterator[Prompt]:
    """A conversation: a turn a minute in the median, seldom a longer break."""
    said = draw.head(0, 2500)
    for _ in range(size):
        said.append(draw.block(600))
        yield draw.send(said)
        said.append(draw.block(500))
        draw.wait(60 if draw.random.random() < 0.9 else 1200)


def slow_chat(draw: Draw, size: int) -> Iterator[Prompt]:
    """A conversation beside other work: twelve minutes between turns in the median."""
    said = [*draw.head(0, 2500), draw.block(9000, "document")]
    for _ in range(size):
        said.append(draw.block(500))
        yield draw.send(said)
        said.append(draw.block(500))
        draw.wait(720, 0.6)


def agent(draw: Draw, size: int) -> Iterator[Prompt]:
    """An agent's loop: a call of a tool every ten seconds; one in twelve waits for a person."""
    said = [*draw.head(9000, 3000), draw.block(300)]
    for _ in range(size):
        yield draw.send(said, OPUS, 250)
        said += [draw.block(200, "tool_use"), draw.block(1500, "tool_result")]
        draw.wait(10)
        if draw.random.random() < 1 / 12:
            draw.wait(1200, 0.3)


def questions(draw: Draw, size: int) -> Iterator[Prompt]:
    """Questions about one document, each on its own: only what comes before them is common."""
    head = [*draw.head(0, 1200), draw.block(20_000, "document")]
    for _ in range(size):
        yield draw.send([*head, draw.block(80)])
        draw.wait(90)


def rare_questions(draw: Draw, size: int) -> Iterator[Prompt]:
    """The same, a quarter of an hour apart."""
    head = [*draw.head(0, 1200), draw.block(20_000, "document")]
    for _ in range(size):
        yield draw.send([*head, draw.block(80)])
        draw.wait(900, 0.5)


def stamped(draw: Draw, size: int) -> Iterator[Prompt]:
    """A time stamp stands in front of a conversation that grows: only tools and system prompt come back."""
    head = draw.head(5000, 2500)
    said: list[Block] = []
    for _ in range(size):
        said.append(draw.block(500))
        yield draw.send([*head, draw.block(30), *said])
        said.append(draw.block(400))
        draw.wait(45)


def two_at_once(draw: Draw, size: int) -> Iterator[Prompt]:
    """Two conversations in turn, with the same tools and system prompt."""
    head = draw.head(6000, 2000)
    said: tuple[list[Block], list[Block]] = ([], [])
    for number in range(size):
        mine = said[number % 2]
        mine.append(draw.block(700))
        yield draw.send([*head, *mine])
        mine.append(draw.block(500))
        draw.wait(50)


def bursts(draw: Draw, size: int) -> Iterator[Prompt]:
    """Turns of 26 blocks: the last request's end lies beyond the lookback."""
    said = draw.head(4000, 2000)
    for _ in range(size):
        said += [draw.block(120) for _ in range(26)]
        yield draw.send(said)
        draw.wait(70)


def unrelated(draw: Draw, size: int) -> Iterator[Prompt]:
    """Requests that have nothing in common: nothing can be saved."""
    for _ in range(size):
        yield draw.send([*draw.head(0, 1500), draw.block(1500)])
        draw.wait(40)


def short(draw: Draw, size: int) -> Iterator[Prompt]:
    """Prompts around the shortest length that is kept."""
    said = [draw.block(350, level="system")]
    for _ in range(size):
        said.append(draw.block(150))
        yield draw.send(said)
        said.append(draw.block(120))
        draw.wait(40)


def long_context(draw: Draw, size: int) -> Iterator[Prompt]:
    """A conversation about 95,000 tokens on a model whose price is five times as high above 100,000."""
    said = [*draw.head(3000, 2000), Block("messages", "document", draw.name, 90_000)]
    for _ in range(size):
        said.append(draw.block(900))
        yield draw.send(said, HAIKU)
        said.append(draw.block(600))
        draw.wait(100)


Family = Callable[[Draw, int], Iterator[Prompt]]
FAMILIES: tuple[Family, ...] = (
    chat,
    slow_chat,
    agent,
    questions,
    rare_questions,
    stamped,
    two_at_once,
    bursts,
    unrelated,
    short,
    long_context,
)


def trace(family: Family, seed: int, size: int) -> list[Prompt]:
    """Draw one trace."""
    return list(family(Draw(family.__name__, seed), size))


def later(prompts: list[Prompt], by_ms: int) -> list[Prompt]:
    """Move a trace on in time."""
    return [Prompt(p.at_ms + by_ms, p.model, p.blocks, p.output, p.begins_ms) for p in prompts]
