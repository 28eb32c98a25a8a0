"""The index of a folder: its files in pieces and their words, in one SQLite file that follows the folder."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from grn.kit.errors import LedgerError, UsageError
from grn.kit.files import sha256_hex
from grn.kit.migrations import apply_steps
from grn.kit.sqlite import connect, explained, lock_of, writing
from grn.llm.keys import mask
from grn.llm.tokens.pack.chunks import Chunk, Kind
from grn.llm.tokens.pack.entries import Entry, body_of, read_all, searched
from grn.llm.tokens.pack.folder import list_files
from grn.llm.tokens.pack.languages import BY_SUFFIX

_WHAT = "the index of a folder"
_APPLICATION = 0x67726E70  # "grnp"
_MANY = 400  # files: below, starting processes takes longer than what they save
Side = Literal["code", "test", "text"]
_TEST = re.compile(r"(?:^|[/_.])(?:tests?|testing|conftest)(?:[/_.]|$)")
_TEXT = re.compile(r"(?:^|/)(?:docs?|examples?|tutorials?|changelogs?|benchmarks?)/")
_PIECE = "c.path, c.kind, c.name, c.lines, c.signature, c.side, c.letters"
_STEPS = (
    (
        "CREATE TABLE files (path TEXT PRIMARY KEY, bytes INTEGER, mtime_ns INTEGER, sha256 TEXT, text TEXT)",
        "CREATE TABLE chunks (id INTEGER PRIMARY KEY, path TEXT, kind TEXT, name TEXT, last_name TEXT,"
        " lines TEXT, signature TEXT)",
        "CREATE INDEX chunks_of_path ON chunks (path)",
        "CREATE INDEX chunks_of_name ON chunks (last_name)",
        # Porter's stems; what is searched is taken apart before.
        "CREATE VIRTUAL TABLE words USING fts5 (path, name, body, tokenize = 'porter ascii', content = '')",
    ),
    # What was indexed before is read again: it is computed from the folder.
    (
        "ALTER TABLE chunks ADD COLUMN side TEXT",
        "ALTER TABLE chunks ADD COLUMN letters INTEGER",
        "DELETE FROM files",
        "DELETE FROM chunks",
        "INSERT INTO words (words) VALUES ('delete-all')",
    ),
    ("CREATE TABLE vectors (text_sha256 TEXT PRIMARY KEY, vector BLOB)",),
)


@dataclass(frozen=True)
class Piece:
    """A chunk of a file, as it was when it was indexed.

    Attributes
    ----------
    side
        Where it stands: in ``code``, a ``test``, or a ``text`` (documents, examples, data).
    letters
        How long it is.
    """

    path: str
    chunk: Chunk
    side: Side
    letters: int


@dataclass(frozen=True)
class Hit:
    """A piece that has words of a question, and its BM25: of all it says, of its body, of its name."""

    piece: Piece
    score: float
    body: float
    name: float


class Index:
    """An open index; see :func:`open_index`."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def follow(self, processes: int = 1) -> int:
        """Bring it up to date with the folder; returns how many files were read anew.

        A file is read when its size or time differs, and its pieces are made anew when its content does. All
        of it is one transaction: who searches meanwhile sees the folder as it was. Many files are cut by that
        many processes, with the same result as by one.
        """
        known = {
            path: (n_bytes, mtime_ns)
            for path, n_bytes, mtime_ns in self._connection.execute("SELECT path, bytes, mtime_ns FROM files")
        }
        seen = list_files(self._folder)
        changed = [path for path in sorted(seen) if known.get(path) != seen[path]]
        gone = [path for path in known if path not in seen]
        if not changed and not gone:
            return 0
        with writing(self._connection):
            for path in gone:
                self._forget(path)
            texts = self._changed(changed, seen)
            for path, text, entries in read_all(texts, processes if len(changed) >= _MANY else 1):
                self._enter(path, text, entries, *seen[path])
        return len(changed)

    def search(self, words: Sequence[str], side: Side, limit: int) -> list[Hit]:
        """Find the pieces of a side that have these words, the best first: names count most, then paths.

        Equal ones are in order of path and line.
        """
        if not words:
            return []
        asked = " OR ".join(f'"{word}"' for word in words)
        rows = self._connection.execute(
            f"SELECT {_PIECE}, -bm25(words, 2.0, 4.0, 1.0) AS score, -bm25(words, 0.0, 0.0, 1.0),"
            " -bm25(words, 0.0, 1.0, 0.0) FROM words JOIN chunks c ON c.id = words.rowid"
            " WHERE words MATCH ? AND c.side = ? ORDER BY score DESC, c.path, c.id LIMIT ?",
            (asked, side, limit),
        )
        return [Hit(_piece(*row[:-3]), *row[-3:]) for row in rows]

    def saying(self, words: Sequence[str], side: Side, most: int) -> list[Piece]:
        """Give the pieces of a side whose body has these words in a row; none if more than `most` have."""
        rows = self._connection.execute(
            f"SELECT {_PIECE} FROM words JOIN chunks c ON c.id = words.rowid"
            " WHERE words MATCH ? AND c.side = ? ORDER BY c.path, c.id LIMIT ?",
            (f'body : "{" ".join(words)}"', side, most + 1),
        ).fetchall()
        return [_piece(*row) for row in rows] if len(rows) <= most else []

    def count(self, side: Side) -> int:
        """Count the pieces of a side."""
        (n_pieces,) = self._connection.execute(
            "SELECT count(*) FROM chunks WHERE side = ?", (side,)
        ).fetchone()
        return int(n_pieces)

    def vectors(self, texts: Sequence[str], encode: Callable[[str], bytes]) -> list[bytes]:
        """Give the vector of each text; those that are not kept yet are encoded, and kept from then on."""
        found: dict[str, bytes] = {}
        for text in dict.fromkeys(texts):
            row = self._connection.execute(
                "SELECT vector FROM vectors WHERE text_sha256 = ?", (_digest(text),)
            ).fetchone()
            if row is not None:
                found[text] = row[0]
        new = {text: encode(text) for text in dict.fromkeys(texts) if text not in found}
        if new:
            with writing(self._connection):
                self._connection.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                    [(_digest(text), vector) for text, vector in new.items()],
                )
        return [(found | new)[text] for text in texts]

    def named(self, names: Iterable[str], most: int) -> dict[str, list[Piece]]:
        """Give the pieces that define a name; names that more than `most` pieces define are left out."""
        found: dict[str, list[Piece]] = {}
        for name in sorted(set(names)):
            rows = self._connection.execute(
                f"SELECT {_PIECE} FROM chunks c WHERE last_name = ? ORDER BY path, id LIMIT ?",
                (name, most + 1),
            ).fetchall()
            if 0 < len(rows) <= most:
                found[name] = [_piece(*row) for row in rows]
        return found

    def under(self, path: str) -> list[Piece]:
        """Give the pieces of the file whose path ends like this, if there is just one such file."""
        ending = "/" + path.lstrip("./")
        every = [row[0] for row in self._connection.execute("SELECT path FROM files ORDER BY path")]
        # A traceback's path is absolute: it may be longer than ours.
        fits = [one for one in every if f"/{one}".endswith(ending) or ending.endswith(f"/{one}")]
        longest = max(map(len, fits), default=0)
        fits = [one for one in fits if len(one) == longest]
        if len(fits) != 1:
            return []
        rows = self._connection.execute(
            f"SELECT {_PIECE} FROM chunks c WHERE path = ? ORDER BY id", (fits[0],)
        )
        return [_piece(*row) for row in rows]

    def text(self, path: str) -> list[str]:
        """Give the lines of a file as it was when it was indexed."""
        row = self._connection.execute("SELECT text FROM files WHERE path = ?", (path,)).fetchone()
        return [] if row is None else str(row[0]).splitlines()

    def _changed(
        self, paths: Iterable[str], seen: Mapping[str, tuple[int, int]]
    ) -> Iterator[tuple[str, str]]:
        """Read files; gives those that say something else than when they were read before.

        Keys are masked here and not in the processes that cut: only this one knows those of the keyring.
        """
        for path in paths:
            text = mask(_text_of(self._folder / path))
            before = self._connection.execute("SELECT sha256 FROM files WHERE path = ?", (path,)).fetchone()
            if before is not None and before[0] == _digest(text):
                self._connection.execute(
                    "UPDATE files SET bytes = ?, mtime_ns = ? WHERE path = ?", (*seen[path], path)
                )
            else:
                yield path, text

    def _enter(self, path: str, text: str, entries: Sequence[Entry], n_bytes: int, mtime_ns: int) -> None:
        self._forget(path)
        self._connection.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?)", (path, n_bytes, mtime_ns, _digest(text), text)
        )
        side = side_of(path)
        for entry in entries:
            made = self._connection.execute(
                "INSERT INTO chunks (path, kind, name, last_name, lines, signature, side, letters)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (path, entry.kind, entry.name, entry.name.rpartition(".")[2], entry.lines,
                 entry.signature, side, entry.letters),
            )  # fmt: skip
            self._connection.execute(
                "INSERT INTO words (rowid, path, name, body) VALUES (?, ?, ?, ?)",
                (made.lastrowid, *entry.searched),
            )

    def _forget(self, path: str) -> None:
        rows = self._connection.execute(
            "SELECT id, name, lines FROM chunks WHERE path = ?", (path,)
        ).fetchall()
        lines = self.text(path) if rows else []
        for ident, name, numbers in rows:
            # A contentless table has to be told what it forgets.
            self._connection.execute(
                "INSERT INTO words (words, rowid, path, name, body) VALUES ('delete', ?, ?, ?, ?)",
                (ident, *searched(path, name, body_of(lines, json.loads(numbers)))),
            )
        self._connection.execute("DELETE FROM chunks WHERE path = ?", (path,))
        self._connection.execute("DELETE FROM files WHERE path = ?", (path,))


def _text_of(file: Path) -> str:
    """Read a file; what is no text is empty."""
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else text


def _digest(text: str) -> str:
    return sha256_hex(text.encode("utf-8", "replace"))


def side_of(path: str) -> Side:
    """Tell by its path whether a file is a test, a text beside the code, or code."""
    if _TEST.search(path):
        return "test"
    known = PurePosixPath(path).suffix.lower() in BY_SUFFIX
    return "code" if known and not _TEXT.search(path) else "text"


@contextmanager
def open_index(folder: Path, cache: Path, processes: int = 1) -> Iterator[Index]:
    """Open the index of a folder, up to date.

    Parameters
    ----------
    folder
        What is indexed: what Git does not ignore there, without files that are binary, larger than a
        mebibyte, or hold secrets by their name. Keys in texts are masked.
    cache
        Where indexes are kept. One that is damaged is made anew.
    processes
        That cut the files, when there are many; see :func:`~grn.llm.tokens.pack.entries.read_all`.

    Raises
    ------
    UsageError
        There is no such folder.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise UsageError("there is no such folder", seen=str(folder), hint="name the folder of the code")
    file = cache / f"{sha256_hex(os.fsencode(root))[:16]}.sqlite3"
    try:
        connection = _connect(file)
    except LedgerError:
        for path in (
            file,
            lock_of(file),
            file.with_name(f"{file.name}-wal"),
            file.with_name(f"{file.name}-shm"),
        ):
            path.unlink(missing_ok=True)
        connection = _connect(file)
    try:
        with explained(file.parent, _WHAT):
            index = Index(connection, root)
            index.follow(processes)
            yield index
    finally:
        connection.close()


def _connect(file: Path) -> sqlite3.Connection:
    return connect(
        file, lambda made: apply_steps(made, _STEPS, application_id=_APPLICATION, what=_WHAT), what=_WHAT
    )


def _piece(path: str, kind: Kind, name: str, lines: str, signature: str, side: Side, letters: int) -> Piece:
    chunk = Chunk(kind, name, tuple(json.loads(lines)), tuple(json.loads(signature)))
    return Piece(path, chunk, side, letters)
