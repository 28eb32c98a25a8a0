"""Prompts that many tests send, at made-up round prices."""

from __future__ import annotations

from hypothesis import strategies as st

from grn.llm.plan.cache import Offer
from grn.llm.plan.prompt import Block, Kind, Prompt
from grn.llm.prices import Price, Rates

MODEL = "claude"
# The provider's multipliers: 1.25 and 2 for writing, 0.1 for reading.
OFFER = Offer(Price(Rates(100, 125, 200, 10, 500)), 1000)
OFFERS = {MODEL: OFFER}
MINUTE = 60_000


def text(name: str, tokens: int, kind: Kind = "text") -> Block:
    return Block("messages", kind, name, tokens)


def system(name: str, tokens: int) -> Block:
    return Block("system", "text", name, tokens)


def prompt(at_ms: int, *blocks: Block, output: int = 0, begins_ms: int = 0) -> Prompt:
    return Prompt(at_ms, MODEL, blocks, output, begins_ms)


@st.composite
def traces(draw: st.DrawFn, most: int = 5, blocks_most: int = 4, names: int = 2) -> list[Prompt]:
    """Traces in which prompts often begin alike, with gaps around both lifetimes."""
    now, found = 0, []
    for _ in range(draw(st.integers(1, most))):
        now += draw(st.sampled_from([0, 1, 60, 299, 300, 301, 900, 3599, 3601])) * 1000
        chosen = draw(st.lists(st.integers(1, names), min_size=1, max_size=blocks_most))
        kinds = draw(st.lists(st.sampled_from(["text", "tool_use", "thinking"]), min_size=4, max_size=4))
        blocks = [
            Block("messages", kinds[depth], f"{depth}{name}", (300, 900, 2500, 40)[(depth + name) % 4])
            for depth, name in enumerate(chosen)
        ]
        found.append(Prompt(now, MODEL, tuple(blocks), 10, draw(st.sampled_from([0, 2000]))))
    return found
