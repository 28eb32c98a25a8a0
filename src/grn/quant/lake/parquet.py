"""Parquet files of the lake: written once, named by their content, verified when asked."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from grn.kit.errors import DataError
from grn.kit.files import sha256_hex, write_atomic
from grn.quant.lake.kinds import Kind
from grn.quant.lake.manifest import Part

SUFFIX: Final = ".parquet"
_ROWS_PER_GROUP: Final = 131_072
_NAME_DIGITS: Final = 16
_CHUNK: Final = 1 << 20


def encode(frame: pl.DataFrame, about: Mapping[str, object]) -> bytes:
    """Write a table to bytes: Zstandard, statistics per row group, and what it is in the file's metadata."""
    buffer = io.BytesIO()
    frame.write_parquet(
        buffer,
        compression="zstd",
        compression_level=3,
        statistics=True,
        row_group_size=_ROWS_PER_GROUP,
        metadata={"grn": json.dumps(about, sort_keys=True)},
    )
    return buffer.getvalue()


def write_part(folder: Path, group: str, frame: pl.DataFrame, data: bytes) -> Part:
    """Put an encoded table, sorted by ``ts``, into a folder.

    Raises
    ------
    OutputError
        The folder cannot be written, or the disk is full; nothing is left behind.
    """
    sha256 = sha256_hex(data)
    stamps = frame["ts"].to_physical()
    part = Part(
        name=f"{group}-{sha256[:_NAME_DIGITS]}{SUFFIX}",
        group=group,
        rows=frame.height,
        bytes=len(data),
        first_ns=int(stamps[0]),
        last_ns=int(stamps[-1]),
        sha256=sha256,
    )
    write_atomic(folder / part.name, data)
    return part


def scan(paths: Sequence[Path], kind: Kind) -> pl.LazyFrame:
    """Open files lazily; a column that they are too old to have is null."""
    return pl.scan_parquet(
        list(paths), glob=False, schema=kind.schema, missing_columns="insert", extra_columns="ignore"
    )


def read_part(folder: Path, part: Part, kind: Kind) -> pl.DataFrame:
    """Read a whole part.

    Raises
    ------
    DataError
        The file is missing, is not Parquet, or has other columns.
    """
    path = folder / part.name
    return collect(scan([path], kind), [path])


def collect(query: pl.LazyFrame, paths: Sequence[Path]) -> pl.DataFrame:
    """Collect what was scanned from files.

    Raises
    ------
    DataError
        One of them is missing, is not Parquet, or has other columns.
    """
    try:
        return query.collect()
    except (PolarsError, OSError) as error:
        raise DataError(
            f"{' or '.join(map(str, paths))} cannot be read",
            seen=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            hint="grn quant check says what is damaged, grn quant repair fetches it again",
        ) from error


def fault_of(folder: Path, part: Part) -> str | None:
    """Compare a part with its checksum; returns what is wrong, ``None`` if nothing is."""
    path = folder / part.name
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    if digest.hexdigest() != part.sha256:
        return "the file is not the one that was written: its SHA-256 differs"
    return None


def about(path: Path) -> dict[str, Any] | None:
    """Read what a file says of itself; ``None`` for a file that is not whole or not of a lake."""
    try:
        return dict(json.loads(pl.read_parquet_metadata(path)["grn"]))
    except (PolarsError, OSError, KeyError, ValueError):
        return None
