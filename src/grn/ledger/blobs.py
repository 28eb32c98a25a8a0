"""Bytes named by their content: written once, verified whenever they are read."""

from __future__ import annotations

import re
from pathlib import Path

from grn.kit.errors import LedgerError
from grn.kit.files import make_dir, sha256_hex, write_atomic

# Level 1: trial keys are hashes, which no level compresses; higher levels only cost time.
_LEVEL = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """A folder of zstd files; the name is the SHA-256 of the *uncompressed* bytes.

    So a name stays the same whatever the compressor, and equal contents are stored once. Several processes
    may write at the same time: a file appears whole or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Store bytes durably and return their name.

        A file that is there already is read and verified; a damaged one is replaced.

        Raises
        ------
        OutputError
            The folder is not writable or the disk is full.
        """
        digest = sha256_hex(data)
        path = self.path(digest)
        if path.exists():
            try:
                self.get(digest)
                return digest
            except LedgerError:
                pass
        import zstandard

        make_dir(path.parent)
        write_atomic(path, zstandard.ZstdCompressor(level=_LEVEL).compress(data))
        return digest

    def get(self, digest: str) -> bytes:
        """Read the bytes of that name and verify them.

        Raises
        ------
        LedgerError
            There is no such blob, or its content is not what its name says.
        """
        import zstandard

        path = self.path(digest)
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            raise LedgerError(
                "the ledger has no such blob", seen=digest, hint="restore the ledger's folder from a backup"
            ) from None
        except OSError as error:
            raise LedgerError(
                f"cannot read the blob {path}", seen=error.strerror, hint="check its permissions"
            ) from error
        try:
            data = zstandard.ZstdDecompressor().decompress(packed)
        except zstandard.ZstdError as error:
            raise _damaged(path, str(error)) from error
        found = sha256_hex(data)
        if found != digest:
            raise _damaged(path, f"sha256 {found}")
        return data

    def has(self, digest: str) -> bool:
        """Whether there is a blob of that name; it is not read."""
        return self.path(digest).exists()

    def remove(self, digest: str) -> None:
        """Remove a blob; one that is not there is removed already."""
        self.path(digest).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """List the blobs, in order of text."""
        return sorted(path.stem for path in self._folder.glob("??/*.zst"))

    def path(self, digest: str) -> Path:
        """Tell where the blob of that name is kept, whether or not it is there."""
        if not _DIGEST.fullmatch(digest):
            raise LedgerError(
                "a blob's name is a SHA-256 in 64 lower-case hex digits",
                seen=digest,
                hint="take the name from grn ledger show",
            )
        return self._folder / digest[:2] / f"{digest}.zst"


def _damaged(path: Path, seen: str) -> LedgerError:
    return LedgerError(
        f"the blob {path} is damaged",
        seen=seen,
        hint="restore that file from a backup, or run the sweep again",
    )
