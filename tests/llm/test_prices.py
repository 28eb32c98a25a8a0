"""Every price of the installed list against rational arithmetic, done anew from the package's tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from genai_prices import data_snapshot
from genai_prices.types import TieredPrices

from grn.llm.catalogue import Catalogue
from grn.llm.money import PICO, usd_text
from grn.llm.pricelist import read_package
from grn.llm.prices import Price, Rates
from grn.llm.usage import Usage

DAYS = (date(2026, 3, 1), date(2026, 11, 23), date(2027, 1, 2))
USAGES = (
    Usage(input=1),
    Usage(input=3, cache_write_5m=12_304, output=550),
    Usage(input=7, cache_write_1h=4_099, cache_read=91, output=13, thinking=5),
    Usage(input=99_999, cache_read=1, output=11),
    Usage(input=100_001, output=11, thinking=11),
    Usage(input=1_000, cache_read=199_000, output=777),
    Usage(cache_read=199_001, cache_write_5m=999, cache_write_1h=1, output=777),
    Usage(input=900_000, cache_write_1h=123, output=65_536),
)


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    return read_package("as installed")


def rate(prices: Any, name: str, prompt: int, *otherwise: str) -> Fraction:
    """Read dollars per million tokens from the package's own record, tier by the length of the prompt."""
    for key in (name, *otherwise):
        value = getattr(prices, key)
        if isinstance(value, TieredPrices):
            found = value.base
            for tier in value.tiers:
                if prompt > tier.start:
                    found = tier.price
            return Fraction(found)
        if value is not None:
            return Fraction(value)
    return Fraction(0)


def true_cost_usd(prices: Any, usage: Usage) -> Fraction:
    """Bill a usage with nothing but fractions."""
    at = usage.prompt
    per_mtok = (
        usage.input * rate(prices, "input_mtok", at)
        + usage.cache_write_5m * rate(prices, "cache_write_5m_mtok", at, "cache_write_mtok", "input_mtok")
        + usage.cache_write_1h * rate(prices, "cache_write_1h_mtok", at, "cache_write_mtok", "input_mtok")
        + usage.cache_read * rate(prices, "cache_read_mtok", at, "input_mtok")
        + usage.output * rate(prices, "output_mtok", at)
    )
    return per_mtok / 10**6


def cases() -> Iterator[tuple[str, str, date, bool]]:
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            named = {"anthropic": "claude", "google": "gemini", "voyageai": "voyage"}.get(provider.id)
            if named is None or not model.id.startswith(named):
                continue
            for day in DAYS:
                yield provider.id, model.id, day, False
                if model.price_variants:
                    yield provider.id, model.id, day, True


def test_the_whole_list_is_billed_exactly(listed: dict[str, Any]) -> None:
    """Every model, on three days, standard and batch, with eight usages over all classes and tiers: not one
    picodollar differs from the rational sum, and far more than 300 cases are compared.
    """
    compared = 0
    providers = {provider.id: provider for provider in data_snapshot.get_snapshot().providers}
    for provider, name, day, batch in cases():
        model = next(model for model in providers[provider].models if model.id == name)
        context = {"processing": "batch"} if batch else None
        theirs = model.get_prices(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), context)
        row = listed["models"][name]
        period = [p for p in row["periods"] if p["from"] <= day.isoformat()][-1]
        plain = period["batch" if batch else "standard"]
        if plain is None:
            assert batch or theirs.input_mtok is None
            continue
        price = Price.from_plain(plain)
        for usage in USAGES:
            assert Fraction(price.cost_pusd(usage), PICO) == true_cost_usd(theirs, usage), (name, day, usage)
            assert price.bound_pusd(usage.prompt, usage.output) >= price.cost_pusd(usage)
            compared += 1
    assert compared >= 2_500


def test_the_published_misbilling(listed: dict[str, Any]) -> None:
    """LiteLLM issue 9812: 3 + 12,304 (written to the cache) + 550 tokens of Claude 3.7 Sonnet cost $0.054399.

    That library billed the written tokens twice and said $0.091311; the provider's console said 4.614 + 0.825
    cents.
    """
    model = Catalogue(date(2025, 4, 8), listed).find("claude-3-7-sonnet-20250219")
    usage = Usage(input=3, cache_write_5m=12_304, output=550)
    assert usd_text(model.price.cost_pusd(usage)) == "$0.054399"
    twice = usage.cache_write_5m * model.price.base.input
    assert usd_text(model.price.cost_pusd(usage) + twice) == "$0.091311"


def test_a_tier_changes_the_price_of_the_whole_request() -> None:
    """Exactly at the threshold the base rates hold; one token more, and every token costs more."""
    price = Price(Rates(1, 1, 1, 1, 10), ((100, Rates(5, 5, 5, 5, 50)),))
    assert price.cost_pusd(Usage(input=90, cache_read=10, output=2)) == 120
    assert price.cost_pusd(Usage(input=91, cache_read=10, output=2)) == 605
    assert price.rates(101)[0] == 100


def test_a_price_comes_back_from_data() -> None:
    """The ledger and tapes keep the price of the day, tiers included."""
    price = Price(Rates(1, 2, 3, 4, 5), ((100, Rates(6, 7, 8, 9, 10)),), "a list")
    assert Price.from_plain(price.plain()) == price
    with pytest.raises(ValueError, match="no tiers"):
        Price.from_plain({"base": {}})
    with pytest.raises(ValueError, match="no input"):
        Price.from_plain({"base": {}, "tiers": []})
