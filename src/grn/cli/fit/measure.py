"""A model file run on this machine, so that the next prediction knows its processor."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.kit.errors import BudgetError

if TYPE_CHECKING:
    from grn.fit.history import Calibration

PROMPT = "In the spring of that year the price of grain rose and fell with every ship that came in."
TOKENS = 48
ROUNDS = 3
BUSY = 0.5
"""Load of other work, by thread, above which nothing is measured: threads of llama.cpp wait for each other,
and a thread that has to share its core holds up all (two on two cores at a load of 13: not done in ten
minutes)."""


def load_now() -> float:
    """Processes that ran or waited to run in the last minute, on average."""
    return os.getloadavg()[0]


def threads_here() -> int:
    """Threads that a local model computes with."""
    from grn.hw.pin import place_sweep
    from grn.kit.config import load_settings

    return load_settings().threads or place_sweep().threads


def recall_here(processor: str) -> Calibration | None:
    """What measurements on this processor say; ``None`` without any. Looking creates no ledger."""
    from grn.fit.history import calibrate, recall
    from grn.kit.paths import ledger_dir
    from grn.ledger import Ledger

    folder = ledger_dir()
    if not Ledger.exists(folder):
        return None
    with Ledger.open(folder) as book:
        return calibrate(recall(book, processor, threads_here()))


def time_model(path: Path) -> float:
    """Tokens per second that llama.cpp writes, by its own clock: the median of some rounds after a first one.

    Raises
    ------
    MissingExtraError
        ``xllamacpp`` is not installed.
    BudgetError
        The machine is busy: what would be measured is its other work.
    """
    from grn.llm.local.engine import load

    threads, busy = threads_here(), load_now()
    if busy > BUSY * threads:
        raise BudgetError(
            "this machine is busy, and a speed measured now would be its other work's",
            seen=f"load {busy:.1f} on {threads} threads",
            hint="try again when it is idle",
        )
    click.echo(f"measuring {path.name}: {ROUNDS + 1} times {TOKENS} tokens", err=True)
    engine = load(str(path), threads)
    asked = {
        "prompt": PROMPT,
        "max_tokens": TOKENS,
        "temperature": 0.0,
        "ignore_eos": True,
        "cache_prompt": False,
        "stream": False,
    }
    speeds = [
        float(engine.server.handle_completions(dict(asked))["timings"]["predicted_per_second"])
        for _ in range(ROUNDS + 1)
    ]
    return statistics.median(speeds[1:])
