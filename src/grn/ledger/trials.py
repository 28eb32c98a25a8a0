"""Trial keys and Sharpe ratios: as bytes, and as the union over many sweeps.

Trials are what deflates a Sharpe ratio (Bailey and López de Prado, "The Deflated Sharpe Ratio", 2014). The
same combination on the same data, run twice, is one trial: the count is the size of a union of keys and not a
sum of sweep sizes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from grn.kit.errors import LedgerError

MAGIC = b"grntrial"
_HEADER_BYTES = len(MAGIC) + 8


def encode_trials(keys: npt.NDArray[np.uint64], sharpes: npt.NDArray[np.float64]) -> bytes:
    """Bytes of one sweep on one data set: a header, the keys ascending, their Sharpe ratios.

    Equal sets of (key, ratio) give equal bytes, in whatever order they come: little-endian, one NaN.

    Parameters
    ----------
    keys
        ``(n,)`` trial keys, all different.
    sharpes
        ``(n,)`` per-period Sharpe ratios; NaN where the ratio is not defined.

    Raises
    ------
    LedgerError
        Wrong shape or type, or a key that occurs twice.
    """
    if keys.dtype != np.uint64 or sharpes.dtype != np.float64:
        raise LedgerError(
            "trials need uint64 keys and float64 Sharpe ratios",
            seen=f"{keys.dtype}, {sharpes.dtype}",
            hint="convert them before recording",
        )
    if keys.ndim != 1 or keys.shape != sharpes.shape:
        raise LedgerError(
            "trials need one Sharpe ratio per key",
            seen=f"shapes {keys.shape}, {sharpes.shape}",
            hint="pass two arrays of the same length",
        )
    order = np.argsort(keys)
    keys = keys[order].astype("<u8", copy=False)
    sharpes = sharpes[order].astype("<f8", copy=False)
    repeated = np.flatnonzero(keys[1:] == keys[:-1])
    if repeated.size:
        raise LedgerError(
            f"{repeated.size} trial key(s) occur more than once in one sweep",
            seen=f"{int(keys[repeated[0]]):#018x}",
            hint="a combination may be in a grid once: drop the repeated rows",
        )
    sharpes[np.isnan(sharpes)] = np.nan
    return b"".join((MAGIC, len(keys).to_bytes(8, "little"), keys.tobytes(), sharpes.tobytes()))


def decode_trials(data: bytes) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
    """Keys (ascending) and Sharpe ratios of :func:`encode_trials`, as read-only ``(n,)`` arrays.

    Raises
    ------
    LedgerError
        The bytes are something else.
    """
    n = int.from_bytes(data[len(MAGIC) : _HEADER_BYTES], "little")
    if data[: len(MAGIC)] != MAGIC or len(data) != _HEADER_BYTES + 16 * n:
        raise LedgerError(
            "the blob does not hold trials",
            seen=f"{len(data)} bytes",
            hint="restore the ledger from a backup",
        )
    keys = np.frombuffer(data, "<u8", count=n, offset=_HEADER_BYTES)
    sharpes = np.frombuffer(data, "<f8", count=n, offset=_HEADER_BYTES + 8 * n)
    return keys.astype(np.uint64, copy=False), sharpes.astype(np.float64, copy=False)


class KeyUnion:
    """The union of trial keys; of a key that comes again, the first Sharpe ratio stays.

    Additions are collected until they outweigh the union and are then merged at once: many small sweeps cost
    n·log n in all, and memory stays within a few times the size of the union.
    """

    def __init__(self) -> None:
        self._keys = np.empty(0, np.uint64)
        self._sharpes = np.empty(0, np.float64)
        self._waiting: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]] = []
        self._n_waiting = 0

    def add(self, keys: npt.NDArray[np.uint64], sharpes: npt.NDArray[np.float64]) -> None:
        """Unite with one more sweep: ``(n,)`` ascending different keys and their Sharpe ratios."""
        self._waiting.append((keys, sharpes))
        self._n_waiting += len(keys)
        if self._n_waiting >= len(self._keys):
            self._merge()

    def __len__(self) -> int:
        self._merge()
        return len(self._keys)

    def moments(self) -> tuple[float, float]:
        """Mean and variance (ddof = 1) of the finite Sharpe ratios; NaN where there are too few.

        Both sums are rounded once, exactly (``math.fsum``): they depend neither on the order in which sweeps
        were recorded nor on how a library's summation is blocked.
        """
        self._merge()
        return moments(self._sharpes)

    def _merge(self) -> None:
        if not self._waiting:
            return
        if len(self._keys) == 0 and len(self._waiting) == 1:
            self._keys, self._sharpes = self._waiting[0]
        else:
            keys = np.concatenate([self._keys, *(keys for keys, _ in self._waiting)])
            sharpes = np.concatenate([self._sharpes, *(sharpes for _, sharpes in self._waiting)])
            # Stable: of equal keys the earliest addition comes first. The input is a few ascending runs,
            # which NumPy's stable sort (timsort for 64-bit integers) merges instead of sorting anew.
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            first = np.ones(len(keys), np.bool_)
            np.not_equal(keys[1:], keys[:-1], out=first[1:])
            self._keys, self._sharpes = keys[first], sharpes[order][first]
        self._waiting, self._n_waiting = [], 0


class RunSpread:
    """How far apart the Sharpe ratios of single runs lie.

    Equal ratios count once: a parameter that changes nothing makes clones, and clones say nothing about luck.
    """

    def __init__(self) -> None:
        self._runs: dict[str, list[npt.NDArray[np.float64]]] = {}

    def add(self, run: str, sharpes: npt.NDArray[np.float64]) -> None:
        """Add the Sharpe ratios of one data set of a run."""
        self._runs.setdefault(run, []).append(sharpes)

    def widest(self) -> float:
        """Largest variance of a run's different, finite Sharpe ratios; NaN when no run has two."""
        found = (moments(np.unique(np.concatenate(parts)))[1] for parts in self._runs.values())
        return max((variance for variance in found if not math.isnan(variance)), default=math.nan)


def moments(sharpes: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean and variance (ddof = 1) of the finite ones, each sum rounded once; NaN where there are too few."""
    finite = sharpes[np.isfinite(sharpes)]
    if finite.size == 0:
        return math.nan, math.nan
    mean = math.fsum(finite.tolist()) / finite.size
    if finite.size == 1:
        return mean, math.nan
    deviations = finite - mean
    return mean, math.fsum((deviations * deviations).tolist()) / (finite.size - 1)
