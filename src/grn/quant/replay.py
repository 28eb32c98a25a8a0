"""Replay: a recorded run computed again from the ledger alone, and held against what it gave then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from grn.kit.errors import LedgerError, UsageError
from grn.kit.versions import versions
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import check_price, compute
from grn.quant.engine.choose import choose_engine
from grn.quant.engine.grid import Grid, Lattice, build_grid, pin_grid
from grn.quant.metrics.registry import parse_metrics
from grn.quant.result import SweepResult
from grn.quant.strategy.plain import from_plain
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import AnyStrategy
from grn.quant.stream.chunks import Chunks
from grn.quant.stream.folder import hash_parts


@dataclass(frozen=True)
class Replay:
    """A run computed again.

    Attributes
    ----------
    result
        As the run returned it, with the trials counted at the run's own watermark.
    same
        Whether the frame has the bytes that were recorded.
    changed
        Versions that differ from the recorded ones: name -> (then, now).
    """

    result: SweepResult
    same: bool
    changed: Mapping[str, tuple[object, object]]


def replay(ledger: Ledger, run: str, *, threads: int | None = None, memory_gib: float = 24.0) -> Replay:
    """Compute a recorded sweep or backtest again, from its recorded data.

    Parameters
    ----------
    ledger
        Where it is recorded.
    run
        Run id or a unique beginning of one.

    Raises
    ------
    UsageError
        There is no such run, or it is no sweep or backtest.
    LedgerError
        The run did not finish, or its data is damaged.
    """
    entry = ledger.show(run)
    inputs: Mapping[str, Any] = entry.inputs
    if "strategy" not in inputs:
        raise UsageError(
            f"run {entry.run} is no sweep or backtest", seen=entry.command, hint="`grn ledger` lists all runs"
        )
    if entry.outcome is None or entry.outcome.exit_code != 0:
        raise LedgerError(f"run {entry.run} did not finish: there is nothing to replay", hint="run it again")
    strategy = from_plain(inputs["strategy"])
    rules = Rules.from_canonical(inputs["rules"])
    asked: Mapping[str, Any] = inputs["grid"]
    pinned = asked.get("pinned")
    if "search" in asked:
        grid = _recall_grid(ledger, strategy, str(entry.outcome.outputs["settings"]))
    else:
        grid = build_grid(strategy, memory_gib) if pinned is None else pin_grid(strategy, pinned)
    bars = record.recall_bars(ledger, inputs)
    metrics = parse_metrics(inputs["metrics"])
    check_price(strategy, rules, len(grid), bars, metrics, memory_gib, "memory budget")
    ppy = float(inputs["periods_per_year"])
    result = compute(strategy, bars, grid, rules, metrics, choose_engine(strategy), ppy=ppy, threads=threads)
    watermark = entry.outcome.watermark
    trials = ledger.count_trials(record.data_ids(strategy, bars), watermark=watermark)
    now = versions()
    changed = {k: (v, now.get(k)) for k, v in sorted(entry.versions.items()) if now.get(k) != v}
    found = result.frame_sha256 if "chunk" not in asked else _hash_chunks(result, int(asked["chunk"]))
    same = found == entry.outcome.outputs.get("frame_sha256")
    named = result.named(run=entry.run, result_key=entry.outcome.result_key or "", trials=trials)
    if "search" in asked:
        found_by = {k: entry.outcome.outputs[k] for k in ("tried", "rounds")}
        named = named.found_by({**asked["search"], **found_by})
    return Replay(named, same, changed)


def _recall_grid(ledger: Ledger, strategy: AnyStrategy, digest: str) -> Grid:
    """The combinations that a search ran on all bars: what picked them is not asked again."""
    values = np.frombuffer(ledger.get_blob(digest), dtype="<f8").astype(np.float64)
    return Grid(strategy.params, values.reshape(-1, len(strategy.params)))


def _hash_chunks(result: SweepResult, size: int) -> str:
    """Hash of a streamed sweep's numbers, from all of them at once."""
    spans = Chunks(Lattice.of(result.strategy), size).spans()
    return hash_parts(result.between(i, j).frame_sha256 if j > i else "" for i, j in spans)
