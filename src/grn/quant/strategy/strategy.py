"""A strategy: four conditions, a direction, and which parameter combinations make sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import DAY, Column, Const, Expr, Param, condition
from grn.quant.strategy.leaves import PolarsColumn
from grn.quant.strategy.rules import Direction
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
        find_params(*self._roots)

    @property
    def _roots(self) -> tuple[Expr, ...]:
        return (*self.signals, *(() if self.where is None else (self.where,)))

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
        """Parameters in order of first appearance in the signals, then in `where`."""
        return find_params(*self._roots)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the signals read, sorted."""
        names: set[str] = set()
        for node in nodes(*self.signals):
            if isinstance(node, Column):
                names.add(node.name)
            elif isinstance(node, PolarsColumn):
                names.update(node.columns)
        return tuple(sorted(names))

    def needs(self, fill: str) -> tuple[str, ...]:
        """Columns that a run with this fill reads: the signals' own, `close`, and `open` to fill at it."""
        base = {"close"} | ({"open"} if fill == "next_open" else set())
        return tuple(sorted((set(self.columns) - {DAY}) | base))

    @cached_property
    def canonical(self) -> Mapping[str, object]:
        """Identity as plain data: the four conditions in canonical form, without parameter values."""
        return {"signals": [s.key for s in self.signals]}

    def __str__(self) -> str:
        parts = [f"entry: {self.entry}", f"exit: {self.exit}"]
        if self.short_entry is not None:
            parts.append(f"short entry: {self.short_entry}")
        if self.short_exit is not None:
            parts.append(f"short exit: {self.short_exit}")
        if self.direction != "long":
            parts.append(f"direction: {self.direction}")
        if self.where is not None:
            parts.append(f"where: {self.where}")
        return "; ".join(parts)
