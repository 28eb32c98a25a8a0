"""Savings against counterfactuals that are computed by hand."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.clock import FixedClock
from grn.kit.errors import UsageError
from grn.llm.catalogue import Catalogue
from grn.llm.savings import METHODS, read_cascades, savings
from grn.llm.spend import Bill, Book, CallRow, Intent
from grn.llm.usage import Usage
from tests.llm.conftest import NOW_NS

CATALOGUE = Catalogue(date(2026, 11, 23))
OPUS = CATALOGUE.find("claude-opus-5-5")


def add(book: Book, usage: Usage, *, kind: str = "complete", model: str = "claude-opus-5-5") -> None:
    found = CATALOGUE.find(model)
    price = found.batch_price if kind == "batch" else found.price
    assert price is not None
    call = book.reserve(Intent(found.provider, model, model, "", kind, 0, price), over_budget=True)
    cost = price.cost_pusd(usage)
    # A batch of one's own is settled before its tokens are known, and corrected to its bill.
    book.settle(call, Bill("reported", cost, model, usage=Usage() if kind == "batch" else usage))


def test_every_lever_by_hand(tmp_path: Path) -> None:
    """Opus 5.5 at 4, 5, 8, 0.20 and 20 dollars per million tokens, half in batches; Haiku at 0.10, 0.50."""
    with Book.open(tmp_path, FixedClock(NOW_NS)) as book:
        add(book, Usage(input=100, cache_write_5m=1000, cache_write_1h=2000, cache_read=50_000, output=10))
        add(book, Usage(input=1000, output=100))
        add(book, Usage(input=1000, output=100), kind="batch")
        add(book, Usage(input=3000, output=200), model="local")
        rows = book.calls()
    cascades = [{"alone_pusd": 500, "cost_pusd": 120}, {"alone_pusd": 10, "cost_pusd": 30}]
    found = savings(rows, cascades, lambda _: CATALOGUE, "haiku")
    saved = {lever.name: (lever.calls, lever.saved_pusd) for lever in found.levers}
    million = 10**6
    assert saved["cache"] == (1, (-1000 * 1 - 2000 * 4) * million + 50_000 * 3_800_000)
    assert saved["batch"] == (1, (1000 * 2 + 100 * 10) * million)
    assert saved["local"] == (1, 3000 * 100_000 + 200 * 500_000)
    assert saved["cascade"] == (2, 360)
    assert {name for name, (_, pusd) in saved.items() if pusd is None} == {"replay", "squeeze", "pack"}
    assert (found.calls, found.unpriced) == (4, 0)
    assert found.without_pusd == found.bill_pusd + found.saved_pusd
    assert [lever.name for lever in found.levers] == list(METHODS)


_COUNT = st.integers(0, 300_000)


@given(st.lists(st.builds(Usage, _COUNT, _COUNT, _COUNT, _COUNT, _COUNT), max_size=4))
def test_without_the_cache_every_token_is_input(usages: list[Usage]) -> None:
    """The bill and what the cache saved are the bill of a world without one, in the tier of each prompt."""
    haiku = CATALOGUE.find("claude-haiku-5-5")
    rows = [_row(usage) for usage in usages]
    found = savings(rows, [], lambda _: CATALOGUE, "haiku")
    plain = sum(haiku.price.cost_pusd(Usage(input=one.prompt, output=one.output)) for one in usages)
    assert found.without_pusd == plain


def _row(usage: Usage) -> CallRow:
    haiku = CATALOGUE.find("claude-haiku-5-5")
    tier, rates = haiku.price.rates(usage.prompt)
    return CallRow(
        call="c",
        made_ns=NOW_NS,
        month="2026-11",
        provider="anthropic",
        asked="haiku",
        sent=haiku.name,
        served=haiku.name,
        project="",
        kind="complete",
        how="reported",
        reserved_pusd=0,
        cost_pusd=rates.cost_pusd(usage),
        usage=usage,
        tier_over=tier,
        attempts=1,
        request_id=None,
        first_ms=None,
        total_ms=None,
        tape=None,
        note=None,
        price=haiku.price.plain(),
    )


def test_what_cannot_be_priced(tmp_path: Path) -> None:
    """No price for the model asked instead is an error; a damaged line of the record is passed over."""
    with Book.open(tmp_path, FixedClock(NOW_NS)) as book:
        add(book, Usage(input=1), model="local")
        with pytest.raises(UsageError):
            savings(book.calls(), [], lambda _: CATALOGUE, "claude-unheard-of")
    file = tmp_path / "cascades.jsonl"
    assert read_cascades(file) == []
    file.write_text(json.dumps({"made_ns": 5, "alone_pusd": 1}) + '\n[]\n{"made_ns": 9}\n{"made')
    assert [one["made_ns"] for one in read_cascades(file, 6)] == [9]
