"""What is sent to a cluster: files with their hashes, and the run's name, which follows from them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grn.compute.job import Job
from grn.kit.canonical import canonical_json
from grn.kit.errors import MissingError, UsageError
from grn.kit.files import sha256_hex

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Sent:
    """A file: its name below the folder, with slashes, its SHA-256, its size, whether it may be run."""

    name: str
    sha256: str
    size: int
    runs: bool


@dataclass(frozen=True)
class Bundle:
    """A job with its files.

    Attributes
    ----------
    job
        As it was written down.
    folder
        Where the files are here.
    files
        By name.
    """

    job: Job
    folder: Path
    files: tuple[Sent, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(sent.size for sent in self.files)

    @cached_property
    def environment(self) -> str | None:
        """Name of the environment, from its lock file and wheels; ``None`` without one."""
        if self.job.lock is None:
            return None
        wheels = self.job.wheels
        parts = [
            (sent.name, sent.sha256)
            for sent in self.files
            if sent.name == self.job.lock or (wheels is not None and sent.name.startswith(f"{wheels}/"))
        ]
        return sha256_hex(canonical_json(parts))[:16]

    @cached_property
    def run(self) -> str:
        """Name of the run: the same for the same command, files, environment, variables and tasks.

        Where it runs, and for how long at a time, decides no result and is not in it.
        """
        decides = {
            "command": self.job.command,
            "files": [(sent.name, sent.sha256, sent.runs) for sent in self.files],
            "lock": self.job.lock,
            "tasks": self.job.tasks,
            "variables": self.job.variables,
        }
        return f"{self.job.name}-{sha256_hex(canonical_json(decides))[:12]}"

    def sums(self) -> bytes:
        """The list that ``sha256sum -c`` checks."""
        return b"".join(_sum_line(sent) for sent in self.files)


def gather(job: Job, folder: Path) -> Bundle:
    """Find a job's files below a folder and read them.

    Raises
    ------
    MissingError
        A pattern that no file fits, or a lock file that is not there.
    UsageError
        A pattern that leaves the folder.
    """
    patterns = [*job.files, *(one for one in (job.lock, job.wheels) if one is not None)]
    names: dict[str, Path] = {}
    for pattern in patterns:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise UsageError(
                "a job's files lie in the folder of the job's file", seen=pattern, hint="link them there"
            )
        found = [file for path in sorted(folder.glob(pattern)) for file in _below(path)]
        if not found:
            raise MissingError(f"no file in {folder} fits", seen=pattern, hint="correct `files` of the job")
        names.update((file.relative_to(folder).as_posix(), file) for file in found)
    return Bundle(job, folder, tuple(_read(name, names[name]) for name in sorted(names)))


def _below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for inner in sorted(path.iterdir()):
            if inner.name not in ("__pycache__", ".git"):
                yield from _below(inner)


def _read(name: str, path: Path) -> Sent:
    import hashlib

    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Sent(name, digest.hexdigest(), size, os.access(path, os.X_OK))


def _sum_line(sent: Sent) -> bytes:
    # A name with a line break or a backslash is escaped, and its line begins with one (sha256sum(1)).
    name = sent.name.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{'' if name == sent.name else chr(92)}{sent.sha256} *{name}\n".encode()
