from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from grn.kit.errors import MissingExtraError, UsageError
from grn.llm import lifecycle, pricelist
from grn.llm.catalogue import Catalogue

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    return pricelist.read_package("as installed")


@pytest.fixture
def catalogue(listed: dict[str, Any]) -> Catalogue:
    return Catalogue(TODAY, listed)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("claude-3-5-sonnet-20241022", "claude-sonnet-4-6"),
        ("gemini-2.0-flash-001", "gemini-3.5-flash"),
        ("voyage-code-2", "voyage-code-4"),
        ("gemini-3.0-pro-exp", "gemini-3.1-pro-preview"),
    ],
)
def test_names_of_the_specification_lead_to_successors(catalogue: Catalogue, asked: str, sent: str) -> None:
    """Never silently: the notice names both, and the successor has a price."""
    resolved = catalogue.resolve(asked)
    assert resolved.sent == sent
    assert resolved.notice is not None
    assert asked in resolved.notice
    assert sent in resolved.notice
    assert catalogue.find(sent).price.base.input > 0


def test_every_successor_is_served_and_priced(catalogue: Catalogue) -> None:
    """No chain of successors ends at a model that is retired today or has no price."""
    for name in lifecycle.ENDS:
        sent = catalogue.resolve(name).sent
        end = lifecycle.ENDS.get(sent)
        assert end is None or end.on is None or end.on > TODAY
        assert catalogue.find(sent).name == sent


def test_a_model_that_ends_soon_is_sent_with_a_word_about_it(catalogue: Catalogue) -> None:
    """Before its day the name is sent as it is; from its day on the successor is."""
    resolved = catalogue.resolve("gemini-2.5-pro")
    assert resolved.sent == "gemini-2.5-pro"
    assert resolved.notice == "gemini-2.5-pro ends on 2026-12-01; its successor is gemini-3.8-flash"
    assert Catalogue(date(2026, 12, 1)).resolve("gemini-2.5-pro").sent == "gemini-3.8-flash"


def test_an_announced_change_of_price_holds_from_its_day(listed: dict[str, Any]) -> None:
    """Gemini 3.8 Flash: introductory prices until 2026-12-31, twice that from then on (price list's note)."""
    before = Catalogue(date(2026, 12, 31), listed).find("gemini-3.8-flash")
    after = Catalogue(date(2027, 1, 1), listed).find("gemini-3.8-flash")
    assert before.next_change == date(2027, 1, 1)
    assert after.price.base.input == 2 * before.price.base.input == 1_500_000


def test_what_a_model_has_besides_its_price(catalogue: Catalogue) -> None:
    """Windows, cache reads per model, an hour's cache writes, batch prices, tiers, shortest cached prefix."""
    haiku = catalogue.find("claude-haiku-5-5")
    assert haiku.window == 1_000_000
    assert [over for over, _ in haiku.price.tiers] == [100_000]
    assert haiku.price.tiers[0][1].input == 5 * haiku.price.base.input
    assert haiku.batch_price is not None
    assert 2 * haiku.batch_price.base.output == haiku.price.base.output
    opus = catalogue.find("claude-opus-5-5")
    assert opus.price.base.cache_read * 20 == opus.price.base.input
    assert opus.price.base.cache_write_1h == 2 * opus.price.base.input
    assert catalogue.find("claude-opus-4-6").least_cached == 4096
    assert catalogue.find("claude-opus-5").least_cached == 512
    assert catalogue.find("claude-haiku-5-5").least_cached is None


def test_a_dated_snapshot_costs_what_its_model_costs(catalogue: Catalogue) -> None:
    """Providers answer with the full name of a snapshot."""
    assert catalogue.find("claude-haiku-4-5-20251001").price == catalogue.find("claude-haiku-4-5").price
    with pytest.raises(UsageError, match="no price"):
        catalogue.find("claude-opus-5-5-5")


def test_an_unknown_model_is_not_asked(catalogue: Catalogue) -> None:
    """What cannot be priced is not sent; the nearest names are in the hint."""
    with pytest.raises(UsageError) as caught:
        catalogue.find("claude-sonet-5-5")
    assert "claude-sonnet-5-5" in (caught.value.hint or "")


def test_a_local_model_needs_no_price_list() -> None:
    """A file on this machine costs nothing, and nothing is read for it."""
    catalogue = Catalogue(TODAY, {"models": {}})
    assert catalogue.find("some/where/model.gguf").price.bound_pusd(10**6, 10**6) == 0
    assert catalogue.find("local").provider == "local"


def test_names_lead_to_providers() -> None:
    """By the full name alone, short names and prefixes expanded before."""
    assert lifecycle.full_name("anthropic/sonnet") == "claude-sonnet-5-5"
    assert lifecycle.full_name("models/x.gguf") == "models/x.gguf"
    found = {name: lifecycle.provider_of(lifecycle.full_name(name)) for name in lifecycle.SHORT_NAMES}
    assert set(found.values()) == {"anthropic", "google", "voyage"}
    assert lifecycle.provider_of("gpt-5") is None


def test_only_what_is_served_is_listed(catalogue: Catalogue) -> None:
    """Retired models have a price, for old bills, and are not offered."""
    names = {model.name for model in catalogue.models()}
    assert "claude-opus-5-5" in names
    assert not {name for name in names if name.startswith(("claude-2", "claude-3", "gemini-1", "gemini-2.0"))}
    assert {model.provider for model in catalogue.models("voyage")} == {"voyage"}


def test_the_price_list_is_kept_per_version(tmp_path: Path) -> None:
    """The second reading comes from the cache folder and is equal; a damaged copy is made anew."""
    first = pricelist.load_pricelist(tmp_path)
    (copy,) = (tmp_path / "llm").iterdir()
    assert pricelist.load_pricelist(tmp_path) == first
    copy.write_text("{")
    assert pricelist.load_pricelist(tmp_path) == first


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing price list is a missing extra."""
    monkeypatch.setattr(pricelist, "package_version", lambda _: None)
    with pytest.raises(MissingExtraError) as caught:
        pricelist.load_pricelist()
    assert "[llm]" in (caught.value.hint or "")
