"""What was saved, lever by lever, against what the same calls would have cost without it; the whole bill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

from grn.kit.errors import UsageError
from grn.llm.catalogue import Catalogue, Model
from grn.llm.lifecycle import LOCAL
from grn.llm.prices import Price, Rates
from grn.llm.spend import CallRow
from grn.llm.usage import Usage

METHODS = {
    "cache": "every prompt token at the price of input on its day, against what was billed",
    "batch": "the same at the price of single calls on its day",
    "local": "the same tokens asked of {instead}, at its price of input and output",
    "cascade": "the last model of each cascade alone, as noted when it ran",
    "replay": "not known: a replay writes nothing down",
    "squeeze": "not known: which outputs went into a prompt is not written down",
    "pack": "not known: what would have been sent instead is not written down",
}
"""How each lever's counterfactual is computed."""


@dataclass(frozen=True)
class Lever:
    """What one lever has saved.

    Attributes
    ----------
    calls
        On which it acted.
    saved_pusd
        Picodollars, negative where it cost more than it saved; ``None`` is not known.
    method
        How it is computed.
    """

    name: str
    calls: int
    saved_pusd: int | None
    method: str


@dataclass(frozen=True)
class Savings:
    """The bill, and what the levers took off it.

    Attributes
    ----------
    calls, bill_pusd
        Of all calls whose cost is known.
    unpriced
        Calls without a known price.
    levers
        Each with its saving.
    """

    calls: int
    bill_pusd: int
    unpriced: int
    levers: list[Lever]

    @property
    def saved_pusd(self) -> int:
        """What all levers have saved together."""
        return sum(lever.saved_pusd or 0 for lever in self.levers)

    @property
    def without_pusd(self) -> int:
        """What the bill would have been without any."""
        return self.bill_pusd + self.saved_pusd


def savings(
    rows: Iterable[CallRow],
    cascades: Iterable[dict[str, object]],
    catalogue: Callable[[date], Catalogue],
    instead: str,
) -> Savings:
    """Compare every call with what it would have cost without each lever.

    Parameters
    ----------
    rows
        Calls that have ended; those still open are left out.
    cascades
        Lines of the record of cascades.
    catalogue
        Prices of a day.
    instead
        The model that would have been asked where a local one was.

    Raises
    ------
    UsageError
        ``instead`` has no price.
    """
    ended = [row for row in rows if row.how != "open"]
    known = [row for row in ended if row.cost_pusd is not None]
    days: dict[date, Catalogue] = {}

    def model_on(row: CallRow, name: str) -> Model | None:
        day = datetime.fromtimestamp(row.made_ns // 10**9, UTC).date()
        prices = days.setdefault(day, catalogue(day))
        try:
            return prices.find(prices.resolve(name).sent)
        except UsageError:
            return None

    cached = [row for row in known if row.provider != LOCAL and _kept(row.usage)]
    local = [row for row in known if row.provider == LOCAL and row.usage.prompt]
    batches = [row for row in known if row.kind.startswith("batch")]
    asked_local = [(row, model_on(row, instead)) for row in local]
    if any(model is None for _, model in asked_local):
        raise UsageError("no price is known for the model that would have been asked", seen=instead)
    climbed = list(cascades)
    saved: dict[str, tuple[int, int]] = {
        "cache": (len(cached), sum(_cache(row) for row in cached)),
        "batch": (len(batches), sum(_batch(row, model_on(row, row.sent)) for row in batches)),
        "local": (len(local), sum(_plain(model.price, row.usage) for row, model in asked_local if model)),
        "cascade": (
            len(climbed),
            sum(_number(one, "alone_pusd") - _number(one, "cost_pusd") for one in climbed),
        ),
    }
    levers = []
    for name, method in METHODS.items():
        calls = saved[name][0] if name in saved else 0
        pusd = saved[name][1] if name in saved else None
        levers.append(Lever(name, calls, pusd, method.format(instead=instead)))
    bill = sum(row.cost_pusd or 0 for row in known)
    return Savings(len(known), bill, len(ended) - len(known), levers)


def read_cascades(file: Path, since_ns: int = 0) -> list[dict[str, object]]:
    """Read the record of cascades; a line that was not finished is passed over."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and _number(one, "made_ns") >= since_ns:
            found.append(one)
    return found


def _kept(usage: Usage) -> int:
    return usage.cache_read + usage.cache_write_5m + usage.cache_write_1h


def _plain(price: Price, usage: Usage) -> int:
    return price.cost_pusd(Usage(input=usage.prompt, output=usage.output))


def _cache(row: CallRow) -> int:
    rates = _rates(row)
    return rates.cost_pusd(Usage(input=row.usage.prompt, output=row.usage.output)) - rates.cost_pusd(
        row.usage
    )


def _rates(row: CallRow) -> Rates:
    price = Price.from_plain(row.price)
    return dict(price.tiers).get(row.tier_over, price.base)


def _batch(row: CallRow, model: Model | None) -> int:
    """Price a batch's bill as single calls: every class of tokens costs the same multiple there."""
    if model is None:
        return 0
    rates = Price.from_plain(row.price).base
    if row.usage.prompt:
        return model.price.base.cost_pusd(row.usage) - rates.cost_pusd(row.usage)
    # The book keeps the bill of a batch of one's own, and not its tokens.
    times = Fraction(model.price.base.input, rates.input) if rates.input else Fraction(1)
    return int((row.cost_pusd or 0) * (times - 1))


def _number(row: dict[str, object], name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) else 0
