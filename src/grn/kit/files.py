"""Files that are whole or absent, locks that die with their owner, hashes of bytes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.errors import OutputError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_POLL_S = 0.02


def sha256_hex(*chunks: Buffer) -> str:
    """SHA-256, in 64 lower-case hex digits, of the chunks joined together.

    A chunk is anything with a C-contiguous buffer: bytes, or a NumPy array (hashed without a copy, in the
    machine's byte order). Chunks are joined without separators: where their lengths can vary, hash the
    lengths too.
    """
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def write_atomic(path: str | os.PathLike[str], data: Buffer | str, *, make_parents: bool = False) -> None:
    """Write a whole file or nothing: a reader, or a crash, sees the old content or the new, never a part.

    The data go to a temporary file in the same folder, are flushed to the disk, and replace ``path`` in one
    step; then the folder is flushed, so that the new name survives a power cut. A symbolic link keeps
    pointing where it points; text is written as UTF-8.

    Parameters
    ----------
    path
        The file to write.
    data
        Its whole content.
    make_parents
        Create missing folders. Off by default: a folder that is not there is more often a typing error.

    Raises
    ------
    OutputError
        The folder is missing or not writable, the disk is full, or ``path`` is a folder or a device.
    """
    target = Path(os.path.realpath(path))
    content = data.encode("utf-8") if isinstance(data, str) else data
    if target.exists() and not target.is_file():
        # Replacing /dev/null by a regular file is what a careless rename does when run as root.
        raise OutputError("the output path is not a regular file", seen=str(path), hint="name a file")
    if make_parents:
        make_dir(target.parent)
    temporary = target.parent / f".grn-{secrets.token_hex(8)}.tmp"
    try:
        # os.open rather than mkstemp: the file gets the mode that the user's umask gives to any new file.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        fsync_dir(target.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error


def make_dir(path: Path) -> None:
    """Create a folder and its parents so that they survive a power cut; it may be there already.

    Raises
    ------
    OutputError
        The folder cannot be created, or the name is taken by a file.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_dir(path.parent)
    try:
        path.mkdir(exist_ok=True)
        fsync_dir(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error


def fsync_dir(path: Path) -> None:
    """Flush a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock(path: str | os.PathLike[str], *, timeout_s: float | None = None) -> Iterator[None]:
    """Hold an exclusive lock between processes for the length of a ``with`` block.

    The lock belongs to the open file, so the kernel frees it when the process dies, however it dies. The file
    itself stays: removing it would let two owners lock two different files of the same name.

    Parameters
    ----------
    path
        The lock file, created when missing; its folder must exist.
    timeout_s
        How long to wait for another owner; ``None`` waits for ever.

    Raises
    ------
    OutputError
        The lock file cannot be created.
    UsageError
        Another process still holds the lock after ``timeout_s``.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        if timeout_s is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _lock_before(descriptor, path, timeout_s)
        yield
    finally:
        os.close(descriptor)


def _lock_before(descriptor: int, path: str | os.PathLike[str], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise UsageError(
                    f"another process has held a lock for more than {timeout_s:g} s",
                    seen=os.fspath(path),
                    hint="wait until it is done, or end it; a lock never outlives its process",
                ) from None
            time.sleep(_POLL_S)


def _cannot_write(path: str | os.PathLike[str], error: OSError) -> OutputError:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    parent = Path(path).parent
    hint = f"create the folder first: mkdir -p {parent}" if not parent.exists() else "choose another path"
    return OutputError(f"cannot write {os.fspath(path)}", seen=reason, hint=hint)
