"""How much an entry trades."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from grn.kit.errors import UsageError
from grn.quant.strategy.bounds import check_positive


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
    """Spend this fraction of the cash on an entry, fees included; above 1 only with leverage."""

    value: float
    code: ClassVar[int] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_positive("Fraction", self.value))


@dataclass(frozen=True)
class Quantity:
    """Trade this many units per entry; a purchase beyond the cash is cut to what the cash pays."""

    value: float
    code: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_positive("Quantity", self.value))


@dataclass(frozen=True)
class Value:
    """Trade this value, in account currency at the fill price, per entry; cut to what the cash pays."""

    value: float
    code: ClassVar[int] = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_positive("Value", self.value))


@dataclass(frozen=True)
class EquityFraction:
    """Spend this fraction of the equity (cash and position) on an entry, fees included."""

    value: float
    code: ClassVar[int] = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_positive("EquityFraction", self.value))


@dataclass(frozen=True)
class VolatilityTarget:
    """Spend the fraction of the equity at which the position has this volatility.

    The fraction is ``value / volatility`` and at most `most`, where volatility is the standard deviation
    (ddof 0) of the last `window` returns of the close, times ``sqrt(periods_per_year)``.  No entry is made
    while that is missing or zero.

    Parameters
    ----------
    value
        Wanted volatility per year (0.10 is 10 %).
    window
        returns to measure it on, at least 2.
    most
        Largest fraction of the equity; above 1 only with leverage.
    periods_per_year
        Bars per year.
    """

    value: float
    window: int = 20
    most: float = 1.0
    periods_per_year: float = 252.0
    code: ClassVar[int] = 4

    def __post_init__(self) -> None:
        for name in ("value", "most", "periods_per_year"):
            object.__setattr__(self, name, check_positive(f"VolatilityTarget {name}", getattr(self, name)))
        if type(self.window) is not int or self.window < 2:
            raise UsageError(
                "VolatilityTarget window must be a whole number of at least 2", seen=repr(self.window)
            )


Size = AllCash | Fraction | Quantity | Value | EquityFraction | VolatilityTarget

SIZES: dict[str, Callable[..., Size]] = {
    cls.__name__: cls for cls in (AllCash, Fraction, Quantity, Value, EquityFraction, VolatilityTarget)
}
