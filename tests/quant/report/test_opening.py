from __future__ import annotations

import dataclasses
from typing import Literal

import polars as pl
import pytest

from grn.quant.report.subject import Subject
from grn.quant.report.verdict import FEW_TRADES, decision, evidence, headline
from grn.quant.result import SweepResult
from grn.quant.validation import Validation


def decided(validation: Validation, decision: Literal["pass", "weak", "reject"]) -> Validation:
    return dataclasses.replace(validation, verdict=dataclasses.replace(validation.verdict, decision=decision))


@pytest.mark.parametrize(
    ("decision", "end"),
    [
        ("pass", "; luck is an unlikely explanation."),
        ("weak", "; it may be luck, the data does not settle it."),
        ("reject", "; it cannot be told from luck."),
    ],
)
def test_headline_ends_with_the_verdict(
    result: SweepResult,
    validation: Validation,
    decision: Literal["pass", "weak", "reject"],
    end: str,
) -> None:
    """A tempting return never stands alone: the same sentence says what the verdict on it is."""
    said = headline(Subject(result, validation.row, decided(validation, decision)))
    assert said.endswith(end)


def test_headline_of_another_row_does_not_borrow_the_verdict(
    result: SweepResult, validation: Validation
) -> None:
    """A pass of the winner is none of another row; a reject of the winner holds for all."""
    row = (validation.row + 1) % len(result)
    assert headline(Subject(result, row, decided(validation, "pass"))).endswith("another row, the winner.")
    assert headline(Subject(result, row, decided(validation, "reject"))).endswith(
        "not even the winner of the sweep can be told from luck."
    )
    assert headline(Subject(result, row)).endswith("was not judged.")


def test_few_trades_are_said_beside_the_verdict(result: SweepResult, validation: Validation) -> None:
    """Fewer than 30 trades of the winner stand in the headline and in the decision, 30 or more in neither."""
    one = Subject(result, validation.row, validation)
    n = len(one.trades)
    assert 1 < n < FEW_TRADES
    assert f" from only {n} trades where" in headline(one)
    assert f">From only {n} trades.</p>" in decision(one, validation)
    other = Subject(result, (validation.row + 1) % len(result), validation)
    assert f">From only {n} trades.</p>" in decision(other, validation)
    many = dataclasses.replace(one)
    many.__dict__["trades"] = pl.concat([one.trades] * 30).head(FEW_TRADES)
    assert "only" not in headline(many)
    assert "From only" not in decision(many, validation)


def test_numbers_of_the_verdict_are_grouped(validation: Validation) -> None:
    """Thousands are separated, and thousands of years have no tenths."""
    verdict = dataclasses.replace(validation.verdict, years_held=97.96, years_needed=13085.04, counted=12345)
    said = dict(evidence(dataclasses.replace(validation, verdict=verdict)))
    assert (said["Years held"], said["Years needed"], said["Trials counted"]) == ("98.0", "13,085", "12,345")
