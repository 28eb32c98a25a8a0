"""What squeezing the outputs of tools saves of a whole conversation's bill, with the cache as it is used.

    python -m benchmarks.conversation

No transcripts of real conversations are published with their outputs, so conversations are drawn, seeded,
from what is measured: outputs are those of ``benchmarks/results/squeeze.json`` (real tools, made here), each
with its tokens before and after ``grn llm squeeze``. A conversation is an agent's loop on Claude Opus 5.5:
tools of 12,000 and a system prompt of 3,000 tokens, a question of 300; then calls of tools. Of the calls a
share runs a tool whose output can be squeezed (the cases, each as likely as every other, none above 20,000
tokens, as agents cut them); the others read or edit files: 1,500 tokens in the median, which are not
squeezed. Before each call the model says 250 tokens, at its end 400. One call in twelve waits twenty
minutes for a person, the others ten seconds. Tokens are o200k's.

The bill is that of :mod:`grn.llm.plan.cache` with automatic caching for five minutes, and for comparison
without a cache. What the model says is taken as the same with both.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from datetime import date

from benchmarks.measure import RESULTS, describe_code, describe_machine, write_result
from grn.llm.catalogue import Catalogue
from grn.llm.plan.cache import simulate
from grn.llm.plan.offers import offer_of
from grn.llm.plan.policies import Automatic, Uncached
from grn.llm.plan.prompt import Block, Prompt

MODEL = "claude-opus-5-5"
CALLS = (10, 30, 60)
SHARES = (0.25, 0.5, 0.75)
_CUT = 20_000


def outputs() -> list[tuple[int, int]]:
    """Give every output that was squeezed: tokens as it is, and squeezed."""
    measured = json.loads((RESULTS / "squeeze.json").read_text(encoding="utf-8"))["cases"]
    found = []
    for case in measured:
        times = min(1.0, _CUT / case["tokens"])
        found.append((round(case["tokens"] * times), round(case["left"] * times)))
    return found


def conversation(
    draw: random.Random, calls: int, share: float, made: list[tuple[int, int]]
) -> tuple[list[Prompt], list[Prompt], int, int]:
    """Draw a conversation: as it is, and squeezed; with the tokens of its squeezable outputs in all."""
    plain = [
        Block("tools", "tool", "tools", 12_000),
        Block("system", "text", "system", 3_000),
        Block("messages", "text", "question", 300),
    ]
    lean = list(plain)
    both: tuple[list[Prompt], list[Prompt]] = ([], [])
    at_ms = before = after = 0
    for number in range(calls + 1):
        output = 250 if number < calls else 400
        for blocks, prompts in ((plain, both[0]), (lean, both[1])):
            prompts.append(Prompt(at_ms, MODEL, tuple(blocks), output, 2000))
        sizes = (size := max(1, round(1500 * math.exp(draw.gauss(0, 0.8)))), size)
        if draw.random() < share:
            sizes = draw.choice(made)
            before, after = before + sizes[0], after + sizes[1]
        for blocks, size in ((plain, sizes[0]), (lean, sizes[1])):
            blocks += [
                Block("messages", "tool_use", f"call{number}", 250),
                Block("messages", "tool_result", f"result{number}:{size}", size),
            ]
        at_ms += 1_200_000 if draw.random() < 1 / 12 else 10_000
    return *both, before, after


def main() -> None:
    """Draw, squeeze, bill, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=40)
    options = parser.parse_args()
    made = outputs()
    offers = {MODEL: offer_of(Catalogue(date(2026, 11, 23)).find(MODEL))}
    rows = []
    for calls in CALLS:
        for share in SHARES:
            sums = dict.fromkeys(("plain", "lean", "plain_uncached", "lean_uncached", "before", "after"), 0)
            for seed in range(options.conversations):
                draw = random.Random(f"conversation:{calls}:{share}:{seed}")
                plain, lean, before, after = conversation(draw, calls, share, made)
                sums["plain"] += simulate(plain, Automatic(), offers).cost_pusd
                sums["lean"] += simulate(lean, Automatic(), offers).cost_pusd
                sums["plain_uncached"] += simulate(plain, Uncached(), offers).cost_pusd
                sums["lean_uncached"] += simulate(lean, Uncached(), offers).cost_pusd
                sums["before"] += before
                sums["after"] += after
            row = {
                "calls": calls,
                "share_squeezable": share,
                "saved_of_outputs": round(1 - sums["after"] / sums["before"], 4),
                "saved_of_bill": round(1 - sums["lean"] / sums["plain"], 4),
                "saved_of_bill_uncached": round(1 - sums["lean_uncached"] / sums["plain_uncached"], 4),
                "usd_per_conversation": round(sums["plain"] / options.conversations / 1e12, 4),
            }
            rows.append(row)
            print(row)
    result = {
        "machine": describe_machine(),
        "code": describe_code(),
        "command": "python -m benchmarks.conversation",
        "model": MODEL,
        "outputs": len(made),
        "conversations": options.conversations,
        "rows": rows,
    }
    print(write_result("conversation", result))


if __name__ == "__main__":
    main()
