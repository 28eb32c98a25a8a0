"""The rules of execution: when orders fill, what they cost, how large they are.

Each rule is a small replaceable object.  `docs/concepts/fills.md` states every formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args

from grn.kit.errors import UsageError

Fill = Literal["next_open", "close"]
Direction = Literal["long", "short", "both"]


def _number(name: str, value: object, allowed: Callable[[float], bool], bounds: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number", seen=repr(value))
    if not allowed(value):
        raise UsageError(f"{name} must be {bounds}", seen=f"{value:g}")
    return float(value) + 0.0  # -0.0 becomes 0.0: equal rules have equal bytes


def _share(name: str, value: object) -> float:
    return _number(name, value, lambda x: 0.0 <= x < 1.0, "at least 0 and below 1")


def _positive(name: str, value: object) -> float:
    return _number(name, value, lambda x: x > 0.0, "above 0")


@dataclass(frozen=True)
class Costs:
    """What an order costs.

    Parameters
    ----------
    fee
        Proportional fee, as a fraction of the traded value (0.001 is 0.1 %).
    fixed_fee
        Fee per order in account currency; a reversal is one order.
    slippage
        Fraction by which a buy fills above and a sell below the price.
    """

    fee: float = 0.0
    fixed_fee: float = 0.0
    slippage: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "fee", _share("fee", self.fee))
        fixed = _number("fixed_fee", self.fixed_fee, lambda x: x >= 0.0, "at least 0")
        object.__setattr__(self, "fixed_fee", fixed)
        object.__setattr__(self, "slippage", _share("slippage", self.slippage))


@dataclass(frozen=True)
class AllCash:
    """Spend all cash on an entry, fees included; a short sells what that cash would secure."""

    code: ClassVar[int] = 0

    @property
    def value(self) -> float:
        """Fraction of the cash."""
        return 1.0


@dataclass(frozen=True)
class Fraction:
    """Spend this fraction (0, 1] of the cash on an entry, fees included."""

    value: float
    code: ClassVar[int] = 0

    def __post_init__(self) -> None:
        part = _number("Fraction", self.value, lambda x: 0.0 < x <= 1.0, "above 0 and at most 1")
        object.__setattr__(self, "value", part)


@dataclass(frozen=True)
class Quantity:
    """Trade this many units per entry; a purchase beyond the cash is cut to what the cash pays."""

    value: float
    code: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _positive("Quantity", self.value))


@dataclass(frozen=True)
class Value:
    """Trade this value, in account currency at the fill price, per entry; cut to what the cash pays."""

    value: float
    code: ClassVar[int] = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _positive("Value", self.value))


Size = AllCash | Fraction | Quantity | Value


@dataclass(frozen=True)
class Rules:
    """Everything about execution that is not the strategy itself.

    Parameters
    ----------
    fill
        ``"next_open"`` (a signal of bar t fills at the open of t+1) or ``"close"`` (at the close of t).
    costs
        Fees and slippage.
    size
        How much an entry trades.
    cash
        Initial cash in account currency, for each symbol's own account.
    """

    fill: Fill = "next_open"
    costs: Costs = field(default_factory=Costs)
    size: Size = field(default_factory=AllCash)
    cash: float = 10_000.0

    def __post_init__(self) -> None:
        if self.fill not in get_args(Fill):
            raise UsageError("unknown fill", seen=repr(self.fill), hint='use "next_open" or "close"')
        if not isinstance(self.costs, Costs):
            raise UsageError("costs must be a Costs object", seen=repr(self.costs), hint="Costs(fee=0.001)")
        if not isinstance(self.size, Size):
            raise UsageError(
                "unknown size",
                seen=repr(self.size),
                hint="AllCash(), Fraction(0.5), Quantity(10) or Value(1000)",
            )
        object.__setattr__(self, "cash", _positive("cash", self.cash))

    @property
    def canonical(self) -> dict[str, object]:
        """Plain data for hashes and the ledger; :meth:`from_canonical` restores it."""
        # All cash and the fraction one are the same rule under two names.
        size = AllCash() if self.size == Fraction(1.0) else self.size
        return {
            "fill": self.fill,
            "costs": {f.name: getattr(self.costs, f.name) for f in fields(Costs)},
            "size": [type(size).__name__, size.value],
            "cash": self.cash,
        }

    @classmethod
    def from_canonical(cls, data: Mapping[str, Any]) -> Rules:
        """Restore rules from :attr:`canonical`."""
        kind, value = data["size"]
        makers: dict[str, Callable[[float], Size]] = {
            "AllCash": lambda _: AllCash(), "Fraction": Fraction, "Quantity": Quantity, "Value": Value,
        }  # fmt: skip
        return cls(data["fill"], Costs(**data["costs"]), makers[kind](value), data["cash"])
