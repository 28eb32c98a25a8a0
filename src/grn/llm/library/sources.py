"""Which files of a folder belong to a library: what Git does not ignore, without what holds secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from grn.llm.attach import files_below

LARGEST_TEXT = 4 << 20
"""Bytes: a text that is larger was made by a program."""

LARGEST_PDF = 200 << 20
"""Bytes of a PDF."""

# What holds secrets by its name is not read.
_SECRET = frozenset(
    {".env", ".netrc", ".npmrc", ".pgpass", ".pypirc", "credentials", "id_ecdsa", "id_ed25519", "id_rsa"}
)
_SECRET_SUFFIXES = frozenset({".pem", ".key", ".p12", ".pfx", ".jks", ".kdbx"})
# Pictures, archives, compiled code, numbers: read in vain, and large.
_NO_TEXT = frozenset(
    re.findall(
        r"\.\w+",
        """
    .png .jpg .jpeg .gif .webp .ico .svg .pyc .so .dll .dylib .o .a .zip .gz .xz .bz2 .zst .whl .tar .npy .npz
    .parquet .arrow .feather .sqlite .sqlite3 .db .gguf .onnx .pt .safetensors .bin .woff .woff2 .ttf .otf
    .mp3 .mp4 .wav .lock
    """,
    )
)


def holds_secrets(path: Path) -> bool:
    """Whether a file holds secrets by its name: ``.env.local`` does, and ``key.pem``."""
    return path.name in _SECRET or path.name.startswith(".env.") or path.suffix.lower() in _SECRET_SUFFIXES


def files_of(source: Path) -> Iterator[tuple[Path, int, int]]:
    """Give the files of a source: path, bytes, time of its last change in ns. A file is its own source."""
    paths = [source] if source.is_file() else [source / below for below in files_below(source)]
    for path in paths:
        if holds_secrets(path) or path.suffix.lower() in _NO_TEXT:
            continue
        try:
            found = path.stat()
            str(path).encode()
        except (OSError, UnicodeEncodeError):  # gone meanwhile; a name that is no text
            continue
        if found.st_size <= (LARGEST_PDF if path.suffix.lower() == ".pdf" else LARGEST_TEXT):
            yield path, found.st_size, found.st_mtime_ns
