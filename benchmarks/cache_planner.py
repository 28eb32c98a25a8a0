"""The cache planner against who knows the future, and against what people do without one.

    python -m benchmarks.cache_planner [--set other] [--traces 12] [--size 6]

What is compared: dollars saved against no cache, over the whole bill of all traces, every way billed by the
same simulator (``grn.llm.plan.cache``), as shares of what the oracle saves, which tries every placement and
lifetime and knows the future. Two sets of traces: ``benchmarks/cache_traces.py``, on whose seeds below 300
the planner's constants were chosen, and ``benchmarks/cache_other_traces.py``, on which none was. What is
reported are seeds from 300 on.

==================  =====================================================================================
``cold``            has seen nothing before a trace
``mixed``           forty earlier traces of all families, drawn by chance, a day apart
``warm``            forty earlier traces of the trace's own family
``law``, ``end``    who knows the law that traces are drawn by, and also which request of how many it is:
                    what no decision without knowledge of the future can pass (``cache_limit.py``)
==================  =====================================================================================
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from datetime import date

from benchmarks import cache_other_traces, cache_traces
from benchmarks.cache_limit import learn, play
from benchmarks.cache_traces import HAIKU, OPUS, SONNET, Family, later, trace
from benchmarks.measure import describe_code, describe_machine, write_result
from grn.llm.catalogue import Catalogue
from grn.llm.plan.cache import Offer, simulate
from grn.llm.plan.habits import Habits
from grn.llm.plan.offers import offer_of
from grn.llm.plan.oracle import least_cost
from grn.llm.plan.planner import Planner
from grn.llm.plan.policies import Automatic, Static, Uncached

PRICES_OF = date(2026, 11, 23)
FIRST, LEARNED = 300, 10_000
DAY_MS = 86_400_000
LAW_TRACES = 150
SETS = {"first": cache_traces.FAMILIES, "other": cache_other_traces.FAMILIES}
WAYS = ("oracle", "automatic_5m", "automatic_1h", "static", "fixed", "cold", "mixed", "warm", "law", "end")


def past(families: tuple[Family, ...], size: int, offers: dict[str, Offer], traces: int = 40) -> Habits:
    """Learn from earlier traces, each of a family by chance."""
    habits, draw = Habits(), random.Random("past")
    for number in range(traces):
        prompts = trace(draw.choice(families), LEARNED + number, size)
        simulate(later(prompts, number * DAY_MS), Planner(offers, habits), offers)
    return habits


def measure(
    family: Family, traces: int, size: int, offers: dict[str, Offer], mixed: Habits
) -> dict[str, object]:
    """Add up what each way saves on the traces of a family."""
    habits = past((family,), size, offers)
    rates = offers[trace(family, FIRST, size)[0].model].price.base
    law, end = (learn(family, size, LAW_TRACES, rates, knows_end=knows) for knows in (False, True))
    saved, bill, took_ms, requests = dict.fromkeys(WAYS, 0), 0, 0.0, 0
    for seed in range(FIRST, FIRST + traces):
        prompts = trace(family, seed, size)
        now = later(prompts, 100 * DAY_MS)
        plain = simulate(prompts, Uncached(), offers).cost_pusd
        bill += plain
        began = time.perf_counter()
        warm = simulate(now, Planner(offers, copy.deepcopy(habits)), offers).cost_pusd
        took_ms += 1000 * (time.perf_counter() - began)
        requests += len(prompts)
        costs = (
            least_cost(prompts, offers),
            simulate(prompts, Automatic(), offers).cost_pusd,
            simulate(prompts, Automatic("1h"), offers).cost_pusd,
            simulate(prompts, Static(), offers).cost_pusd,
            simulate(prompts, Static(rolling=False), offers).cost_pusd,
            simulate(prompts, Planner(offers), offers).cost_pusd,
            simulate(now, Planner(offers, copy.deepcopy(mixed)), offers).cost_pusd,
            warm,
            play(prompts, law, offers),
            play(prompts, end, offers),
        )
        for way, cost in zip(WAYS, costs, strict=True):
            saved[way] += plain - cost
    return {
        "family": family.__name__,
        "is": " ".join((family.__doc__ or "").split()),
        "bill_pusd": bill,
        "saved_pusd": saved,
        "ms_per_request": round(took_ms / requests, 2),
    }


def main() -> None:
    """Measure all families, print a table, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=tuple(SETS), default="first")
    parser.add_argument("--traces", type=int, default=12)
    parser.add_argument("--size", type=int, default=6)
    options = parser.parse_args()
    catalogue = Catalogue(PRICES_OF)
    offers = {model: offer_of(catalogue.find(model)) for model in (SONNET, OPUS, HAIKU)}
    rows = []
    families = SETS[options.set]
    mixed = past(families, options.size, offers)
    for family in families:
        rows.append(row := measure(family, options.traces, options.size, offers, mixed))
        print(line(str(row["family"]), [row]), flush=True)
    print(line("all", rows))
    result = {
        "machine": describe_machine(),
        "code": describe_code(),
        "command": f"python -m benchmarks.cache_planner --set {options.set}",
        "traces": options.traces,
        "size": options.size,
        "share_of_oracle": shares(rows),
        "families": rows,
    }
    name = "cache_planner" if options.set == "first" else f"cache_planner_{options.set}"
    print(write_result(name, result))


def shares(rows: list[dict[str, object]]) -> dict[str, float]:
    """Divide what each way saves by what the oracle does; of the bill where there is nothing to save."""
    saved = {way: sum(row["saved_pusd"][way] for row in rows) for way in WAYS}  # type: ignore[index]
    whole = saved["oracle"] or sum(int(str(row["bill_pusd"])) for row in rows)
    return {way: round(saved[way] / whole, 4) for way in WAYS}


def line(name: str, rows: list[dict[str, object]]) -> str:
    """Write a family's line."""
    found = shares(rows)
    bill = sum(int(str(row["bill_pusd"])) for row in rows)
    of_bill = sum(row["saved_pusd"]["oracle"] for row in rows) / bill  # type: ignore[index]
    return f"{name:14} oracle saves {of_bill:6.1%}: " + " ".join(
        f"{way} {found[way]:6.1%}" for way in WAYS[1:]
    )


if __name__ == "__main__":
    main()
