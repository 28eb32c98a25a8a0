from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import UsageError
from grn.llm.money import PICO, parse_usd, per_token_pusd, usd_short, usd_text


@pytest.mark.parametrize(
    ("usd_per_mtok", "pusd"),
    [
        ("3", 3_000_000),
        ("0.30", 300_000),
        ("0.00625", 6_250),
        ("0.000001", 1),
        ("0", 0),
        ("18.75", 18_750_000),
    ],
)
def test_a_price_becomes_whole_picodollars(usd_per_mtok: str, pusd: int) -> None:
    """A dollar per million tokens is a million picodollars per token."""
    assert per_token_pusd(Decimal(usd_per_mtok)) == pusd


@pytest.mark.parametrize("price", ["0.0000001", "-1", "NaN", "Infinity"])
def test_a_price_that_would_be_rounded_is_refused(price: str) -> None:
    """Nothing is rounded on the way in: such a price needs a finer unit, not a wrong sum."""
    with pytest.raises(ValueError, match=r"picodollars|finite"):
        per_token_pusd(Decimal(price))


@given(st.integers(0, 10**18))
def test_an_amount_is_written_exactly(pusd: int) -> None:
    """What is written reads back as the same amount."""
    assert parse_usd(usd_text(pusd).replace(",", "")) == pusd


def test_amounts_as_people_write_them() -> None:
    """Two decimals at least, no more than needed; the specification's two caps are exact."""
    assert usd_text(54_399_000_000) == "$0.054399"
    assert usd_text(20 * PICO) == "$20.00"
    assert usd_text(-1_500 * PICO) == "-$1,500.00"
    assert parse_usd("19.99") == 19_990_000_000_000
    assert parse_usd(" $0.05") == 50_000_000_000


def test_short_amounts_round_half_up() -> None:
    """A table shows cents from a dollar up, and six decimals below."""
    assert usd_short(1_005_000_000_000) == "$1.01"
    assert usd_short(54_399_500_000) == "$0.054400"
    assert usd_short(0) == "$0.000000"


@pytest.mark.parametrize("text", ["", "five", "-1", "NaN", "1e400", "0.0000000000001"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """With the text that was seen."""
    with pytest.raises(UsageError, match="no amount"):
        parse_usd(text)
