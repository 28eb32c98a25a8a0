"""Replays and verdicts with progress on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.ledger import Ledger
    from grn.quant.result import SweepResult
    from grn.quant.validation import Validation


_Command = TypeVar("_Command", bound=Callable[..., object])

_OPTIONS = (
    click.option("--shuffles", type=click.IntRange(min=0), default=50, show_default=True,
                 help="Shuffled data sets to sweep."),
    click.option("--block", type=click.IntRange(min=1), default=20, show_default=True,
                 help="Bars per shuffled block."),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the first shuffle."),
)  # fmt: skip


def shuffle_options(command: _Command) -> _Command:
    """Give a command the options of the shuffled sweeps: `shuffles`, `block`, `seed`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def judge_with_progress(
    result: SweepResult, ledger: Ledger, *, shuffles: int = 50, block: int = 20, seed: int = 0
) -> Validation:
    """Judge a sweep's winner; shuffled sweeps are counted on a terminal's stderr."""
    from grn.kit.progress import Progress
    from grn.quant.judge import validate

    with Progress("shuffled sweeps", shuffles, unit="sweeps") as progress:
        return validate(
            result, shuffles=shuffles, block=block, seed=seed, ledger=ledger,
            progress=lambda _: progress.advance(1),
        )  # fmt: skip


def open_known_ledger() -> Ledger:
    """Open the node's ledger, which has to be there: a wrong home makes no new one."""
    from grn.kit.paths import ledger_dir
    from grn.ledger import Ledger

    if not Ledger.exists(ledger_dir()):
        raise UsageError(
            "there is no ledger yet", seen=str(ledger_dir()), hint="name its home: grn --home DIR quant ..."
        )
    return Ledger.open(ledger_dir())


def recall(run: str, ledger: Ledger) -> SweepResult:
    """Replay a recorded run; a difference from the record is said on stderr."""
    from grn.kit.config import load_settings
    from grn.quant.replay import replay

    again = replay(ledger, run, memory_gib=load_settings().memory_gib)
    if not again.same:
        changes = ", ".join(f"{k} {then} -> {now}" for k, (then, now) in again.changed.items()) or "none"
        click.echo(
            f"warning: the numbers differ from the recorded ones; changed versions: {changes}",
            file=sys.stderr,
        )
    return again.result
