"""What was squeezed, as it was: kept by content, given back on request."""

from __future__ import annotations

import re
from pathlib import Path

from grn.kit.errors import MissingError, UsageError
from grn.ledger.blobs import BlobStore

SHOWN = 8
"""Hex digits of a name in squeezed texts: a clash is told, and more digits tell the two apart."""
_PREFIX = re.compile(r"[0-9a-f]{4,64}")


class Originals:
    """A folder of texts, named by their SHA-256."""

    def __init__(self, folder: Path) -> None:
        self._blobs = BlobStore(folder)

    def keep(self, data: bytes) -> str:
        """Keep a text and give its name.

        Raises
        ------
        OutputError
            The folder is not writable or the disk is full.
        """
        return self._blobs.put(data)

    def find(self, name: str) -> bytes:
        """Give a text by its name, or by how that begins.

        Raises
        ------
        UsageError
            It is no name, or several begin like this.
        MissingError
            Nothing of that name is kept.
        """
        if not _PREFIX.fullmatch(name):
            raise UsageError(
                "this is no name of an original",
                seen=name,
                hint="hex digits, as in the first line of what was squeezed",
            )
        found = [whole for whole in self._blobs.names() if whole.startswith(name)]
        if not found:
            raise MissingError("no such original is kept", seen=name, hint="was it squeezed with --no-keep?")
        if len(found) > 1:
            raise UsageError(
                "several originals begin like this", seen=name, hint=f"one of {', '.join(found)}"
            )
        return self._blobs.get(found[0])
