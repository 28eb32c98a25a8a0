"""A folder's files with size and time, quickly: an index asks for them before each question."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_LARGEST = 1 << 20  # bytes: what is larger was made by a program
# What holds secrets by its name is not read.
_SECRET = frozenset(
    {".env", ".netrc", ".npmrc", ".pgpass", ".pypirc", "credentials", "id_ecdsa", "id_ed25519", "id_rsa"}
)
_SECRET_SUFFIXES = frozenset({".pem", ".key", ".p12", ".pfx", ".jks", ".kdbx"})


def list_files(folder: Path) -> dict[str, tuple[int, int]]:
    """Give the files to be read: path below the folder, bytes, and when they were written (ns).

    They are those of :func:`grn.llm.attach.files_below` (what Git does not ignore, or what is not hidden),
    without large ones, those that hold secrets by their name, and those whose name is no UTF-8. With 6,715
    files this takes 55 ms instead of 260, as no object is made for each path.
    """
    listed = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=False,
    )
    names = listed.stdout.split(b"\0") if listed.returncode == 0 else None
    found: Iterator[tuple[str, os.stat_result]] = _walk(folder) if names is None else _known(folder, names)
    return {path: (one.st_size, one.st_mtime_ns) for path, one in found if _is_read(path, one.st_size)}


def _known(folder: Path, names: list[bytes]) -> Iterator[tuple[str, os.stat_result]]:
    for name in filter(None, names):
        path = name.decode("utf-8", "surrogateescape")
        try:
            found = (folder / path).stat()
        except OSError:
            continue  # gone since Git named it, or a link to nowhere
        if stat.S_ISREG(found.st_mode):
            yield path, found


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Give what is not hidden; links to folders are not followed, so cycles end."""
    todo = [""]
    while todo:
        below = todo.pop()
        try:
            with os.scandir(f"{folder}/{below}") as every:
                for one in every:
                    if one.name.startswith("."):
                        continue
                    if one.is_dir(follow_symlinks=False):
                        todo.append(f"{below}{one.name}/")
                    elif one.is_file():
                        yield f"{below}{one.name}", one.stat()
        except OSError:
            continue  # gone, or not ours to read


def _is_read(path: str, n_bytes: int) -> bool:
    name = path.rpartition("/")[2]
    is_secret = name in _SECRET or PurePosixPath(name).suffix in _SECRET_SUFFIXES
    return n_bytes <= _LARGEST and not is_secret and _is_text(path)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
