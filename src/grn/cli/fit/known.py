"""What is known of training beyond a model's figures: its own code, traced, and what runs here took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grn.fit.card import Place
    from grn.fit.subject import Subject
    from grn.fit.trained import Ratio
    from grn.fit.training import Job

_GIB = 1 << 30
_LEAST_ERROR = 0.04
"""However alike runs were."""


@dataclass(frozen=True)
class Known:
    """What a prediction by figures is to be multiplied by, its error then, and rows that say why."""

    factor: float
    error: float
    rows: tuple[tuple[str, str], ...]


def know_better(subject: Subject, job: Job, place: Place, *, trace: bool) -> Known:
    """What tracing says, where it was asked for, and what runs of this method on this device took.

    Raises
    ------
    MissingExtraError, UnsupportedError, UsageError
        As :func:`grn.fit.tracing.trace_model`.
    """
    from grn.fit import tracing
    from grn.fit.training import ERROR, predict_memory

    rows: list[tuple[str, str]] = []
    factor, error = 1.0, ERROR
    if trace:
        found = tracing.trace_model(subject.model, job, place, subject.config)
        factor, error = found.device / predict_memory(subject.model, job).device, tracing.ERROR
        peaks = ", ".join(f"{name} {peak / _GIB:.2f}" for name, peak in found.traced.peaks.items())
        rows.append(("traced", f"the model's own step: {peaks} GiB, {factor:.0%} of what its figures give"))
    ratio = recall_ratio_here(place, job)
    if ratio is not None:
        factor, error = factor * ratio.factor, max(_LEAST_ERROR, ratio.spread)
        rows.append(("calibrated", describe(ratio)))
    return Known(factor, error, tuple(rows))


def recall_ratio_here(place: Place, job: Job) -> Ratio | None:
    """What runs took of what was foreseen; ``None`` without any. Looking creates no ledger."""
    from grn.fit.trained import recall_ratio
    from grn.kit.paths import ledger_dir
    from grn.ledger import Ledger

    folder = ledger_dir()
    if not Ledger.exists(folder):
        return None
    with Ledger.open(folder) as book:
        return recall_ratio(book, place.name, job.method + (", mixed" if job.mixed else ""))


def describe(ratio: Ratio) -> str:
    """One line for a person."""
    runs = "run" if ratio.count == 1 else "runs"
    return f"by {ratio.count} {runs} here, which took {ratio.factor:.0%} of what was foreseen"
