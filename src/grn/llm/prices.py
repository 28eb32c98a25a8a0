"""What tokens cost: rates per class, tiers by prompt length, and the exact sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from grn.llm.usage import Usage


@dataclass(frozen=True)
class Rates:
    """Picodollars per token, for each class of tokens."""

    input: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    output: int

    def cost_pusd(self, usage: Usage) -> int:
        """Multiply and add; no rounding anywhere."""
        return (
            self.input * usage.input
            + self.cache_write_5m * usage.cache_write_5m
            + self.cache_write_1h * usage.cache_write_1h
            + self.cache_read * usage.cache_read
            + self.output * usage.output
        )

    @property
    def dearest_input(self) -> int:
        """What a prompt token can cost at most."""
        return max(self.input, self.cache_write_5m, self.cache_write_1h, self.cache_read)


FREE = Rates(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Price:
    """What a model costs on one day, in one kind of processing.

    Attributes
    ----------
    base
        Rates of a short prompt.
    tiers
        ``(over, rates)``, ascending: a prompt of *more* than ``over`` tokens is billed at those rates, every
        token of it and of the answer.
    source
        Where the rates come from: package and version.
    """

    base: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()
    source: str = ""

    def rates(self, prompt_tokens: int) -> tuple[int, Rates]:
        """Find the tier of a prompt: the threshold that it passes (0 for none) and the rates."""
        found = (0, self.base)
        for over, rates in self.tiers:
            if prompt_tokens > over:
                found = (over, rates)
        return found

    def cost_pusd(self, usage: Usage) -> int:
        """Bill a usage, exactly."""
        return self.rates(usage.prompt)[1].cost_pusd(usage)

    def bound_pusd(self, prompt_tokens: int, output_tokens: int) -> int:
        """Bound the cost of a call from above: the dearest class of every tier that it may reach."""
        reachable = [self.base, *(rates for over, rates in self.tiers if prompt_tokens > over)]
        return max(rates.dearest_input * prompt_tokens + rates.output * output_tokens for rates in reachable)

    def plain(self) -> dict[str, object]:
        """Give it as data, for the ledger's snapshot and for tapes."""
        return {
            "base": asdict(self.base),
            "tiers": [{"over": over, **asdict(rates)} for over, rates in self.tiers],
            "source": self.source,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> Price:
        """Read back what :meth:`plain` gave.

        Raises
        ------
        ValueError
            It is no price.
        """
        tiers = plain.get("tiers")
        if not isinstance(tiers, list):
            raise ValueError(f"no tiers: {tiers!r}")
        return cls(
            base=_rates(plain.get("base")),
            tiers=tuple((_int(tier, "over"), _rates(tier)) for tier in tiers),
            source=str(plain.get("source", "")),
        )


def _rates(plain: object) -> Rates:
    return Rates(**{field.name: _int(plain, field.name) for field in fields(Rates)})


def _int(plain: object, name: str) -> int:
    value = plain.get(name) if isinstance(plain, Mapping) else None
    if not isinstance(value, int):
        raise ValueError(f"no {name} in the price {plain!r}")
    return value
