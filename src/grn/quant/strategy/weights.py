"""Target weights: one account for all symbols, told what fraction of it each symbol should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from grn.kit.errors import StrategyError, UsageError
from grn.quant.strategy.bounds import check_choice
from grn.quant.strategy.cross import Of, check_frames
from grn.quant.strategy.expr import DAY, Column, Const, Expr, Param, condition, lift
from grn.quant.strategy.leaves import PolarsColumn
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.tree import find_params, nodes

Period = Literal["day", "week", "month", "quarter", "year"]
Order = Literal["sells_first", "largest_first", "by_name"]
CashShort = Literal["in_turn", "pro_rata"]
Scope = Literal["portfolio", "group"]
Reentry = Literal["fresh", "next"]
Setting = Const | Param


def _setting(name: str, value: object, allowed: Callable[[float], bool], bounds: str) -> Setting:
    """A number or a parameter, each of whose values is checked."""
    expr = lift(value)
    if not isinstance(expr, Const | Param) or expr.kind != "float" or isinstance(value, bool):
        raise StrategyError(f"{name} is a number or a parameter", seen=str(value))
    for one in setting_values(expr):
        if not allowed(one):
            raise StrategyError(f"{name} must be {bounds}", seen=f"{one:g}")
    return expr


def setting_values(setting: Setting) -> tuple[float, ...]:
    """Every value that a setting may take."""
    return tuple(map(float, setting.values)) if isinstance(setting, Param) else (float(setting.value),)


def _whole(x: float) -> bool:
    return x >= 1.0 and x == int(x)


@dataclass(frozen=True, eq=False)
class PortfolioStop:
    """Close all positions of the portfolio, or of a group, at a loss.

    It is judged at closes, on the profit of all members together since the first of them was opened, fees
    included, and fills where a rebalance decided on that bar would.

    Parameters
    ----------
    loss
        Loss that closes, as a fraction of the equity just before the first member was opened; a number or
        a parameter.
    scope
        "portfolio", or "group": every group by itself (a pair, with its two legs).
    trail
        Measure the loss from the best close since the opening, as a fraction of the equity at opening and
        that profit.
    reentry
        "fresh": a symbol that was stopped comes back only after a rebalance at which its target was zero or
        on the other side; "next": with the next rebalance.
    """

    loss: Any
    scope: Scope = "portfolio"
    trail: bool = False
    reentry: Reentry = "fresh"

    def __post_init__(self) -> None:
        checked = _setting("loss", self.loss, lambda x: 0.0 < x < 1.0, "above 0 and below 1 (0.05 is 5 %)")
        object.__setattr__(self, "loss", checked)
        check_choice("scope of a portfolio stop", self.scope, Scope)
        check_choice("rule for coming back", self.reentry, Reentry)
        if not isinstance(self.trail, bool):
            raise UsageError("trail must be True or False", seen=repr(self.trail))

    def __str__(self) -> str:
        trail = ", trail=True" if self.trail else ""
        return f"PortfolioStop({self.loss}, scope={self.scope!r}{trail}, reentry={self.reentry!r})"


@dataclass(frozen=True, eq=False)
class Weights:
    """What fraction of one shared account each symbol should be, and when to make it so.

    Parameters
    ----------
    weight
        Target of a symbol as a fraction of the equity, per bar; negative: short.  A missing or infinite
        weight is a target of zero.
    every
        Rebalance on the first bar of each "day", "week" (from Monday), "month", "quarter" or "year" (UTC), or
        every so many bars (a whole number or a parameter); always also on the first bar that can fill.
    most
        Largest number of positions: the largest weights by size are kept, equal ones by name.
    order
        Order of execution: "sells_first" (the largest sale first, the largest purchase last),
        "largest_first" (sales, then purchases, each the largest first), "by_name", or a tuple of all symbols.
    groups
        Names of groups and their symbols; a symbol is in one group at most.
    group_limit
        Largest sum of weights by size in each group, or in the groups named; larger targets are scaled down.
    gross_limit
        Largest sum of all weights by size; larger targets are scaled down, after the groups.
    drift
        A position whose weight is within this of its target is left alone; opening and closing are not.
    cash_short
        Purchases that the cash does not pay are cut "in_turn", or all in proportion ("pro_rata").
    stop
        A :class:`PortfolioStop`, or None.
    where
        Condition between parameters; combinations that fail it are not run.
    name
        Shown in reports, and the name of the account.
    """

    weight: Any
    every: Any = "month"
    most: Any = None
    order: Order | tuple[str, ...] = "sells_first"
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    group_limit: Any = None
    gross_limit: Any = None
    drift: Any = 0.0
    cash_short: CashShort = "in_turn"
    stop: PortfolioStop | None = None
    where: Any = None
    name: str = "portfolio"

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        weight = lift(self.weight)
        if weight.kind != "float":
            raise StrategyError("a weight is a number", seen=str(weight), hint="when(condition, 0.1, 0.0)")
        set_(self, "weight", weight)
        check_frames(weight)
        if not (isinstance(self.every, str) and self.every in get_args(Period)):
            if isinstance(self.every, str):
                raise UsageError(
                    "unknown schedule",
                    seen=repr(self.every),
                    hint="use day, week, month, quarter, year or a number of bars",
                )
            set_(self, "every", _setting("every", self.every, _whole, "a whole number of bars, at least 1"))
        if self.most is not None:
            set_(self, "most", _setting("most", self.most, _whole, "a whole number of at least 1"))
        set_(self, "drift", _setting("drift", self.drift, lambda x: x >= 0.0, "at least 0"))
        if self.gross_limit is not None:
            set_(self, "gross_limit", _setting("gross_limit", self.gross_limit, lambda x: x > 0.0, "above 0"))
        self._check_groups()
        self._check_order()
        if self.stop is not None and not isinstance(self.stop, PortfolioStop):
            raise StrategyError(
                "target weights take a PortfolioStop; stops of single positions belong to signals",
                seen=repr(self.stop),
                hint='PortfolioStop(0.05, scope="group")',
            )
        if self.stop is not None and self.stop.scope == "group" and not self.groups:
            raise UsageError("a stop of groups, and no groups", seen=f"{self.stop}, groups {{}}")
        if self.where is not None:
            set_(self, "where", condition(self.where))
            for node in nodes(self.where):
                if node.series or type(node).__name__ == "Lag":
                    raise StrategyError("`where` may use parameters only", seen=str(node))
        find_params(*self.roots)

    def _check_groups(self) -> None:
        for name, members in self.groups.items():
            if isinstance(members, str) or not len(members):
                raise UsageError("a group is a list of symbols", seen=f"{name}: {members!r}")
        groups = {name: tuple(members) for name, members in self.groups.items()}
        object.__setattr__(self, "groups", groups)
        home: dict[str, str] = {}
        for name, members in groups.items():
            for symbol in members:
                if symbol in home:
                    raise UsageError(f"{symbol!r} is in two groups", seen=f"{home[symbol]!r} and {name!r}")
                home[symbol] = name
        given = self.group_limit
        if given is None:
            limits: dict[str, Setting] = {}
        elif isinstance(given, Mapping):
            unknown = [name for name in given if name not in groups]
            if unknown:
                raise UsageError(
                    f"a limit for the group {unknown[0]!r}, which there is not",
                    seen=", ".join(groups) or "no groups",
                )
            limits = {n: _setting("group_limit", v, lambda x: x > 0.0, "above 0") for n, v in given.items()}
        else:
            if not groups:
                raise UsageError("a limit of groups, and no groups", seen=f"group_limit {given}, groups {{}}")
            one = _setting("group_limit", given, lambda x: x > 0.0, "above 0")
            limits = dict.fromkeys(groups, one)
        object.__setattr__(self, "group_limit", limits)
        if self.gross_limit is not None:
            for name, limit in limits.items():
                if min(setting_values(limit)) > max(setting_values(self.gross_limit)):
                    raise UsageError(
                        f"the limit of group {name!r} is above the limit of all",
                        seen=f"group_limit {limit}, gross_limit {self.gross_limit}",
                    )

    def _check_order(self) -> None:
        if not isinstance(self.order, str):
            object.__setattr__(self, "order", tuple(self.order))
            if len(set(self.order)) != len(self.order):
                raise UsageError("the order of execution names a symbol twice", seen=", ".join(self.order))
        else:
            check_choice("order of execution", self.order, Order)
        check_choice("rule for short cash", self.cash_short, CashShort)
        if self.cash_short == "pro_rata" and self.order not in ("sells_first", "largest_first"):
            raise UsageError(
                "purchases are cut in proportion only after all sales",
                seen=f"cash_short 'pro_rata', order {self.order!r}",
                hint='order="sells_first"',
            )

    @cached_property
    def settings(self) -> Mapping[str, Setting]:
        """The numbers beside the weight, by name; those that are absent are left out."""
        found: dict[str, Setting] = {}
        if not isinstance(self.every, str):
            found["every"] = self.every
        if self.most is not None:
            found["most"] = self.most
        if self.gross_limit is not None:
            found["gross_limit"] = self.gross_limit
        found["drift"] = self.drift
        for name in self.groups:
            if name in self.group_limit:
                found[f"group_limit {name}"] = self.group_limit[name]
        if self.stop is not None:
            found["loss"] = self.stop.loss
        return found

    @property
    def roots(self) -> tuple[Expr, ...]:
        """Every expression in it, in a fixed order."""
        return (self.weight, *self.settings.values(), *(() if self.where is None else (self.where,)))

    @property
    def signals(self) -> tuple[Expr, ...]:
        """The expressions that read bars: the weight."""
        return (self.weight,)

    @property
    def numbers(self) -> tuple[Expr, ...]:
        """Expressions that single entries read: there are none."""
        return ()

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """Parameters in order of first appearance in the weight, the settings, and `where`."""
        return find_params(*self.roots)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the weight reads, sorted."""
        names: set[str] = set()
        for node in nodes(self.weight):
            if isinstance(node, Column):
                names.add(node.name)
            elif isinstance(node, PolarsColumn):
                names.update(node.columns)
        return tuple(sorted(names))

    def needs(self, rules: Rules) -> tuple[str, ...]:
        """Columns that a run with these rules reads, sorted."""
        return tuple(sorted((set(self.columns) - {DAY}) | set(rules.columns)))

    @cached_property
    def canonical(self) -> Mapping[str, object]:
        """Identity as plain data, without the values of parameters."""
        stop = self.stop
        return {
            "weight": self.weight.key,
            "every": self.every if isinstance(self.every, str) else self.every.key,
            "settings": {name: s.key for name, s in self.settings.items()},
            "order": self.order if isinstance(self.order, str) else list(self.order),
            "groups": {name: list(members) for name, members in self.groups.items()},
            "cash_short": self.cash_short,
            "stop": None if stop is None else [stop.scope, stop.trail, stop.reentry],
        }

    def __str__(self) -> str:
        parts = [f"weight: {self.weight}", f"every: {self.every}"]
        apart = ("every", "loss", "drift")
        parts += [f"{name}: {s}" for name, s in self.settings.items() if name not in apart]
        if self.drift.key != ("const", 0.0):
            parts.append(f"drift: {self.drift}")
        if self.stop is not None:
            parts.append(f"stop: {self.stop}")
        if self.where is not None:
            parts.append(f"where: {self.where}")
        return "; ".join(parts)


AnyStrategy = Strategy | Weights
"""What can be run: signals, with an account for each symbol, or target weights, with one for all."""


def check_weights(weights: Weights, rules: Rules, symbols: Sequence[str]) -> None:
    """Refuse what contradicts itself once rules and symbols are known.

    Raises
    ------
    UsageError
        Both values are named.
    """
    default = Rules()
    for name in ("size", "conflicts", "stop_rules", "accumulate"):
        given = getattr(rules, name)
        if given != getattr(default, name):
            raise UsageError(
                f"target weights leave nothing for the rule `{name}` to decide",
                seen=f"{name}={given}, weight {weights.weight}"[:120],
                hint="leave it out, or write the strategy as signals",
            )
    known = set(symbols)
    named = {"groups": [s for g in weights.groups.values() for s in g]}
    named["of(...)"] = [n.symbol for n in nodes(weights.weight) if isinstance(n, Of)]
    if not isinstance(weights.order, str):
        named["order"] = list(weights.order)
        left = sorted(known - set(weights.order))
        if left:
            raise UsageError("the order of execution leaves out symbols", seen=", ".join(left))
    for where, names in named.items():
        for symbol in names:
            if symbol not in known:
                raise UsageError(
                    f"{where} names a symbol that the data does not have",
                    seen=symbol,
                    hint=", ".join(sorted(known)),
                )
    if rules.shortfall == "reject" and weights.cash_short == "pro_rata":
        raise UsageError(
            "what the cash does not pay cannot be both rejected and cut",
            seen="shortfall 'reject', cash_short 'pro_rata'",
        )
    if rules.margin is not None and weights.gross_limit is not None:
        least = min(setting_values(weights.gross_limit))
        if least > rules.leverage:
            raise UsageError(
                "a gross limit above the leverage can never be reached",
                seen=f"gross_limit {least:g}, leverage {rules.leverage:g}",
            )
    if isinstance(weights.weight, Const | Param) and weights.gross_limit is None and not weights.group_limit:
        largest = max(setting_values(weights.weight))
        most = len(known) if weights.most is None else min(len(known), int(max(setting_values(weights.most))))
        if largest * most > rules.leverage * (1.0 + 1e-9):
            raise UsageError(
                "constant weights add up to more than the leverage",
                seen=f"{most} of {largest:g} are {most * largest:g}, leverage {rules.leverage:g}",
                hint=f"a weight of {rules.leverage / most:.4g}, or gross_limit={rules.leverage:g}",
            )
