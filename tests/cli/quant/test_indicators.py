from __future__ import annotations

from grn.quant.indicators.registry import INDICATORS
from tests.cli.quant.conftest import Grn

FIELDS = ["name", "inputs", "params", "outputs", "summary", "formula", "source", "talib", "differs"]


def test_every_indicator_is_listed(grn: Grn) -> None:
    """One line each, and as JSON with stable fields."""
    done = grn("indicators")
    assert [r[0] for r in done.rows] == ["name", *INDICATORS]
    listed = grn("indicators", "--json").json
    assert [i["name"] for i in listed] == list(INDICATORS)
    assert all(list(i) == FIELDS for i in listed)


def test_one_is_described(grn: Grn) -> None:
    """Formula, source, parameters, and where it differs from TA-Lib."""
    done = grn("indicators", "rsi")
    assert [line.split()[0] for line in done.out.splitlines()[:3]] == FIELDS[:3]
    assert grn("indicators", "rsi", "--json").json["params"]["n"]["default"] == 14


def test_an_unknown_one_has_close_matches(grn: Grn) -> None:
    """A slip of the pen is answered with what was meant."""
    done = grn("indicators", "smaa")
    assert (done.code, done.out) == (2, "")
    assert "sma" in done.err.partition("hint: ")[2]
