"""The ledger's file and its folder of blobs: opened, closed, written in whole transactions."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from grn.kit.clock import Clock, SystemClock, utc_text
from grn.kit.errors import LedgerError
from grn.kit.sqlite import connect, explained, writing
from grn.ledger import erasures
from grn.ledger.blobs import BlobStore
from grn.ledger.migrations import migrate

WHAT = "the ledger"
_FILE = "ledger.sqlite3"


def _random_suffix() -> str:
    return secrets.token_hex(3)


class LedgerFile:
    """One open file and its blobs: what :class:`grn.Ledger` stands on."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, clock: Clock, suffix: Callable[[], str]
    ) -> None:
        self.folder = folder
        self._connection = connection
        self._clock = clock
        self._suffix = suffix
        self._blobs = BlobStore(folder / "blobs")

    @classmethod
    def open(
        cls, folder: Path, clock: Clock | None = None, *, suffix: Callable[[], str] = _random_suffix
    ) -> Self:
        """Open the ledger in a folder, creating or migrating it when needed.

        Parameters
        ----------
        folder
            Usually :func:`grn.kit.paths.ledger_dir`. A local disk: SQLite's WAL does not work over a network.
        clock
            Stamps the records; default the machine's clock.
        suffix
            Makes the random part of run ids; given only where output must repeat byte for byte.

        Raises
        ------
        LedgerError
            The file is damaged, of another program or of a newer version, or stays locked.
        OutputError
            The folder cannot be created or written.
        """
        connection = connect(folder / _FILE, migrate, what=WHAT)
        return cls(folder, connection, SystemClock() if clock is None else clock, suffix)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a ledger in a folder; nothing is created."""
        return (folder / _FILE).is_file()

    def close(self) -> None:
        """Close the file; nothing is pending, ever."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put_blob(self, data: bytes) -> str:
        """Store bytes by content; returns their SHA-256. Name them in a run's outputs to find them again."""
        return self._blobs.put(data)

    def put_blobs(self, data: Sequence[bytes]) -> list[str]:
        """Store several at once, side by side: each waits for the disk several times."""
        with ThreadPoolExecutor(max(1, min(8, len(data)))) as pool:
            return list(pool.map(self._blobs.put, data))

    def get_blob(self, digest: str) -> bytes:
        """Read bytes by their SHA-256, verified; LedgerError when they are missing, erased or damaged."""
        try:
            return self._blobs.get(digest)
        except LedgerError:
            with explained(self.folder, WHAT):
                erased = None if self._blobs.has(digest) else erasures.of_blob(self._connection, digest)
            if erased is None:
                raise
            raise LedgerError(
                f"what is asked for was erased with run {erased.run}, by {erased.who}",
                seen=f"{utc_text(erased.erased_ns)}: {erased.why}",
                hint="run it again with the data at hand; its trials count as before",
            ) from None

    def _require_run(self, run: str) -> None:
        if not self._row("SELECT 1 FROM invocations WHERE run = ?", run):
            raise LedgerError(
                "the ledger has no such run", seen=run, hint="take the id that begin() returned"
            )

    def _row(self, query: str, value: str) -> bool:
        return self._connection.execute(query, (value,)).fetchone() is not None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction."""
        with explained(self.folder, WHAT), writing(self._connection):
            yield
