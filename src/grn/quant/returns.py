"""Returns of trials, bar by bar: computed when they are asked for, and kept in the ledger.

A sweep keeps sums and no returns.  What needs returns (the variance across trials, clusters of them, splits
of the sample) runs the rows that it asks for again, the same bits, and keeps what came: a second verdict
reads them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from grn.kit.canonical import canonical_json
from grn.kit.config import load_settings
from grn.kit.errors import LedgerError, UsageError
from grn.kit.files import sha256_hex
from grn.kit.versions import versions
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.engine.cpu import default_threads
from grn.quant.engine.curves import returns_of, visit_curves
from grn.quant.engine.grid import Grid
from grn.quant.result import SweepResult
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.weights import Weights

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Stamps = npt.NDArray[np.int64]

LIMIT: Final = 1_000
"""Trials of one run whose returns are kept at most."""
LARGE: Final = 2**24
"""Returns (bars times rows) above which those of a day, or else of a week, are summed up: 128 MiB."""
Unit = Literal["bar", "day", "week"]
_DAY_NS: Final = 86_400 * 10**9
_WEEK_NS: Final = 7 * _DAY_NS
_YEAR_NS: Final = 365.2425 * _DAY_NS
_MONDAY_NS: Final = 4 * _DAY_NS  # 1970-01-05


@dataclass(frozen=True)
class TrialReturns:
    """Returns of some trials of a run.

    Attributes
    ----------
    rows
        int64 ``(R,)``: rows of the result, ascending.
    ts_ns
        int64 ``(T,)``: label of each bar, or the beginning of each day (UTC), or Monday of each week.
    returns
        float64 ``(T, R)``.  A bar that an account does not have earns nothing.
    unit
        What they are sums over: ``bar``, ``day`` or ``week``.
    """

    rows: Rows
    ts_ns: npt.NDArray[np.int64]
    returns: Array
    unit: Unit

    def per_year(self, ppy: float) -> float:
        """Labels per year; `ppy` is that of bars."""
        if self.unit == "bar" or len(self.ts_ns) < 2:
            return ppy
        years = float(self.ts_ns[-1] - self.ts_ns[0]) / _YEAR_NS
        return (len(self.ts_ns) - 1) / years


def pick_rows(result: SweepResult, limit: int = LIMIT) -> Rows:
    """Rows whose returns stand for all: int64 ``(at most limit,)``, ascending.

    All of them where there are no more than `limit`.  Otherwise the best by Sharpe ratio (the first of
    equals) and, of the others, those with the smallest trial keys: keys are hashes, so that this is an even
    sample that depends on nothing else, neither on the grid's order nor on a seed.
    """
    if limit < 2:
        raise UsageError("at least two rows are kept", seen=limit)
    n = len(result)
    if n <= limit:
        return np.arange(n)
    sharpes = np.concatenate(result.trial_sharpes)
    best = int(np.argmax(np.where(np.isnan(sharpes), -np.inf, sharpes)))
    others = np.delete(np.arange(n), best)
    sample = others[np.argsort(_keys(result, others), kind="stable")[: limit - 1]]
    return np.sort(np.append(sample, best))


def trial_returns(
    result: SweepResult, rows: Sequence[int] | Rows | None = None, *, ledger: Ledger | None = None
) -> TrialReturns:
    """Returns of some rows of a result, by default of those that :func:`pick_rows` picks.

    Parameters
    ----------
    ledger
        Where they are kept, and found again.  A result of a run that it does not know is computed and not
        kept.

    Raises
    ------
    UsageError
        There is no such row, or none.
    """
    chosen = pick_rows(result) if rows is None else np.unique(np.asarray(rows, dtype=np.int64))
    if not len(chosen) or chosen[0] < 0 or chosen[-1] >= len(result):
        raise UsageError(
            "no such row", seen=f"{len(chosen)} rows", hint=f"rows go from 0 to {len(result) - 1}"
        )
    stamps = np.unique(np.concatenate([b.ts_ns for b in result.bars]))
    unit, labels = _cut(stamps, len(chosen))
    book = ledger if ledger is not None and result.run and ledger.knows(result.run) else None
    name = _name(result, chosen, unit, labels)
    if book is not None and (data := book.kept_returns(name)) is not None:
        return _unpack(data, chosen, unit)
    returns = np.zeros((len(labels), len(chosen)))
    if isinstance(result.strategy, Weights):
        for k, row in enumerate(chosen.tolist()):
            path = result.path(row)
            _enter(path.returns[None], path.ts_ns, labels, returns[:, k : k + 1], unit)
    else:
        _follow(result, chosen, labels, returns, unit)
    made = TrialReturns(chosen, labels, returns, unit)
    if book is not None:
        book.keep_returns(result.run, name, _pack(made))
    return made


def _follow(result: SweepResult, rows: Rows, labels: Stamps, returns: Array, unit: Unit) -> None:
    """Fill in the returns of strategies of signals, each account's rows together."""
    assert isinstance(result.strategy, Strategy)
    size = len(result.grid)
    threads = load_settings().threads or default_threads()
    for account, bars in enumerate(result.bars):
        # Rows ascend: those of an account stand beside each other.
        first, last = np.searchsorted(rows, [account * size, (account + 1) * size]).tolist()
        if first == last:
            continue
        values = np.ascontiguousarray(result.grid.values[rows[first:last] % size])

        def enter(k: int, equity: Array, first: int = first, ts_ns: Stamps = bars.ts_ns) -> None:
            made = returns_of(equity, result.rules.cash)
            columns = returns[:, first + k : first + k + len(made)]
            _enter(made, ts_ns, labels, columns, unit)

        grid = Grid(result.grid.params, values)
        visit_curves(result.strategy, bars, result.rules, grid, enter, threads=threads)


def _enter(made: Array, ts_ns: Stamps, labels: Stamps, columns: Array, unit: Unit) -> None:
    """Write returns of bars, float64 ``(n, T)``, into columns of labels; other labels keep their zeros."""
    if unit != "bar":
        places = np.searchsorted(labels, _begin(ts_ns, unit))
        for k, one in enumerate(made):
            # One after another: no sum depends on how a library pairs terms.
            columns[:, k] = np.bincount(places, one, len(labels))
    elif len(ts_ns) == len(labels):
        columns[:] = made.T
    else:
        columns[np.searchsorted(labels, ts_ns)] = made.T


def _keys(result: SweepResult, rows: Rows) -> npt.NDArray[np.uint64]:
    """Trial keys of some rows."""
    size = len(result.grid)
    digests = record.data_digests(result.strategy, result.bars, result.strategy.needs(result.rules))
    keys = np.empty(len(rows), np.uint64)
    for account, digest in enumerate(digests):
        mine = rows // size == account
        grid = Grid(result.grid.params, np.ascontiguousarray(result.grid.values[rows[mine] % size]))
        keys[mine] = record.trial_keys(result.strategy, grid, result.rules, digest)
    return keys


def _name(result: SweepResult, rows: Rows, unit: Unit, labels: Stamps) -> str:
    """Hash of all that decides the numbers: trials, calendar, and the versions that compute them."""
    what = canonical_json({"unit": unit, "versions": versions()})
    keys = _keys(result, rows).astype("<u8").tobytes()
    return sha256_hex(b"grn.returns.2", what, keys, labels.astype("<i8").tobytes())


def _cut(stamps: Stamps, rows: int) -> tuple[Unit, Stamps]:
    """The shortest unit whose table of returns is not too large, and its labels; weeks where none is."""
    if len(stamps) * rows <= LARGE:
        return "bar", stamps
    days = np.unique(_begin(stamps, "day"))
    return ("day", days) if len(days) * rows <= LARGE else ("week", np.unique(_begin(stamps, "week")))


def _begin(ts_ns: Stamps, unit: Unit) -> Stamps:
    """Beginning of the day or week of each stamp."""
    if unit == "day":
        return ts_ns // _DAY_NS * _DAY_NS
    return (ts_ns - _MONDAY_NS) // _WEEK_NS * _WEEK_NS + _MONDAY_NS


def _pack(made: TrialReturns) -> bytes:
    head = canonical_json({"bars": len(made.ts_ns), "rows": len(made.rows), "unit": made.unit})
    body = [made.ts_ns.astype("<i8").tobytes(), made.returns.astype("<f8").tobytes()]
    return b"".join([struct.pack("<Q", len(head)), head, *body])


def _unpack(data: bytes, rows: Rows, unit: Unit) -> TrialReturns:
    (size,) = struct.unpack_from("<Q", data)
    head: dict[str, Any] = json.loads(data[8 : 8 + size])
    n = int(head["bars"])
    if head["rows"] != len(rows) or len(data) != 8 + size + 8 * n * (1 + len(rows)):
        raise LedgerError("kept returns do not have the size that they should", seen=str(head))
    ts_ns = np.frombuffer(data, "<i8", n, 8 + size).astype(np.int64)
    values = np.frombuffer(data, "<f8", n * len(rows), 8 + size + 8 * n).astype(np.float64)
    return TrialReturns(rows, ts_ns, values.reshape(n, len(rows)), unit)
