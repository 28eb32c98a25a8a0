from __future__ import annotations

import dataclasses
from typing import Literal

import pytest

from grn.quant.report.subject import Subject
from grn.quant.report.verdict import headline
from grn.quant.result import SweepResult
from grn.quant.validate.validation import Validation


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
