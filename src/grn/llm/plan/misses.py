"""Why a prefix that had been sent before was not read from the cache, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grn.llm.plan.cache import LOOKBACK, Entry, Marks, Offer, Run
from grn.llm.plan.prompt import Prompt, shared

Reason = Literal["changed", "model", "expired", "short", "lookback", "unmarked", "early"]


@dataclass(frozen=True)
class Miss:
    """What a request could have read and did not.

    Attributes
    ----------
    request
        Its number in the trace, from 0.
    reason
        ``changed``: a block differs, and all behind it is new. The others had the same blocks before: for
        another ``model``; the lifetime was over (``expired``); the prefix is too ``short`` to be kept; no
        mark stands within the ``lookback``; none had been put there (``unmarked``); the answer to the one
        that wrote it had not begun (``early``).
    tokens
        How many more could have been read.
    extra_pusd
        What they cost more than a reading.
    words
        The reason for a person, with its numbers.
    """

    request: int
    reason: Reason
    tokens: int
    extra_pusd: int
    words: str


def misses(prompts: Sequence[Prompt], run: Run, offers: Mapping[str, Offer]) -> list[Miss]:
    """Explain every miss of a trace.

    A change is told where a prompt parts from the one before it that it shares most with, unless it parts
    behind all that either had in common with the conversation: what is merely new is no miss.
    """
    found: list[Miss] = []
    ever: dict[str, Entry] = {}
    for number, (prompt, marks, served) in enumerate(zip(prompts, run.marks, run.served, strict=True)):
        before = prompts[:number]
        nearest = max(before, key=lambda one: shared(one, prompt), default=None)
        common = 0 if nearest is None else shared(nearest, prompt)
        end = prompt.ends[common - 1] if common else 0
        read = served.usage.cache_read
        if end > read:
            reason, words = _why(prompt, marks, common, ever, offers[prompt.model])
            found.append(_miss(number, reason, end - read, prompt, offers, words))
        elif common == 0 and (other := _other_model(prompt, before)):
            words = f"the same was sent to {other}: every model has a cache of its own"
            found.append(_miss(number, "model", prompt.tokens, prompt, offers, words))
        elif nearest is not None and 0 < common < min(len(nearest.blocks), len(prompt.blocks)):
            block = prompt.blocks[common]
            lost = nearest.tokens - end
            words = f"block {common + 1} ({block.slot or block.level}) differs from what was sent before"
            found.append(_miss(number, "changed", min(lost, prompt.tokens - end), prompt, offers, words))
        ever.update(served.entries)
    return found


def _why(
    prompt: Prompt, marks: Marks, common: int, ever: Mapping[str, Entry], offer: Offer
) -> tuple[Reason, str]:
    """Find what kept the common prefix from being read."""
    written = [place for place in range(common) if prompt.prefixes[place] in ever]
    if not written:
        end = prompt.ends[common - 1]
        if end < offer.least:
            return "short", f"{end:,} tokens are common, and fewer than {offer.least:,} are not kept"
        return "unmarked", f"{end:,} tokens are common, and no mark stood at or before their end"
    place = written[-1]
    entry = ever[prompt.prefixes[place]]
    if entry.until_ms <= prompt.at_ms:
        late = (prompt.at_ms - entry.until_ms) / 60_000
        return "expired", f"what was kept for {entry.life} ran out {late:,.1f} minutes before"
    if entry.from_ms > prompt.at_ms:
        return "early", "it was sent before the answer to the one that wrote it had begun"
    after = [mark for mark, _ in marks if mark >= place]
    if not after:
        return "unmarked", "this request has no mark at or behind what is kept"
    away = prompt.positions[after[0]] - prompt.positions[place]
    if away >= LOOKBACK:
        return (
            "lookback",
            f"the next mark stands {away} places behind what is kept; {LOOKBACK - 1} are searched",
        )
    return (
        "unmarked",
        f"{prompt.ends[common - 1]:,} tokens are common, and a mark stood only before their end",
    )


def _miss(
    number: int, reason: Reason, tokens: int, prompt: Prompt, offers: Mapping[str, Offer], words: str
) -> Miss:
    _, rates = offers[prompt.model].price.rates(prompt.tokens)
    return Miss(number, reason, tokens, tokens * (rates.input - rates.cache_read), words)


def _other_model(prompt: Prompt, before: Sequence[Prompt]) -> str | None:
    for one in reversed(before):
        if one.model != prompt.model and one.blocks[:1] == prompt.blocks[:1]:
            return one.model
    return None
