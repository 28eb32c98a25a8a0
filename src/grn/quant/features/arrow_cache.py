"""A memory-mapped cache: the rows of a pipeline as an Arrow file that is read without a copy.

Parquet is decoded into new memory whenever it is read.  What is read again and again, by every sweep and in
every process, is therefore written once, uncompressed, in the layout that Polars, NumPy and the kernels
compute on; then it is mapped.  Mapped columns are pages of the file: they are read when they are touched,
shared by all processes, and the kernel may drop them at any time, so they need no memory of their own.

Polars 2 reads Arrow files into memory of its own (its option `memory_map` is gone), so the map is pyarrow's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PolarsError

from grn.kit.canonical import canonical_json
from grn.kit.errors import DataError, OutputError, UsageError, require_extra
from grn.kit.files import fsync_dir, lock, make_dir, sha256_hex
from grn.kit.paths import cache_dir

_LAYOUT: Final = 1
"""Raised when the files are written differently: old ones are then built anew."""
_BUILDS: Final = 3
_LOCK_S: Final = 600.0


@dataclass(frozen=True)
class Mapped:
    """Rows that lie in a mapped file.

    Attributes
    ----------
    path
        The Arrow file, in IPC format. It stays valid while it is mapped, even when it is replaced.
    built
        Whether it was written now rather than found.
    """

    path: Path
    built: bool
    _table: Any

    @property
    def frame(self) -> pl.DataFrame:
        """The rows, without a copy: columns of the frame are the pages of the file."""
        frame = pl.from_arrow(self._table, rechunk=False)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def lazy(self) -> pl.LazyFrame:
        """Begin a pipeline on the rows; selecting and slicing copy nothing, filters make new columns."""
        return self.frame.lazy()

    def array(self, column: str) -> npt.NDArray[Any]:
        """Return a column as a read-only NumPy view of the file, shape (rows,); times as int64 nanoseconds.

        Raises
        ------
        DataError
            There is no such column; or it cannot be a view: it is text or Boolean, has nulls, or lies in
            several batches.
        """
        if column not in self._table.column_names:
            raise DataError("no such column", seen=column, hint=", ".join(self._table.column_names))
        values = self.frame[column].to_physical()
        if not values.dtype.is_numeric() or values.null_count() or values.n_chunks() != 1:
            seen = f"{values.dtype}, {values.null_count()} nulls, {values.n_chunks()} batches"
            raise DataError(
                f"{column!r} is no view of the file", seen=seen, hint=f".frame[{column!r}].to_numpy()"
            )
        return np.asarray(values.to_numpy(allow_copy=False))


def map_arrow(
    name: str,
    frame: pl.LazyFrame,
    sources: Sequence[str | os.PathLike[str]],
    *,
    rows_per_batch: int | None = None,
    folder: Path | None = None,
) -> Mapped:
    """Return the rows of a pipeline from the cache, after building it if it is not there or out of date.

    It is out of date when a source has changed, in size, time of change or place on the disk, or when the
    query plan of `frame`, its schema or the version of Polars has. A changed file that keeps all of these is
    not noticed; the lake replaces files and never writes into them.

    Parameters
    ----------
    name
        Of the cache: letters, digits, ``.``, ``_`` and ``-``. A new build removes the last one of this name.
    frame
        What to keep, made from `sources` and from nothing else.
    sources
        The files that it reads.
    rows_per_batch
        None writes every column in one piece, for `Mapped.array` and the engines; building holds the columns
        in memory. A number streams batches of so many rows, for frames larger than memory.
    folder
        Where it is kept; by default ``arrow`` in the cache folder.

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    UsageError
        A name or a number of rows that is not allowed, or no sources.
    DataError
        A source is missing, or changes faster than it can be read.
    OutputError
        The folder cannot be written, or the disk is full; nothing is left behind.
    """
    arrow = require_extra("pyarrow", "arrow")
    require_extra("pyarrow.ipc", "arrow")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UsageError("this is no name for a cache", seen=name, hint="letters, digits, '.', '_' and '-'")
    if rows_per_batch is not None and rows_per_batch < 1:
        raise UsageError("rows_per_batch must be above 0", seen=rows_per_batch)
    files = [Path(source) for source in sources]
    if not files:
        raise UsageError(
            "a cache without sources would never change", hint="name the files that the frame reads"
        )
    place = cache_dir() / "arrow" if folder is None else folder
    make_dir(place)
    with lock(place / f"{name}.lock", timeout_s=_LOCK_S):
        for _ in range(_BUILDS):
            identity = _identity(frame, files, rows_per_batch)
            path = place / f"{name}~{identity}.arrow"
            table = _open(arrow, path)
            if table is not None:
                return Mapped(path, built=False, _table=table)
            _write(frame, path, rows_per_batch)
            if _identity(frame, files, rows_per_batch) == identity:
                for old in place.glob(f"{name}~*.arrow"):
                    if old != path:
                        old.unlink(missing_ok=True)
                table = _open(arrow, path)
                if table is not None:
                    return Mapped(path, built=True, _table=table)
            path.unlink(missing_ok=True)
    raise DataError("a source changes while it is read", seen=name, hint="map it when the writer is done")


def _identity(frame: pl.LazyFrame, files: Sequence[Path], rows_per_batch: int | None) -> str:
    stamps = []
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise DataError(
                "a source of the cache cannot be read", seen=str(file), hint=error.strerror
            ) from error
        stamps.append(
            [str(file.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        )
    plan = {
        "layout": _LAYOUT,
        "polars": pl.__version__,
        "rows_per_batch": rows_per_batch,
        "sources": stamps,
        "plan": frame.explain(optimized=False),
        "schema": [[column, str(kind)] for column, kind in frame.collect_schema().items()],
    }
    return sha256_hex(canonical_json(plan))[:24]


def _open(arrow: Any, path: Path) -> Any:
    """Map a file; None if it is not there or is damaged."""
    if not path.exists():
        return None
    try:
        # The map lives as long as a column of the table does.
        with arrow.memory_map(str(path), "rb") as mapped:
            return arrow.ipc.open_file(mapped).read_all()
    except (OSError, ValueError):
        return None


def _write(frame: pl.LazyFrame, path: Path, rows_per_batch: int | None) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        if rows_per_batch is None:
            rows = frame.collect(engine="streaming").rechunk()
            room = shutil.disk_usage(path.parent).free
            if rows.estimated_size() > room:
                raise OutputError(
                    f"no room for the cache in {path.parent}",
                    seen=f"{rows.estimated_size() / 2**20:,.0f} MiB needed, {room / 2**20:,.0f} MiB free",
                    hint="make room, or set GRN_CACHE to a folder on another disk",
                )
            rows.write_ipc(temporary, compression="uncompressed", record_batch_size=max(rows.height, 1))
        else:
            frame.sink_ipc(temporary, compression="uncompressed", record_batch_size=rows_per_batch)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        fsync_dir(path.parent)
    except PolarsError as error:
        raise DataError(
            "the pipeline of the cache fails",
            seen=str(error).partition("\n")[0],
            hint="collect it by itself: the fault is in a source or in the query",
        ) from error
    except OSError as error:
        raise OutputError(
            f"cannot write the cache in {path.parent}", seen=str(error).partition("\n")[0]
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
