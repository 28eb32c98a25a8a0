"""What would make a trace cheaper, with the arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from grn.llm.money import usd_short
from grn.llm.plan.cache import Offer, Run
from grn.llm.plan.misses import Miss
from grn.llm.plan.prompt import Prompt
from grn.llm.usage import Usage

_NEAR = 10  # a prompt this many times longer than what is to be trimmed is worth trimming


def trim(usage: Usage, offer: Offer) -> tuple[int, int, int] | None:
    """Tell what trimming below a tier's threshold gives.

    Returns
    -------
    Tokens to trim, picodollars as it is, picodollars trimmed; ``None`` in the lowest tier, or far above it.
    """
    over, _ = offer.price.rates(usage.prompt)
    excess = usage.prompt - over
    if over == 0 or excess * _NEAR > usage.prompt:
        return None
    left = excess
    fewer: dict[str, int] = {}
    for name in ("input", "cache_write_5m", "cache_write_1h", "cache_read"):  # what is newest goes first
        taken = min(left, getattr(usage, name))
        fewer[name] = getattr(usage, name) - taken
        left -= taken
    trimmed = Usage(**fewer, output=usage.output)
    return excess, offer.price.cost_pusd(usage), offer.price.cost_pusd(trimmed)


def advise(
    prompts: Sequence[Prompt], run: Run, missed: Sequence[Miss], offers: Mapping[str, Offer]
) -> list[str]:
    """Say what would help, the dearest first; each line with its numbers."""
    lines: list[tuple[int, str]] = []
    for number, (prompt, served) in enumerate(zip(prompts, run.served, strict=True)):
        if found := trim(served.usage, offers[prompt.model]):
            tokens, cost, less = found
            now = f"request {number}: {prompt.tokens:,} tokens cost {usd_short(cost)}"
            then = (
                f"trimming {tokens:,} makes this {cost / max(less, 1):.1f} times cheaper, {usd_short(less)}"
            )
            lines.append((cost - less, f"{now}; {then}"))
    extra: Counter[str] = Counter()
    for miss in missed:
        extra[miss.reason] += miss.extra_pusd
    for reason, pusd in extra.items():
        if pusd > 0 and reason in _ADVICE:
            lines.append((pusd, f"{_ADVICE[reason]}: up to {usd_short(pusd)}"))
    return [line for _, line in sorted(lines, key=lambda line: (-line[0], line[1]))]


_ADVICE = {
    "changed": "put what changes behind what does not, and keep what was sent as it was",
    "model": "stay with a model within a conversation",
    "expired": "send the next request sooner, or keep prefixes for an hour",
    "lookback": "put a mark at the end of the last request too",
    "unmarked": "put marks where requests part",
    "early": "wait for the first answer before sending others that begin alike",
}
