"""A cascade: the cheapest model is asked first, and the next one only when its answer fails a check.

Every model is asked the same, so that what the last one alone would have cost can be told: its bill where it
was asked, else the tokens of the answer that passed at its prices.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import BudgetError, OutputError, UsageError
from grn.kit.files import make_dir
from grn.llm.calls import Caller, Terms
from grn.llm.checks import Check, Verdict
from grn.llm.events import Finished, TextDelta
from grn.llm.money import usd_text
from grn.llm.request import Request
from grn.llm.usage import Usage


@dataclass(frozen=True)
class Step:
    """One model's answer.

    Attributes
    ----------
    model
        As it was asked for.
    reason
        Why the answer ended; ``length`` when it was cut.
    passed, said
        Whether the answer passed, and what the check said; a refusal does not pass.
    usage, cost_pusd
        What it used and cost; from a tape, what it cost when it was recorded.
    """

    model: str
    reason: str
    passed: bool
    said: str
    usage: Usage
    cost_pusd: int


@dataclass(frozen=True)
class Cascade:
    """What came of it.

    Attributes
    ----------
    answer
        Of the last step: the first that passed, or the dearest model's that did not either.
    steps
        In order.
    alone_pusd, alone_known
        What the last model alone would have cost, and whether that is its bill or an estimate.
    """

    answer: str
    steps: tuple[Step, ...]
    alone_pusd: int
    alone_known: bool

    @property
    def passed(self) -> bool:
        """Whether an answer passed."""
        return self.steps[-1].passed

    @property
    def cost_pusd(self) -> int:
        """What all steps cost."""
        return sum(step.cost_pusd for step in self.steps)

    def plain(self) -> dict[str, Any]:
        """Give it as data, without what was asked and answered."""
        return {
            "passed": self.passed,
            "answered": self.steps[-1].model if self.passed else None,
            "steps": [
                {
                    "model": step.model,
                    "reason": step.reason,
                    "passed": step.passed,
                    "usage": step.usage.plain(),
                    "cost_pusd": step.cost_pusd,
                }
                for step in self.steps
            ],
            "cost_pusd": self.cost_pusd,
            "alone_pusd": self.alone_pusd,
            "alone_known": self.alone_known,
        }


def climb(
    caller: Caller, ask: Request, models: Sequence[str], check: Check, terms: Terms | None = None
) -> Cascade:
    """Ask one model after the other until an answer passes.

    Parameters
    ----------
    models
        The cheapest first; the model of `ask` is not used.
    check
        See :mod:`grn.llm.checks`. The same tape and check give the same steps.
    terms
        The most that it may cost is the most that all steps together may.

    Raises
    ------
    UsageError
        No models.
    BudgetError
        The next step may cost more than is left; what the earlier ones cost is in the book.
    """
    terms = terms or Terms()
    if not models:
        raise UsageError("a cascade needs models", hint="--models haiku,sonnet,opus")
    answer = ""
    steps: list[Step] = []
    for model in models:
        asked = replace(ask, model=model)
        events = list(caller.stream(asked, _left(terms, steps)))
        answer = "".join(event.text for event in events if isinstance(event, TextDelta))
        end = next((event for event in events if isinstance(event, Finished)), None)
        reason, usage = (end.reason, end.usage) if end else ("broken off", Usage())
        verdict = _judge(reason, answer, check)
        steps.append(Step(model, reason, verdict.passed, verdict.said, usage, _cost(caller, asked)))
        if verdict.passed:
            break
    if len(steps) == len(models):
        return Cascade(answer, tuple(steps), steps[-1].cost_pusd, True)
    alone = _price(caller, replace(ask, model=steps[-1].model), models[-1], steps[-1].usage)
    return Cascade(answer, tuple(steps), alone, False)


def note(file: Path, found: Cascade, project: str, made_ns: int) -> None:
    """Add a line to the record of cascades: which step answered, and the costs. No word of it is kept.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    make_dir(file.parent)
    line = canonical_json({"made_ns": made_ns, "project": project, **found.plain()}) + b"\n"
    try:
        with file.open("ab", buffering=0) as stream:  # one write: lines of two processes do not mix
            stream.write(line)
            os.fsync(stream.fileno())
    except OSError as error:
        raise OutputError(f"cannot write {file}", seen=error.strerror) from error


def noted(file: Path) -> Iterator[dict[str, Any]]:
    """Read the record of cascades; a line that a killed process left unfinished is passed over."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _judge(reason: str, answer: str, check: Check) -> Verdict:
    if reason not in ("end", "length"):
        return Verdict(False, f"the answer ended by: {reason}")
    return check(answer)


def _left(terms: Terms, steps: Sequence[Step]) -> Terms:
    if terms.max_cost_pusd is None:
        return terms
    spent = sum(step.cost_pusd for step in steps)
    if spent >= terms.max_cost_pusd and steps:
        raise BudgetError(
            "the steps so far have cost what --max-cost allows",
            seen=usd_text(spent),
            hint="a higher --max-cost, or fewer models",
        )
    return replace(terms, max_cost_pusd=terms.max_cost_pusd - spent)


def _cost(caller: Caller, asked: Request) -> int:
    record = caller.recorded(asked)
    return caller.book.calls(limit=1)[0].cost_pusd or 0 if record is None else record.cost_pusd


def _price(caller: Caller, asked: Request, last: str, usage: Usage) -> int:
    """Price tokens as of the day on which they were used, so that a replay tells the same."""
    from grn.llm.catalogue import Catalogue

    record = caller.recorded(asked)
    catalogue = caller.catalogue
    if record is not None:
        catalogue = Catalogue(date.fromisoformat(record.recorded_at[:10]))
    return catalogue.find(catalogue.resolve(last).sent).price.cost_pusd(usage)
