"""A streamed sweep before it is run: what is asked for, how its lattice is cut, what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grn.kit.versions import versions
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import check_price, memory_budget_gib, price_gib
from grn.quant.engine.cpu import check_threads
from grn.quant.engine.grid import Lattice
from grn.quant.request import Request, check_arguments, prepare
from grn.quant.result import account_names
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Rules, merge_rules
from grn.quant.strategy.sizes import Size
from grn.quant.strategy.weights import AnyStrategy
from grn.quant.stream.chunks import Chunks, chunk_size

if TYPE_CHECKING:
    from grn.quant.schema import BarSource


@dataclass(frozen=True)
class Planned:
    """A streamed sweep before it is run: what is asked for, and how its lattice is cut."""

    request: Request
    chunks: Chunks

    def manifest(self) -> dict[str, Any]:
        """What a folder of it says."""
        request = self.request
        return {
            "key": record.result_key(request.inputs),
            "inputs": request.inputs,
            "versions": versions(),
            "accounts": list(account_names(request.strategy, request.bars)),
            "parts": len(self.chunks),
        }

    def price_gib(self) -> float:
        """Peak memory of a chunk, GiB."""
        one = self.request
        at_once = min(self.chunks.size, self.chunks.lattice.points)
        return price_gib(one.strategy, one.rules, at_once, one.bars, one.metrics)


def plan_stream(
    strategy: AnyStrategy,
    data: BarSource,
    *,
    rules: Rules | None = None,
    costs: Costs | None = None,
    fill: str | None = None,
    size: Size | None = None,
    cash: float | None = None,
    metrics: str | Sequence[str] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    memory_gib: float | None = None,
    periods_per_year: float | None = None,
    chunk: int | None = None,
    ledger: Ledger | None = None,
    command: str = "stream_sweep",
) -> Planned:
    """Check a streamed sweep and price it; nothing is run. Arguments and errors: :func:`stream_sweep`."""
    rules = merge_rules(rules, costs=costs, fill=fill, size=size, cash=cash)
    check_arguments(strategy, ledger, periods_per_year)
    check_threads(threads)
    budget_gib, source = memory_budget_gib(memory_gib)
    lattice = Lattice.of(strategy)
    request = prepare(
        strategy, data, rules, grid={}, metrics=metrics, engine=engine, ppy=periods_per_year, command=command
    )
    chunks = Chunks(lattice, chunk_size(chunk, len(account_names(strategy, request.bars))))
    request.inputs["grid"] = {"points": lattice.points, "chunk": chunks.size}
    at_once = min(chunks.size, lattice.points)
    check_price(strategy, rules, at_once, request.bars, request.metrics, budget_gib, source)
    return Planned(request, chunks)
