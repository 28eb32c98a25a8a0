"""A run's entry in the ledger: trial keys, the result key, and what it takes to run it again."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from grn.kit.canonical import canonical_json
from grn.kit.errors import ExitCode, GrnError, LedgerError
from grn.kit.files import sha256_hex
from grn.kit.versions import versions
from grn.ledger import Ledger, TrialCount
from grn.ledger.markets import DataSet, History
from grn.ledger.sketch import Sketch, draw_sketch
from grn.quant.engine.plan import Grid
from grn.quant.result import SweepResult
from grn.quant.schema import Bars
from grn.quant.strategy.plain import to_plain
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import AnyStrategy, Weights

Keys = npt.NDArray[np.uint64]

_SKETCHES: Final[WeakKeyDictionary[Bars, Sketch]] = WeakKeyDictionary()
"""Of bars that are at hand: another ledger, or a ledger made anew, need not draw them again."""


def data_ids(strategy: AnyStrategy, bars: Sequence[Bars]) -> list[str]:
    """What trials are counted on: the identity of each symbol's bars, or one of all together."""
    return _ids(bars, together=isinstance(strategy, Weights))


def _ids(bars: Sequence[Bars], *, together: bool) -> list[str]:
    if together:
        return [sha256_hex(b"grn.panel.1", *sorted(b.identity.encode() for b in bars))]
    return [b.identity for b in bars]


def data_sets(strategy: AnyStrategy, bars: Sequence[Bars]) -> list[DataSet]:
    """What the data that trials are counted on look like, in the order of `data_ids`."""
    return _draw(bars, together=isinstance(strategy, Weights))


def _draw(bars: Sequence[Bars], *, together: bool) -> list[DataSet]:
    drawn = []
    for b in bars:
        history = History(b.identity, b.symbol, len(b), int(b.ts_ns[0]), int(b.ts_ns[-1]))
        if b not in _SKETCHES:
            _SKETCHES[b] = draw_sketch(b.ts_ns, b.column("close"))
        drawn.append((history, _SKETCHES[b]))
    parts = [drawn] if together else [[one] for one in drawn]
    ids = _ids(bars, together=together)
    return [DataSet(name, tuple(part)) for name, part in zip(ids, parts, strict=True)]


def unknown_data(book: Ledger, strategy: AnyStrategy, bars: Sequence[Bars]) -> list[DataSet]:
    """What a run's data look like, if the ledger does not know; first come those of older releases."""
    for run in book.unsketched():
        _enter_older(book, run)
    known = all(book.knows_data(name) for name in data_ids(strategy, bars))
    return [] if known else data_sets(strategy, bars)


def _enter_older(book: Ledger, run: str) -> None:
    """The same for a run of a release that did not: from the data that it recorded."""
    inputs: Mapping[str, Any] = book.show(run).inputs
    if "strategy" in inputs and "data" in inputs:
        # What cannot be read any more, or was written down in another way, is counted by its identity alone,
        # as it was before.
        with contextlib.suppress(GrnError, KeyError, TypeError):
            bars = recall_bars(book, inputs)
            book.enter_data(_draw(bars, together="weights" in inputs["strategy"]))
    book.sketched(run)


def data_digests(strategy: AnyStrategy, bars: Sequence[Bars], columns: Sequence[str]) -> list[str]:
    """What a trial read of each account's data; target weights know their symbols by name."""
    if isinstance(strategy, Weights):
        named = sorted((b.symbol, b.digest(columns)) for b in bars)
        return [sha256_hex(canonical_json(named))]
    return [b.digest(columns) for b in bars]


def trial_keys(strategy: AnyStrategy, grid: Grid, rules: Rules, data: str) -> Keys:
    """One 64-bit key per combination: uint64 [C].

    A trial is one strategy at one parameter setting under one set of rules on what it reads of the data
    (`data`: the digest of those columns, so that another score under an old name is another trial).  Versions
    are no part of it: upgrading does not make old trials new.  64 bits lose a trial to a collision with
    probability about n^2 / 2^65, 3 in 100 million for a million trials.
    """
    base = canonical_json({"strategy": strategy.canonical, "rules": rules.canonical, "data": data})
    state = np.full(len(grid), int(sha256_hex(base)[:16], 16), dtype=np.uint64)
    order = sorted(range(len(grid.params)), key=lambda i: grid.params[i].name)
    for i in order:
        name = int(sha256_hex(grid.params[i].name.encode())[:16], 16)
        state = _mix(state ^ np.uint64(name))
        # Adding 0.0 makes -0.0 and 0.0 one value.
        state = _mix(state ^ np.ascontiguousarray(grid.values[:, i] + 0.0).view(np.uint64))
    return state


def _mix(x: Keys) -> Keys:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection that spreads every bit."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def strategy_key(strategy: AnyStrategy) -> str:
    """SHA-256 of the canonical strategy."""
    return sha256_hex(canonical_json(strategy.canonical))


def describe(
    strategy: AnyStrategy,
    bars: Sequence[Bars],
    rules: Rules,
    needs: Sequence[str],
    metrics: Sequence[str],
    ppy: float,
) -> dict[str, object]:
    """Everything that decides the numbers of a run, as plain data."""
    return {
        "strategy": to_plain(strategy),
        "rules": rules.canonical,
        "metrics": list(metrics),
        "periods_per_year": ppy,
        "data": [
            {
                "symbol": b.symbol,
                "identity": b.identity,
                "digest": b.digest(needs),
                "columns": sorted(needs),
                "bars": len(b),
                "first_ns": int(b.ts_ns[0]),
                "last_ns": int(b.ts_ns[-1]),
            }
            for b in bars
        ],
    }


def result_key(inputs: Mapping[str, object]) -> str:
    """Hash of a run's inputs and of the versions that computed it: equal keys mean equal bytes."""
    return sha256_hex(canonical_json({"inputs": inputs, "versions": versions()}))


def exit_code_of(error: BaseException) -> ExitCode:
    """Exit code with which a run that raised this is recorded."""
    if isinstance(error, GrnError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.ERROR


def pack_bars(bars: Bars, columns: Sequence[str]) -> bytes:
    """The columns that a run used, as one compact block."""
    head = canonical_json(
        {"symbol": bars.symbol, "timezone": bars.timezone, "columns": sorted(columns), "bars": len(bars)}
    )
    values = [bars.column(name).astype("<f8", copy=False) for name in sorted(columns)]
    parts = [bars.ts_ns.astype("<i8", copy=False), *values]
    return b"".join([struct.pack("<Q", len(head)), head, *(part.data.cast("B") for part in parts)])


def unpack_bars(data: bytes) -> Bars:
    """Bars from :func:`pack_bars`."""
    import json

    (size,) = struct.unpack_from("<Q", data)
    head: dict[str, Any] = json.loads(data[8 : 8 + size])
    n = head["bars"]
    blocks = np.frombuffer(data, dtype="<i8", offset=8 + size).reshape(1 + len(head["columns"]), n)
    return Bars(
        symbol=head["symbol"],
        ts_ns=blocks[0].astype(np.int64),
        columns={
            name: blocks[i + 1].view("<f8").astype(np.float64) for i, name in enumerate(head["columns"])
        },
        timezone=head["timezone"],
    )


def record_trials(ledger: Ledger, run: str, result: SweepResult) -> int:
    """Enter every combination on every account as a trial; return the watermark that counts them all."""
    ids = data_ids(result.strategy, result.bars)
    digests = data_digests(result.strategy, result.bars, result.strategy.needs(result.rules))
    keys = [trial_keys(result.strategy, result.grid, result.rules, digest) for digest in digests]
    parts = list(zip(ids, keys, result.trial_sharpes, strict=True))
    return ledger.record_all_trials(run, strategy_key(result.strategy), parts)


@dataclass(frozen=True)
class CountLater:
    """The trials counted on a run's data at its watermark, when they are asked for.

    Raises
    ------
    LedgerError
        The run's ledger is no longer where it was.
    """

    folder: Path
    run: str
    ids: tuple[str, ...]
    watermark: int

    def __call__(self) -> TrialCount:
        """Open the ledger again and count; at one watermark the answer is the same for ever."""
        if not Ledger.exists(self.folder):
            raise LedgerError(
                "the ledger of a run is gone",
                seen=str(self.folder),
                hint="restore it, or run the sweep again",
            )
        with Ledger.open(self.folder) as book:
            if not book.knows(self.run) or book.watermark() < self.watermark:
                raise LedgerError(
                    "the ledger does not know this run",
                    seen=f"{self.run} in {self.folder}",
                    hint="restore the ledger that it was recorded in, or run the sweep again",
                )
            return book.count_trials(self.ids, watermark=self.watermark)


def recall_bars(ledger: Ledger, inputs: Mapping[str, Any]) -> tuple[Bars, ...]:
    """The bars that a recorded run used, checked against their digests."""
    found = []
    for entry in inputs["data"]:
        bars = unpack_bars(ledger.get_blob(entry["blob"]))
        if bars.digest(entry["columns"]) != entry["digest"]:
            raise LedgerError(
                "the recorded data of a run does not have its digest",
                seen=f"{entry['symbol']} {entry['digest'][:12]}",
            )
        found.append(bars)
    return tuple(found)
