"""``grn fit net:Net``: what training a PyTorch module of one's own takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from grn.cli.fit.known import describe, recall_ratio_here
from grn.cli.output import write_facts, write_json
from grn.kit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from grn.fit.card import Place
    from grn.fit.tracing import ModulePlan
    from grn.fit.trained import Ratio
    from grn.fit.training import Job

_GIB = 1 << 30
_VERDICTS = {
    "here": "fits", "tight": "fits, tightly",
    "changed": "fits with the change above", "cluster": "the cluster",
}  # fmt: skip


def is_module(name: str) -> bool:
    """Whether a name is an import path; names of the table and files come first."""
    from grn.fit.known import find
    from grn.fit.module import names_module

    return names_module(name) and find(name) is None and not Path(name).exists()


def fit_module(
    name: str, job: Job, place: Place, data: Path | None, *, infer: bool, as_json: bool
) -> ExitCode:
    """Trace a module's training step, and say what it takes; returns the exit code."""
    from grn.fit.tracing import plan_module

    if infer:
        raise UsageError("a module of one's own is trained", seen=name, hint="leave out --infer")
    ratio = recall_ratio_here(place, job)
    plan = plan_module(name, job, place, data, factor=1.0 if ratio is None else ratio.factor)
    if as_json:
        write_json({**_headline(plan), "calibration": ratio, "plan": plan})
    else:
        write_facts(
            [("model", f"{name} (traced)"), ("", f"{plan.parameters:,} parameters"), *_facts(plan, ratio)]
        )
    return ExitCode.DONE if plan.verdict.where in ("here", "tight") else ExitCode.NO


def _headline(plan: ModulePlan) -> dict[str, object]:
    found = plan.footprint
    return {
        "source": plan.name,
        "verdict": plan.verdict.where,
        "memory_gib": found.device / _GIB,
        "error_gib": found.error / _GIB,
        "upper_gib": found.upper / _GIB,
        "changes": [change.what for change in plan.changes],
    }


def _facts(plan: ModulePlan, ratio: Ratio | None) -> Iterator[tuple[str, object]]:
    found, traced = plan.footprint, plan.footprint.traced
    yield "weights", _size(traced.weights)
    yield "gradients", _size(traced.gradients)
    yield "optimizer", _size(traced.optimizer)
    yield "working" if traced.moment == "step" else "activations", _size(traced.activations)
    yield (
        "memory",
        f"{_size(found.device)} ± {_size(found.error)}, {_size(found.upper)} at most; "
        f"most at the {traced.moment}",
    )
    if ratio is not None:
        yield "calibrated", describe(ratio)
    yield "largest batch", f"{plan.largest_batch:,}" if plan.largest_batch else "none"
    for change in plan.changes:
        yield "change", f"{change.what} ({change.cost})"
    yield "verdict", f"{_VERDICTS[plan.verdict.where]}: {plan.verdict.reason}"


def _size(n_bytes: float) -> str:
    return f"{n_bytes / _GIB:.2f} GiB" if n_bytes >= _GIB / 10 else f"{n_bytes / (1 << 20):.2f} MiB"
