"""Files that a recorder appends to: a line per message, each with its own checksum.

A line that was written is there whatever happens to the process afterwards; `Journal.sync` makes it survive a
power cut too. A process that is killed in the middle of a line leaves a line whose checksum does not hold:
that line is dropped when the journal is read, and nothing before it is touched.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from grn.kit.errors import OutputError
from grn.kit.files import fsync_dir, make_dir

FOLDER: Final = "journal"
SUFFIX: Final = ".log"
Record: TypeAlias = list[Any]


class Journal:
    """A new file, open for appending.

    Parameters
    ----------
    folder
        Of the series; journals lie in a folder of their own below it.
    number
        Greater than that of every journal that is there.

    Raises
    ------
    OutputError
        It cannot be created.
    """

    def __init__(self, folder: Path, number: int) -> None:
        make_dir(folder / FOLDER)
        self.path = folder / FOLDER / f"{number:010d}{SUFFIX}"
        self.number = number
        self.bytes = 0
        self.closed = False
        self._synced = 0
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}", seen=error.strerror) from error
        fsync_dir(self.path.parent)

    def append(self, record: Record) -> None:
        """Write one record: when this returns it is there, also for whoever reads after a kill.

        Raises
        ------
        OutputError
            The disk is full, or gone; the journal ends with the record before.
        """
        if self.closed:
            raise OutputError(f"{self.path} is closed")
        text = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
        line = b"%08x %b\n" % (zlib.crc32(text), text)
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            os.ftruncate(self._descriptor, self.bytes)
            raise OutputError(
                f"cannot write {self.path}",
                seen=error.strerror,
                hint="make room; what was recorded until then is kept",
            ) from error
        self.bytes += len(line)

    def sync(self) -> None:
        """Flush to the disk what was appended since the last time."""
        if not self.closed and self._synced != self.bytes:
            written = self.bytes
            os.fsync(self._descriptor)
            self._synced = written

    def close(self) -> None:
        """Flush and close; an empty file is removed."""
        if self.closed:
            return
        self.sync()
        self.closed = True
        os.close(self._descriptor)
        if not self.bytes:
            self.path.unlink()


def find_journals(folder: Path) -> list[Path]:
    """List the journals of a series, in their order."""
    return sorted((folder / FOLDER).glob(f"*{SUFFIX}"))


def read_journal(path: Path) -> Iterator[Record | None]:
    """Yield the records of a journal; ``None`` for a line that is not what was written.

    A damaged line at the very end is one that was never finished; it is left out.
    """
    damaged = False
    with path.open("rb") as stream:
        for line in stream:
            record = _parse(line)
            if damaged and record is not None:
                yield None
            damaged = record is None
            if record is not None:
                yield record


def _parse(line: bytes) -> Record | None:
    sum_, _, text = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or b"%08x" % zlib.crc32(text) != sum_:
        return None
    record = json.loads(text)
    return record if isinstance(record, list) else None
