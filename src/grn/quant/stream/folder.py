"""The folder of a streamed sweep.

===================  =============================================================================
``manifest.json``    what is run: its key, inputs, versions and chunks; written first, never changed
``part-000000.…``    one Parquet file per chunk that has combinations; written whole or not at all
``parts.jsonl``      one line per chunk: rows, hashes; a chunk is finished once its line is there
``run.json``         the run's name in the ledger; all other files are the same in every run
``.lock``            held while a process writes
===================  =============================================================================
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from grn.kit.canonical import canonical_json
from grn.kit.errors import DataError, OutputError, UsageError
from grn.kit.files import lock, make_dir, sha256_hex, write_atomic

FORMAT: Final = "grn.stream.1"
_MANIFEST, _LOG, _RUN, _LOCK = "manifest.json", "parts.jsonl", "run.json", ".lock"


@dataclass(frozen=True)
class Part:
    """A finished chunk: `sha256` is that of the file, `frame_sha256` that of the numbers in it.

    A chunk that `where` left empty has no rows, no file and no hashes.
    """

    part: int
    rows: int
    sha256: str
    frame_sha256: str


class Folder:
    """A folder that holds a streamed sweep, finished or not.

    Attributes
    ----------
    path
        Where it is.
    manifest
        What it holds.
    parts
        Finished chunks, in order.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any], parts: list[Part]) -> None:
        self.path = path
        self.manifest = manifest
        self.parts = parts

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Read what a folder holds; nothing is written.

        Raises
        ------
        UsageError
            There is no streamed sweep in it.
        DataError
            Its manifest or its list of parts is damaged.
        """
        try:
            text = (path / _MANIFEST).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                "there is no streamed sweep in this folder",
                seen=str(path),
                hint="grn quant sweep FILE --to FOLDER makes one",
            ) from None
        try:
            manifest = json.loads(text)
        except ValueError as error:
            raise _damaged(path / _MANIFEST, str(error)) from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            seen = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
            raise _damaged(path / _MANIFEST, f"format {seen!r}, this version reads {FORMAT!r}")
        return cls(path, manifest, _read_log(path / _LOG)[0])

    @classmethod
    def claim(cls, path: Path, manifest: Mapping[str, Any]) -> Folder:
        """Take a folder for a run: a new or empty one, or one in which the same run was begun.

        Call it with the folder's lock held (`locked`).

        Raises
        ------
        OutputError
            It holds another run, or something else.
        """
        named = {**manifest, "format": FORMAT}
        if not (path / _MANIFEST).exists():
            strangers = sorted(p.name for p in path.iterdir() if not _is_ours(p.name))
            if strangers:
                raise OutputError(
                    "the folder is not empty",
                    seen=f"{path}: {', '.join(strangers[:3])}",
                    hint="choose another folder",
                )
            write_atomic(path / _MANIFEST, canonical_json(named))
        found = cls.open(path)
        if found.manifest["key"] != manifest["key"]:
            raise OutputError(
                "the folder holds another run",
                seen=f"{path}: {', '.join(_differences(found.manifest, manifest)) or 'another key'}",
                hint="choose another folder, or remove this one",
            )
        found._sweep()
        return found

    def part_path(self, k: int) -> Path:
        """Where the file of chunk `k` is, or would be."""
        return self.path / f"part-{k:06d}.parquet"

    @property
    def files(self) -> list[Path]:
        """Files of the finished chunks that have rows, in order."""
        return [self.part_path(p.part) for p in self.parts if p.rows]

    def damaged(self) -> list[Part]:
        """Finished parts whose file is missing or is not what was written: every byte is read."""
        return [p for p in self.parts if p.rows and _sha256_of(self.part_path(p.part)) != p.sha256]

    def write_part(self, k: int, data: bytes) -> None:
        """Put the file of chunk `k` on the disk, whole."""
        write_atomic(self.part_path(k), data)

    def add(self, part: Part) -> None:
        """Count a chunk as finished: once this returns, nothing takes it back."""
        line = canonical_json(asdict(part)) + b"\n"
        try:
            with (self.path / _LOG).open("ab") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self.path / _LOG}", seen=error.strerror) from error
        self.parts.append(part)

    @property
    def run(self) -> str | None:
        """The run's name in the ledger; None before it has one."""
        try:
            text = (self.path / _RUN).read_text(encoding="utf-8")
            name = json.loads(text)["run"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(self.path / _RUN, str(error)) from error
        return str(name)

    def name_run(self, run: str) -> None:
        """Keep the run's name in the ledger."""
        write_atomic(self.path / _RUN, canonical_json({"run": run}))

    def _sweep(self) -> None:
        """Remove what a killed writer left: unfinished files, and a line that was cut off."""
        for left in self.path.glob(".grn-*.tmp"):
            left.unlink(missing_ok=True)
        log = self.path / _LOG
        if log.exists():
            whole = _read_log(log)[1]
            if whole < log.stat().st_size:
                os.truncate(log, whole)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make the folder where there is none, and keep every other writer out of it.

    Raises
    ------
    OutputError
        It cannot be made, or another process is writing to it.
    """
    make_dir(path)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock(path / _LOCK, timeout_s=0))
        except UsageError:
            raise OutputError(
                "another process is writing to this folder", seen=str(path), hint="wait until it is done"
            ) from None
        yield


def hash_parts(frames: Iterable[str]) -> str:
    """Hash of a streamed sweep's numbers: of the hashes of its parts, in order."""
    return sha256_hex("\n".join(frames).encode())


def _is_ours(name: str) -> bool:
    # A process killed while it wrote the manifest leaves these and nothing else.
    return name == _LOCK or (name.startswith(".grn-") and name.endswith(".tmp"))


def _read_log(path: Path) -> tuple[list[Part], int]:
    """Parts listed, and how many bytes of the file are whole lines."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    whole = data.rfind(b"\n") + 1
    parts: list[Part] = []
    for line in data[:whole].splitlines():
        try:
            parts.append(Part(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise _damaged(path, str(error)) from error
        if parts[-1].part != len(parts) - 1:
            raise _damaged(path, f"line {len(parts)} is of part {parts[-1].part}")
    return parts, whole


def _sha256_of(path: Path) -> str | None:
    try:
        return sha256_hex(path.read_bytes())
    except FileNotFoundError:
        return None


def _differences(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What tells two runs apart, by name."""
    found = []
    for group in ("inputs", "versions"):
        one, other = held.get(group, {}), json.loads(canonical_json(wanted[group]))
        found += [f"other {k}" for k in sorted({*one, *other}) if one.get(k) != other.get(k)]
    return found


def _damaged(path: Path, seen: str) -> DataError:
    return DataError(f"{path} is damaged", seen=seen, hint="remove the folder and run the sweep again")
