"""A series as one file, for other programs."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from grn.kit.errors import DataError, OutputError
from grn.kit.files import fsync_dir

_SINKS: Final[Mapping[str, Callable[[pl.LazyFrame, Path], Any]]] = MappingProxyType(
    {
        ".parquet": lambda rows, path: rows.sink_parquet(path, compression="zstd", statistics=True),
        ".csv": lambda rows, path: rows.sink_csv(path),
        ".arrow": lambda rows, path: rows.sink_ipc(path),
    }
)


def export(rows: pl.LazyFrame, path: Path) -> None:
    """Write rows to a file, streaming, whole or not at all.

    Raises
    ------
    OutputError
        The file cannot be written, or its ending is unknown.
    DataError
        The rows cannot be read.
    """
    sink = _SINKS.get(path.suffix)
    if sink is None:
        raise OutputError("unknown output format", seen=path.suffix or path.name, hint=", ".join(_SINKS))
    if path.exists() and not path.is_file():
        raise OutputError("the output path is not a regular file", seen=str(path), hint="name a file")
    temporary = path.with_name(f".grn-{secrets.token_hex(8)}.tmp")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise OutputError(f"cannot write {path}", seen=os.strerror(error.errno or 0).lower()) from error
    try:
        sink(rows, temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        fsync_dir(path.absolute().parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}", seen=str(error.strerror or error)) from error
    except PolarsError as error:
        raise DataError(
            "the series cannot be read", seen=str(error).strip().partition("\n")[0], hint="grn quant check"
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
