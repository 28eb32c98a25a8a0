"""A strategy as plain data and back: what the ledger keeps, so that any run can be had again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from grn.kit.errors import StrategyError
from grn.quant.strategy.cross import Cross, Hold, Of
from grn.quant.strategy.expr import (
    ARITHMETIC,
    COMPARISON,
    LOGIC,
    Binary,
    Column,
    Const,
    Expr,
    Lag,
    Param,
    Unary,
    When,
)
from grn.quant.strategy.leaves import HostFunction, PolarsColumn, Timeframe
from grn.quant.strategy.orders import (
    EntryOrder,
    Limit,
    Stop,
    StopEntry,
    StopLoss,
    TakeProfit,
    TimeStop,
    TrailingStop,
)
from grn.quant.strategy.rules import Direction
from grn.quant.strategy.step import Step, StepCall
from grn.quant.strategy.strategy import Strategy, is_never
from grn.quant.strategy.tree import nodes
from grn.quant.strategy.weights import AnyStrategy, PortfolioStop, Weights

_BINARY = frozenset((*ARITHMETIC, *COMPARISON, *LOGIC))
_UNARY = frozenset(("neg", "abs", "sqrt", "not", "truth", "missing"))


def to_plain(strategy: AnyStrategy) -> dict[str, object]:
    """Lists, strings and numbers that :func:`from_plain` turns back into an equal strategy."""
    shared = {
        "name": strategy.name,
        "where": None if strategy.where is None else _listed(strategy.where.key),
        "params": [{"name": p.name, "integer": p.integer, "values": list(p.values)} for p in strategy.params],
        "interpreted": sorted({s.source for s in find_steps(strategy) if not s.jit}),
    }
    if isinstance(strategy, Weights):
        return shared | {"weights": {k: _listed(v) for k, v in strategy.canonical.items()}}
    return shared | {
        "signals": [_listed(s.key) for s in strategy.signals],
        "stops": [_listed(s.key) for s in strategy.stops],
        "entry_order": None if strategy.entry_order is None else _listed(strategy.entry_order.key),
        "scale": None if strategy.scale is None else _listed(strategy.scale.key),
    }


def from_plain(data: Mapping[str, Any], steps: Iterable[Step] = ()) -> AnyStrategy:
    """Restore a strategy from :func:`to_plain`.

    Step functions are defined again from their recorded source, unless the very same one is among `steps`.
    """
    params = {
        p["name"]: Param(
            p["name"], tuple(int(v) if p["integer"] else float(v) for v in p["values"]), integer=p["integer"]
        )
        for p in data["params"]
    }
    reader = _Reader(params, steps, frozenset(data.get("interpreted", ())))
    where = None if data["where"] is None else reader.read(data["where"])
    if "weights" in data:
        return reader.weights(data["weights"], where=where, name=str(data["name"]))
    entry, leave, short_entry, short_exit = (reader.read(s) for s in data["signals"])
    order, scale = data.get("entry_order"), data.get("scale")
    sides: Direction = "both"
    shorts: tuple[Expr | None, Expr | None] = short_entry, short_exit
    if is_never(short_entry) and is_never(short_exit):
        sides, shorts = "long", (None, None)
    elif is_never(entry) and is_never(leave):
        sides, entry, leave, shorts = "short", short_entry, short_exit, (None, None)
    return Strategy(
        entry,
        leave,
        *shorts,
        direction=sides,
        where=where,
        name=str(data["name"]),
        stops=[reader.stop(s) for s in data.get("stops", ())],
        entry_order=None if order is None else reader.order(order),
        scale=None if scale is None else reader.read(scale),
    )


def find_steps(strategy: AnyStrategy) -> tuple[Step, ...]:
    """Step functions that the signals call, in a fixed order."""
    roots = (*strategy.signals, *strategy.numbers)
    return tuple(dict.fromkeys(n.step for n in nodes(*roots) if isinstance(n, StepCall)))


def _listed(key: object) -> object:
    if isinstance(key, Mapping):
        return {name: _listed(k) for name, k in key.items()}
    return [_listed(k) for k in key] if isinstance(key, tuple | list) else key


def _number(value: object) -> float:
    return math.nan if value == "NaN" else float(value)  # type: ignore[arg-type]


class _Reader:
    """Reads canonical keys (as nested lists) back into expressions."""

    def __init__(
        self, params: Mapping[str, Param], steps: Iterable[Step], interpreted: frozenset[str]
    ) -> None:
        self.params, self.interpreted = params, interpreted
        self.steps = {(s.source, s.state): s for s in steps}

    def weights(self, data: Mapping[str, Any], *, where: Expr | None, name: str) -> Weights:
        """Target weights from their canonical form."""
        settings = {k: self.read(v) for k, v in data["settings"].items()}
        limits = {g: settings[f"group_limit {g}"] for g in data["groups"] if f"group_limit {g}" in settings}
        order: Any = data["order"]
        if not isinstance(order, str):
            order = tuple(order)
        stop = None
        if data["stop"] is not None:
            scope, trail, reentry = data["stop"]
            stop = PortfolioStop(settings["loss"], scope, trail, reentry)
        return Weights(
            self.read(data["weight"]),
            every=settings.get("every", data["every"]),
            most=settings.get("most"),
            order=order,
            groups=data["groups"],
            group_limit=limits or None,
            gross_limit=settings.get("gross_limit"),
            drift=settings["drift"],
            cash_short=data["cash_short"],
            stop=stop,
            where=where,
            name=name,
        )

    def stop(self, key: Sequence[Any]) -> Stop:
        """A stop from its key."""
        if key[0] == TimeStop.word:
            return TimeStop(self.read(key[1]))
        word, measure, value, part = key
        maker = next(c for c in (StopLoss, TakeProfit, TrailingStop) if c.word == word)
        return maker(**{measure: self.read(value)}, part=part[1])

    def order(self, key: Sequence[Any]) -> EntryOrder:
        """An entry order from its key."""
        word, price, expires = key
        maker = next(c for c in (Limit, StopEntry) if c.word == word)
        return maker(self.read(price), expires=expires or None)

    def read(self, key: Sequence[Any]) -> Expr:
        head, *rest = key
        special: dict[str, Callable[..., Expr]] = {
            "column": Column,
            "true": lambda: Const(True),
            "false": lambda: Const(False),
            "const": lambda v: Const(_number(v)),
            "param": lambda name: self.params[name],
            "lag": lambda x, n: Lag(self.read(x), n if isinstance(n, int) else self.params[n[1]]),
            "when": lambda a, b, c: When(self.read(a), self.read(b), self.read(c)),
            "indicator": self._indicator,
            "timeframe": lambda every, x: Timeframe(every, self.read(x)),
            "polars": self._polars,
            "step": self._step,
            "cross": lambda op, x: Cross(op, self.read(x)),
            "of": lambda symbol, x: Of(symbol, self.read(x)),
            "hold": lambda a, b: Hold(self.read(a), self.read(b)),
        }
        if head in special:
            return special[head](*rest)
        if head in _BINARY:
            return Binary(head, self.read(rest[0]), self.read(rest[1]))
        if head in _UNARY:
            return Unary(head, self.read(rest[0]))
        if head in ("log", "exp"):
            return HostFunction(head, self.read(rest[0]))
        raise StrategyError(
            "unknown expression in a recorded strategy", seen=str(head), hint="made by a newer version?"
        )

    def _numbers(self, keys: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(self.read(k) for k in keys)

    def _indicator(self, name: str, inputs: Sequence[Any], params: Sequence[Any], output: str) -> Expr:
        from grn.quant.strategy.indicators import build

        found = build(name, self._numbers(inputs), self._numbers(params))
        return next(x for x in found if x.output == output)

    def _polars(self, serialized: str) -> Expr:
        import io

        import polars as pl

        return PolarsColumn(pl.Expr.deserialize(io.StringIO(serialized), format="json"))

    def _step(self, source: str, state: int, inputs: Sequence[Any], params: Sequence[Any]) -> Expr:
        found = self.steps.get((source, state))
        if found is None:
            found = self.steps[source, state] = Step.from_source(
                source, state, jit=source not in self.interpreted
            )
        return StepCall(found, self._numbers(inputs), self._numbers(params))
