"""What an order costs: fees and slippage."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from grn.kit.errors import UsageError
from grn.quant.strategy.bounds import check_amount, check_share

MOST_TIERS = 6


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
    unit_fee
        Fee per unit (share, contract) in account currency.
    minimum_fee
        Smallest fee of a leg in account currency; the fixed fee comes on top.
    tiers
        Proportional fees by slices of the order's value, as pairs of (value from, fee), in place of `fee`:
        ``((0, 0.002), (10_000, 0.001))`` takes 0.2 % of the first 10,000 and 0.1 % of what is above.
    slippage_ticks
        Further slippage, in ticks of the instrument.
    impact
        Further slippage per share of the bar's volume: an order for the fraction *s* of the volume moves its
        own price by ``impact * s``.
    """

    fee: float = 0.0
    fixed_fee: float = 0.0
    slippage: float = 0.0
    unit_fee: float = 0.0
    minimum_fee: float = 0.0
    tiers: tuple[tuple[float, float], ...] = ()
    slippage_ticks: float = 0.0
    impact: float = 0.0

    def __post_init__(self) -> None:
        for name in ("fee", "slippage"):
            object.__setattr__(self, name, check_share(name, getattr(self, name)))
        for name in ("fixed_fee", "unit_fee", "minimum_fee", "slippage_ticks", "impact"):
            object.__setattr__(self, name, check_amount(name, getattr(self, name)))
        object.__setattr__(self, "tiers", self._checked_tiers())

    def _checked_tiers(self) -> tuple[tuple[float, float], ...]:
        try:
            tiers = tuple(
                (check_amount("a tier's start", a), check_share("a tier's fee", b)) for a, b in self.tiers
            )
        except (TypeError, ValueError):
            raise UsageError(
                "tiers are pairs of (value from, fee)",
                seen=repr(self.tiers),
                hint="((0, 0.002), (10_000, 0.001))",
            ) from None
        if not tiers:
            return ()
        if self.fee:
            raise UsageError(
                "a fee and tiers of fees contradict each other",
                seen=f"fee {self.fee:g}, tiers {tiers}",
                hint="give one",
            )
        starts = [start for start, _ in tiers]
        if starts[0] != 0.0 or any(b <= a for a, b in pairwise(starts)):
            raise UsageError("tiers start at 0 and rise", seen=", ".join(f"{s:g}" for s in starts))
        if len(tiers) > MOST_TIERS:
            raise UsageError(f"at most {MOST_TIERS} tiers", seen=str(len(tiers)))
        return tiers
