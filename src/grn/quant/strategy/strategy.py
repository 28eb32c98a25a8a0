"""A strategy: four conditions, a direction, and which parameter combinations make sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from grn.kit.errors import StrategyError
from grn.quant.strategy.cross import crossing
from grn.quant.strategy.expr import DAY, Column, Const, Expr, Param, condition, lift
from grn.quant.strategy.leaves import PolarsColumn
from grn.quant.strategy.orders import (
    EntryOrder,
    Limit,
    Stop,
    StopEntry,
    TimeStop,
    check_known,
    check_stops,
)
from grn.quant.strategy.rules import Direction, Rules
from grn.quant.strategy.tree import find_params, nodes

NEVER = Const(False)


def is_never(condition: Expr) -> bool:
    """Whether a condition is the constant false: the side it stands for is absent."""
    return condition.key == NEVER.key


@dataclass(frozen=True, eq=False)
class Strategy:
    """When to enter and when to leave.

    Parameters
    ----------
    entry, exit
        Conditions (or numbers: non-zero is true).  With ``direction="short"`` they open and close shorts.
        With ``direction="both"`` and no short conditions of its own, `exit` turns a long into a short and
        `entry` turns it back.
    short_entry, short_exit
        Conditions of the short side (``direction="both"``).
    direction
        ``"long"``, ``"short"`` or ``"both"``; by default "both" when a short condition is given.
    where
        Condition between parameters, such as ``fast < slow``; combinations that fail it are not run.
    name
        Shown in reports.
    stops
        Stops and targets of a position: `StopLoss`, `TakeProfit`, `TrailingStop`, `TimeStop`.
    entry_order
        How an entry is made: `Limit` or `StopEntry`; None: at the market.
    scale
        Number that the size of an entry is multiplied with.

    An entry and an exit of the same side on one bar cancel each other, and so do a long and a short
    entry; an entry in the direction already held does nothing.
    """

    entry: Expr
    exit: Expr
    short_entry: Expr | None = None
    short_exit: Expr | None = None
    direction: Direction | None = None
    where: Expr | None = None
    name: str = "strategy"
    stops: Sequence[Stop] = ()
    entry_order: EntryOrder | None = None
    scale: Expr | None = None

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        has_short = self.short_entry is not None or self.short_exit is not None
        if self.direction is None:
            set_(self, "direction", "both" if has_short else "long")
        if self.direction not in get_args(Direction):
            raise StrategyError(
                "unknown direction", seen=repr(self.direction), hint='use "long", "short" or "both"'
            )
        if has_short and self.direction != "both":
            raise StrategyError(
                f"short conditions beside direction={self.direction!r}",
                seen=str(self.short_entry if self.short_entry is not None else self.short_exit),
                hint='with direction="short", `entry` and `exit` open and close the shorts',
            )
        for name in ("entry", "exit", "short_entry", "short_exit"):
            given = getattr(self, name)
            if given is not None or name in ("entry", "exit"):
                set_(self, name, condition(given))
        if self.where is not None:
            set_(self, "where", condition(self.where))
            for node in nodes(self.where):
                if node.series or type(node).__name__ == "Lag":
                    raise StrategyError("`where` may use parameters only", seen=str(node))
        if self.entry_order is not None and not isinstance(self.entry_order, Limit | StopEntry):
            raise StrategyError(
                "this is no entry order", seen=repr(self.entry_order), hint="Limit(close * 0.99, expires=3)"
            )
        assert self.direction is not None
        set_(self, "stops", check_stops(self.stops, self.entry_order, self.direction))
        if self.scale is not None:
            set_(self, "scale", lift(self.scale))
            if self.scale.kind != "float":
                raise StrategyError("scale must be a number", seen=str(self.scale))
            check_known("scale", self.scale)
        find_params(*self._roots)
        across = crossing(*self.signals, *self.numbers)
        if across:
            raise StrategyError(
                "signals are run one symbol at a time, and this looks across symbols",
                seen=str(across[0]),
                hint="target weights see all symbols: Weights(when(top(x, 5), 0.2, 0.0))",
            )

    @cached_property
    def numbers(self) -> tuple[Expr, ...]:
        """Expressions that entries read: the size's scale, the order's price, the numbers of the stops."""
        found = [] if self.scale is None else [self.scale]
        found += [] if self.entry_order is None else [self.entry_order.value]
        return (*found, *(stop.value for stop in self.stops))

    @property
    def _roots(self) -> tuple[Expr, ...]:
        return (*self.signals, *self.numbers, *(() if self.where is None else (self.where,)))

    @cached_property
    def signals(self) -> tuple[Expr, Expr, Expr, Expr]:
        """Conditions (long entry, long exit, short entry, short exit); `NEVER` where a side is absent."""
        if self.direction == "long":
            return (self.entry, self.exit, NEVER, NEVER)
        if self.direction == "short":
            return (NEVER, NEVER, self.entry, self.exit)
        if self.short_entry is None and self.short_exit is None:
            return (self.entry, NEVER, self.exit, NEVER)
        short_entry = NEVER if self.short_entry is None else self.short_entry
        short_exit = NEVER if self.short_exit is None else self.short_exit
        return (self.entry, self.exit, short_entry, short_exit)

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """Parameters in order of first appearance: in the signals, in stops and orders, in `where`."""
        return find_params(*self._roots)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the strategy's expressions read, sorted."""
        names: set[str] = set()
        for node in nodes(*self.signals, *self.numbers):
            if isinstance(node, Column):
                names.add(node.name)
            elif isinstance(node, PolarsColumn):
                names.update(node.columns)
        return tuple(sorted(names))

    def needs(self, rules: Rules) -> tuple[str, ...]:
        """Columns that a run under these rules reads: the strategy's, the rules', a bar's range for stops."""
        names = {*self.columns, *rules.columns} - {DAY}
        if self.judges_range:
            names |= {"open", "high", "low"}
        return tuple(sorted(names))

    @property
    def judges_range(self) -> bool:
        """Whether what happens inside a bar decides anything: levels, or entries at a price."""
        return self.entry_order is not None or any(not isinstance(s, TimeStop) for s in self.stops)

    @cached_property
    def canonical(self) -> Mapping[str, object]:
        """Identity as plain data: conditions, stops and orders in canonical form, without values."""
        data: dict[str, object] = {"signals": [s.key for s in self.signals]}
        if self.stops:
            data["stops"] = [s.key for s in self.stops]
        if self.entry_order is not None:
            data["entry_order"] = self.entry_order.key
        if self.scale is not None:
            data["scale"] = self.scale.key
        return data

    def __str__(self) -> str:
        parts = [f"entry: {self.entry}", f"exit: {self.exit}"]
        if self.short_entry is not None:
            parts.append(f"short entry: {self.short_entry}")
        if self.short_exit is not None:
            parts.append(f"short exit: {self.short_exit}")
        if self.direction != "long":
            parts.append(f"direction: {self.direction}")
        if self.entry_order is not None:
            parts.append(f"order: {self.entry_order}")
        if self.stops:
            parts.append(f"stops: {', '.join(map(str, self.stops))}")
        if self.scale is not None:
            parts.append(f"scale: {self.scale}")
        if self.where is not None:
            parts.append(f"where: {self.where}")
        return "; ".join(parts)
