"""Which steps a film may show: those that are proved or assumed, as they were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grn.kit.errors import UsageError
from grn.maths.check import Checked, Step
from grn.maths.film.storyboard import Storyboard
from grn.maths.film.typeset import typeset
from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.reader.words import declare
from grn.maths.symbols import Symbols


@dataclass(frozen=True, slots=True)
class Equation:
    """A step as it is shown.

    Attributes
    ----------
    typst
        Printed from the tree that was checked.
    caption
        Its number and verdict.
    """

    step: Step
    typst: str
    caption: str


def equations_of(storyboard: Storyboard, checked: Checked) -> Mapping[int, Equation]:
    """The equations that a storyboard asks for, by step.

    Raises
    ------
    UsageError
        A step is not there, is not proved or assumed, or is said in words. All such steps are named.
    """
    symbols = Symbols()
    asked = {item.step for panel in storyboard.panels for item in panel.items if item.step is not None}
    found: dict[int, Equation] = {}
    for step in checked.steps:
        kind = step.verdict.kind
        try:
            if kind == "assumed":
                declare(step.formula.latex, symbols)
            if step.number in asked and kind in ("proved", "assumed"):
                typst = typeset(read_line(step.formula.latex, symbols.copy()))
                found[step.number] = Equation(step, typst, _caption(step))
        except UnparsedError:
            continue  # words, such as "A invertible"
    refused = sorted(asked - found.keys())
    if refused:
        raise UsageError(
            "steps that are not proved or assumed are not shown",
            seen="; ".join(_why(number, checked) for number in refused),
            hint=f"grn maths check {storyboard.document} shows every step",
        )
    return found


def _caption(step: Step) -> str:
    verdict = step.verdict
    defined = "definition" in verdict.rule or ":=" in step.formula.latex
    assumed = "definition" if defined else "assumed"
    return f"step {step.number}: " + (f"proved by {verdict.rule}" if verdict.kind == "proved" else assumed)


def _why(number: int, checked: Checked) -> str:
    steps = [step for step in checked.steps if step.number == number]
    if not steps:
        return f"step {number} of {len(checked.steps)} is not there"
    kind = steps[0].verdict.kind
    shown = steps[0].printed or steps[0].formula.latex
    return f"step {number} ({shown}) is {'said in words' if kind == 'assumed' else kind}"
