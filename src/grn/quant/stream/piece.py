"""A chunk that has been computed: its file's bytes, their hashes, and what the ledger wants of it.

It is made here, or elsewhere and brought home as three files: the part itself, its line of the list of parts,
and the Sharpe ratios of its trials, which need not be among the metrics.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grn.kit.canonical import canonical_json
from grn.kit.errors import DataError
from grn.kit.files import sha256_hex, write_atomic
from grn.quant.compute import Advance, compute
from grn.quant.engine.grid import Grid
from grn.quant.request import Request
from grn.quant.stream.folder import Part

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A chunk with its numbers.

    Attributes
    ----------
    part
        How it is listed.
    data
        Bytes of its Parquet file.
    sharpes
        Per-period Sharpe ratios of its trials: float64 [C] for each account.
    """

    part: Part
    data: bytes
    sharpes: tuple[Array, ...]


def compute_piece(
    request: Request, k: int, grid: Grid, *, threads: int | None = None, progress: Advance | None = None
) -> Piece:
    """Compute chunk `k`, whose combinations are `grid`."""
    result = compute(
        request.strategy, request.bars, grid, request.rules, request.metrics, request.choice,
        ppy=request.ppy, threads=threads, progress=progress,
    )  # fmt: skip
    buffer = io.BytesIO()
    result.frame.write_parquet(buffer, compression="zstd", statistics=True)
    data = buffer.getvalue()
    part = Part(k, len(result), sha256_hex(data), result.frame_sha256)
    return Piece(part, data, tuple(result.trial_sharpes))


def save_piece(folder: Path, piece: Piece) -> None:
    """Put a piece into a folder; it is there once its line is, which is written last."""
    part, sharpes, line = _paths(folder, piece.part.part)
    write_atomic(part, piece.data)
    write_atomic(sharpes, np.concatenate(piece.sharpes).astype("<f8").tobytes())
    write_atomic(line, canonical_json(asdict(piece.part)))


def has_piece(folder: Path, k: int) -> bool:
    """Whether chunk `k` is in a folder, whole."""
    return _paths(folder, k)[2].exists()


def load_piece(folder: Path, k: int, *, accounts: int, combinations: int) -> Piece:
    """Read chunk `k` from a folder, and hold it against its hash and the sizes that it must have.

    Raises
    ------
    DataError
        It is not there, or not what its line says.
    """
    part, sharpes, line = _paths(folder, k)
    try:
        listed = Part(**json.loads(line.read_text(encoding="utf-8")))
        data, numbers = part.read_bytes(), np.frombuffer(sharpes.read_bytes(), dtype="<f8")
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"chunk {k} cannot be read", seen=f"{folder}: {error}", hint="fetch again") from error
    rows = accounts * combinations
    if (listed.part, listed.rows, len(numbers)) != (k, rows, rows) or sha256_hex(data) != listed.sha256:
        raise DataError(
            f"chunk {k} is not what its line says",
            seen=f"{folder}: {listed.rows:,} rows, {len(numbers):,} trials, {rows:,} wanted",
            hint="fetch again; when it stays so, compute it again",
        )
    split = np.split(numbers.astype(np.float64), accounts)
    return Piece(listed, data, tuple(split))


def _paths(folder: Path, k: int) -> tuple[Path, Path, Path]:
    stem = folder / f"part-{k:06d}"
    return stem.with_suffix(".parquet"), stem.with_suffix(".sharpes"), stem.with_suffix(".json")
