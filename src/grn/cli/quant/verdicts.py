"""Replays and verdicts with progress on the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.quant.result import SweepResult
    from grn.quant.validate.validation import Validation


def judge_with_progress(
    result: SweepResult, *, shuffles: int = 50, block: int = 20, seed: int = 0
) -> Validation:
    """Judge a sweep's winner; shuffled sweeps are counted on a terminal's stderr."""
    from grn.kit.progress import Progress
    from grn.quant.judge import validate

    with Progress("shuffled sweeps", shuffles, unit="sweeps") as progress:
        return validate(
            result, shuffles=shuffles, block=block, seed=seed, progress=lambda _: progress.advance(1)
        )


def recall(run: str) -> SweepResult:
    """Replay a recorded run from the node's ledger; a difference from the record is said on stderr."""
    from grn.kit.config import load_settings
    from grn.kit.paths import ledger_dir
    from grn.ledger import Ledger
    from grn.quant.replay import replay

    if not Ledger.exists(ledger_dir()):
        raise UsageError(
            "there is no ledger yet", seen=str(ledger_dir()), hint="name its home: grn --home DIR quant ..."
        )
    with Ledger.open(ledger_dir()) as ledger:
        again = replay(ledger, run, memory_gib=load_settings().memory_gib)
    if not again.same:
        changes = ", ".join(f"{k} {then} -> {now}" for k, (then, now) in again.changed.items()) or "none"
        click.echo(
            f"warning: the numbers differ from the recorded ones; changed versions: {changes}",
            file=sys.stderr,
        )
    return again.result
