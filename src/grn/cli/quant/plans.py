"""What a sweep would run and what it takes, before it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grn.cli.output import write_facts, write_json

if TYPE_CHECKING:
    from grn.quant.strategy.rules import Rules
    from grn.quant.strategy.weights import AnyStrategy


def write_plan(
    strategy: AnyStrategy, rules: Rules, data: Any, metrics: str | None, engine: str, *, as_json: bool
) -> None:
    """Print what a sweep would run and what it takes."""
    from grn.quant.engine.grid import build_grid
    from grn.quant.engine.plan import build_layout, build_plan
    from grn.quant.engine.portfolio.cpu import distinct, leaves_of
    from grn.quant.strategy.weights import Weights

    plan = _Plan(strategy, rules, data, metrics, engine)
    grid = build_grid(strategy, plan.budget_gib)
    if isinstance(strategy, Weights):
        series = sum(len(distinct(grid, leaf)) for leaf in leaves_of(strategy.weight)) * len(plan.bars)
    else:
        series = len(build_layout(build_plan(strategy, rules), grid).series)
    work = {
        "combinations": len(grid),
        "bar_combinations": len(grid) * sum(map(len, plan.bars)),
        "series": series,
    }
    plan.write(work, len(grid), as_json=as_json)


def write_stream_plan(
    strategy: AnyStrategy,
    rules: Rules,
    data: Any,
    metrics: str | None,
    engine: str,
    *,
    chunk: int | None,
    as_json: bool,
) -> None:
    """Print what a streamed sweep would run, and what one chunk of it takes."""
    from grn.quant.engine.grid import Lattice
    from grn.quant.result import account_names
    from grn.quant.stream.chunks import Chunks, chunk_size

    plan = _Plan(strategy, rules, data, metrics, engine)
    lattice = Lattice.of(strategy)
    chunks = Chunks(lattice, chunk_size(chunk, len(account_names(strategy, plan.bars))))
    work = {
        "combinations_before_where": lattice.points,
        "chunks": len(chunks),
        "combinations_per_chunk": min(chunks.size, lattice.points),
    }
    plan.write(work, min(chunks.size, lattice.points), as_json=as_json)


class _Plan:
    """What both kinds of sweeps take alike."""

    def __init__(
        self, strategy: AnyStrategy, rules: Rules, data: Any, metrics: str | None, engine: str
    ) -> None:
        from grn.quant.compute import memory_budget_gib
        from grn.quant.engine.choose import choose_engine
        from grn.quant.metrics.registry import parse_metrics
        from grn.quant.schema import load_bars
        from grn.quant.strategy.weights import Weights, check_weights

        self.budget_gib, self._source = memory_budget_gib()
        self.bars = load_bars(data, strategy.needs(rules))
        self._strategy, self._rules, self._metrics = strategy, rules, parse_metrics(metrics)
        self._choice = choose_engine(strategy, engine)
        if isinstance(strategy, Weights):
            check_weights(strategy, rules, [b.symbol for b in self.bars])

    def write(self, work: dict[str, int], at_once: int, *, as_json: bool) -> None:
        """Print strategy and data, the work, and the price of so many combinations at once."""
        from grn.quant.compute import price_gib

        price = price_gib(self._strategy, self._rules, at_once, self.bars, self._metrics)
        facts: dict[str, object] = {
            "strategy": str(self._strategy),
            "data": "; ".join(f"{b.symbol}: {len(b):,} bars" for b in self.bars),
            **work,
            "memory_gib": round(price, 3),
            "budget_gib": round(self.budget_gib, 3),
            "budget_from": self._source,
            "engine": self._choice.engine,
            "because": self._choice.reason,
        }
        if as_json:
            write_json(facts)
        else:
            write_facts((k.replace("_", " "), v) for k, v in facts.items())
