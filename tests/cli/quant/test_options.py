from __future__ import annotations

import pytest

from grn.cli.quant.options import parse_settings, parse_size
from grn.kit.errors import BudgetError, UsageError
from grn.quant.strategy.sizes import AllCash, Fraction, Quantity, Value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x=7", (7,)),
        ("x=7.5", (7.5,)),
        ("x=1e-3", (0.001,)),
        ("x=-2", (-2,)),
        ("x=3,1,2", (3, 1, 2)),
        ("x=1, 2.5", (1, 2.5)),
        ("x=2:5", (2, 3, 4, 5)),
        ("x=2:9:3", (2, 5, 8)),
        ("x=5:5", (5,)),
        ("x=5:4", ()),
        ("x=-3:-1", (-3, -2, -1)),
        ("x=0:1:0.25", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("x=0.5:2.4", (0.5, 1.5)),
        (" x = 2 : 3 ", (2, 3)),
    ],
)
def test_a_setting_is_a_value_a_list_or_a_range(text: str, values: tuple[float, ...]) -> None:
    """Ranges contain their last value when a step lands on it; whole numbers stay whole."""
    (found,) = parse_settings([text]).values()
    assert found == values
    assert [type(v) for v in found] == [type(v) for v in values]


def test_settings_are_found_by_name() -> None:
    """Several -p are several parameters."""
    assert parse_settings(["a=1", "b=2,3"]) == {"a": (1,), "b": (2, 3)}
    assert parse_settings([]) == {}


NONE = ["", "x", "=", "x=", "=1", "x=,", "x=1,", "x=1:", "x=:2", "x=1:2:", "x=1:nan", "x=-inf:1", "x=1:2:0"]
NONE += ["x=1:2:-1", "x=1:2:3:4", "x=one", "x=0x10"]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_setting_is_refused(text: str) -> None:
    """The message shows what was given, the hint the three forms there are."""
    with pytest.raises(UsageError, match="name=value") as caught:
        parse_settings([text])
    assert "fast=10:50:5" in str(caught.value.hint)


def test_a_range_too_long_for_memory_is_priced_before_it_is_listed() -> None:
    """At once, however long it is."""
    for text in ("x=1:1000000000000", "x=0:1:1e-300", "x=-1e300:1e300"):
        with pytest.raises(BudgetError, match="GiB"):
            parse_settings([text])


def test_sizes_by_name() -> None:
    """The four sizes as the command line writes them."""
    assert parse_size("all") == AllCash()
    assert parse_size("fraction:0.5") == Fraction(0.5)
    assert parse_size("quantity:10") == Quantity(10)
    assert parse_size("value:1e3") == Value(1000)
    for text in ("", "all:1", "fraction", "fraction:x", "Fraction:0.5", "10"):
        with pytest.raises(UsageError, match="unknown size"):
            parse_size(text)
