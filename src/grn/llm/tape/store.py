"""Tapes on disk: a folder of records named by their content, and per tape the list of those that are on it.

A tape is a text file, one line a call: the call's key and its record's name. The newest line of a key holds,
so recording a call again (``refresh``) loses nothing.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from grn.kit.canonical import canonical_json
from grn.kit.errors import LedgerError, TapeError, UsageError
from grn.kit.files import lock, make_dir, write_atomic
from grn.ledger.blobs import BlobStore
from grn.llm.tape.difference import describe
from grn.llm.tape.record import FORMAT, Record

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX = ".calls"
_HEAD = "grn_tape"


class Tape:
    """One tape.

    Parameters
    ----------
    folder
        Where tapes are kept: ``tapes`` in ``llm`` in :func:`grn.kit.paths.grn_home`.
    name
        Letters, digits, dot, hyphen, underscore.

    Raises
    ------
    UsageError
        The name cannot be a file's.
    """

    def __init__(self, folder: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise UsageError(
                "a tape's name is letters, digits, . _ and -", seen=name, hint="for example: paper-1"
            )
        self.name = name
        self.folder = folder
        self._file = folder / f"{name}{_SUFFIX}"
        self._records = BlobStore(folder / "records")

    def exists(self) -> bool:
        """Whether anything was ever recorded on it."""
        return self._file.is_file()

    def find(self, key: str) -> Record | None:
        """Give the newest record of a call, or ``None``.

        Raises
        ------
        LedgerError
            The record is missing or damaged.
        """
        name = self._index().get(key)
        return None if name is None else self._read(key, name)

    def require(self, key: str, request: bytes) -> Record:
        """Give the newest record of a call; ``request`` is its canonical form, for the message.

        Raises
        ------
        TapeError
            It is not on the tape. The message shows what differs from the nearest call that is.
        """
        found = self.find(key)
        if found is not None:
            return found
        if not self.exists():
            raise TapeError("there is no such tape", seen=self.name, hint="grn llm tape lists the tapes")
        raise TapeError(
            f"this call is not on the tape {self.name!r}, and a replay sends nothing\n"
            + describe(json.loads(request), [dict(record.request) for record in self.records()]),
            hint=f"ask exactly what was recorded, or record this one: --record {self.name}",
        )

    def add(self, record: Record) -> str:
        """Put a call on the tape, durably; returns its key. A call that is on it already is replaced."""
        line = self._line(record)
        with lock(self.folder / "tapes.lock"):
            if not self._file.exists():
                write_atomic(self._file, line)
                return record.key
            descriptor = os.open(self._file, os.O_RDWR | os.O_CLOEXEC)
            try:
                # What a killed process left of a line is written over.
                whole = os.pread(descriptor, os.fstat(descriptor).st_size, 0).rfind(b"\n") + 1
                os.ftruncate(descriptor, whole)
                if os.pwrite(descriptor, line, whole) != len(line):
                    os.ftruncate(descriptor, whole)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._file))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return record.key

    def records(self) -> Iterator[Record]:
        """Give every call that is on the tape, in the order in which they were first recorded."""
        for key, name in self._index().items():
            yield self._read(key, name)

    def export(self, path: Path) -> int:
        """Write the tape as one text file, a line a call; returns the number of calls.

        Equal tapes give equal bytes. Nothing in it names this machine, its user or a key.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        lines = [record.to_bytes() for record in self.records()]
        head = canonical_json({_HEAD: FORMAT, "calls": len(lines)})
        write_atomic(path, b"\n".join([head, *lines]) + b"\n")
        return len(lines)

    def add_file(self, path: Path) -> int:
        """Put every call of an exported file on this tape; returns their number. All of them, or none.

        Raises
        ------
        UsageError
            The file is no tape, or a line of it is damaged.
        """
        try:
            head, *lines = path.read_bytes().splitlines()
            if json.loads(head).get("calls") != len(lines):
                raise ValueError("the number of calls is not the one that the first line tells")
            records = [Record.from_bytes(line) for line in lines]
        except (OSError, ValueError, AttributeError, LedgerError) as error:
            raise UsageError(
                f"{path} is no tape", seen=str(error), hint="take a file that grn llm tape export wrote"
            ) from error
        added = b"".join(self._line(record) for record in records)
        with lock(self.folder / "tapes.lock"):
            before = self._file.read_bytes() if self._file.exists() else b""
            write_atomic(self._file, before[: before.rfind(b"\n") + 1] + added)
        return len(records)

    def _line(self, record: Record) -> bytes:
        """Put a record in its place; gives the tape's line for it."""
        return canonical_json({"key": record.key, "record": self._records.put(record.to_bytes())}) + b"\n"

    def _read(self, key: str, name: str) -> Record:
        record = Record.from_bytes(self._records.get(name))
        if record.key != key:
            raise LedgerError(
                f"the tape {self.name!r} names another call's record",
                seen=key,
                hint=f"restore {self._file} from a backup",
            )
        return record

    def _index(self) -> dict[str, str]:
        make_dir(self.folder)
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        found: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
                found[entry["key"]] = entry["record"]
            except (ValueError, KeyError, TypeError):
                if number == len(lines):
                    continue  # the last line of a process that was killed while writing it
                raise LedgerError(
                    f"line {number} of the tape {self.name!r} is damaged",
                    seen=f"{line!r:.60}",
                    hint=f"restore {self._file} from a backup",
                ) from None
        return found


def list_tapes(folder: Path) -> list[Tape]:
    """List the tapes in a folder, by name."""
    if not folder.is_dir():
        return []
    names = sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
    return [Tape(folder, name) for name in names if _NAME.fullmatch(name)]
