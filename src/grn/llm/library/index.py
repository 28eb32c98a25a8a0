"""The index of a library: sources, passages, their words and their vectors in one SQLite file."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.errors import UsageError
from grn.kit.migrations import apply_steps
from grn.kit.sqlite import connect, explained, writing
from grn.llm.library.bibliography import Work, read_bibliography
from grn.llm.library.passages import Passage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_WHAT = "the index of a library"
_APPLICATION = 0x67726E6C  # "grnl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_STEPS = (
    (
        "CREATE TABLE sources (path TEXT PRIMARY KEY)",
        "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT)",
        # `head`: of a PDF the first page, of a bibliography its text; `fault`: why it could not be read.
        "CREATE TABLE files (path TEXT PRIMARY KEY, bytes INTEGER, mtime_ns INTEGER, head TEXT, fault TEXT)",
        # A number is never used again: words of a passage that is gone must not become another's.
        "CREATE TABLE passages (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT, name TEXT, title TEXT,"
        " text TEXT, unit TEXT, first INTEGER, last INTEGER, code INTEGER, content TEXT)",
        "CREATE INDEX passages_of_path ON passages (path)",
        "CREATE INDEX passages_of_content ON passages (content)",
        # Porter's stems; what is searched is taken apart before.
        "CREATE VIRTUAL TABLE words USING fts5 (path, title, body, tokenize = 'porter ascii', content = '')",
        "CREATE TABLE vectors (content TEXT, model TEXT, vector BLOB, PRIMARY KEY (content, model))"
        " WITHOUT ROWID",
        "CREATE TABLE works (path TEXT PRIMARY KEY, key TEXT, title TEXT)",
    ),
)


@dataclass(frozen=True)
class Placed:
    """A passage of a library.

    Attributes
    ----------
    id
        Its number in the index, which is of no meaning outside.
    path
        The file.
    name
        The file as it is cited: the source's own name and the path below it.
    passage
        What it says.
    key
        The cite key of the paper that it is from; ``None`` for other documents.
    """

    id: int
    path: Path
    name: str
    passage: Passage
    key: str | None = None

    @property
    def cite(self) -> str:
        """How an answer names it: ``lo2002 p. 3``, ``docs/guide.md:12``, ``notes.ipynb cell 4``."""
        match self.passage.unit:
            case "page":
                return f"{self.key or self.name} p. {self.passage.first}"
            case "cell":
                return f"{self.name} cell {self.passage.first}"
        return f"{self.name}:{self.passage.first}"


class Index:
    """An open index; see :func:`open_index`. What is in it is written by :mod:`grn.llm.library.follow`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def add(self, source: Path) -> None:
        """Add a folder or a file to what is followed.

        Raises
        ------
        UsageError
            There is none.
        """
        path = source.resolve()
        if not path.exists():
            raise UsageError("there is no such folder or file", seen=str(source))
        with writing(self.connection):
            self.connection.execute("INSERT OR IGNORE INTO sources VALUES (?)", (os.fspath(path),))

    def remove(self, source: Path) -> None:
        """Take a folder or a file out of what is followed; its passages go when it is followed next.

        Raises
        ------
        UsageError
            It was not followed.
        """
        path = os.fspath(source.resolve())
        with writing(self.connection):
            done = self.connection.execute("DELETE FROM sources WHERE path = ?", (path,)).rowcount
        if not done:
            hint = ", ".join(map(str, self.sources())) or "nothing is: grn llm index FOLDER"
            raise UsageError("this is not followed", seen=path, hint=f"followed: {hint}")

    def sources(self) -> list[Path]:
        """List what is followed."""
        rows = self.connection.execute("SELECT path FROM sources ORDER BY path")
        return [Path(row[0]) for row in rows]

    def setting(self, name: str) -> str | None:
        """Give a setting of this index."""
        row = self.connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, name: str, value: str) -> None:
        """Keep a setting of this index."""
        with writing(self.connection):
            self.connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def counts(self) -> dict[str, int]:
        """Count files, passages and papers."""
        one = self.connection.execute(
            "SELECT (SELECT count(*) FROM files WHERE fault IS NULL), (SELECT count(*) FROM passages),"
            " (SELECT count(*) FROM works)"
        ).fetchone()
        return dict(zip(("files", "passages", "papers"), one, strict=True))

    def papers(self) -> list[tuple[str, Work]]:
        """List the papers: file, and the entry of a bibliography that it was found to be."""
        rows = self.connection.execute("SELECT path, key, title FROM works ORDER BY key, path")
        return [(path, Work(key, title)) for path, key, title in rows]

    def keys(self) -> set[str]:
        """Give the cite keys of all entries of all bibliographies, with a PDF or without."""
        return {work.key for work in self.bibliography()}

    def bibliography(self) -> list[Work]:
        """Read all bibliographies, file by file."""
        rows = self.connection.execute("SELECT head FROM files WHERE path LIKE '%.bib' ORDER BY path")
        return [work for row in rows.fetchall() for work in read_bibliography(row[0])]

    def words(self, words: Sequence[str], weights: Sequence[float], limit: int) -> list[tuple[int, float]]:
        """Find the passages that have these words, the best first: number and BM25 score.

        Parameters
        ----------
        words
            Taken apart by :func:`grn.llm.tokens.pack.words.parts`.
        weights
            Of path, title and body.
        """
        if not words:
            return []
        asked = " OR ".join(f'"{word}"' for word in words)
        rows = self.connection.execute(
            "SELECT p.id, -bm25(words, ?, ?, ?) AS score FROM words JOIN passages p ON p.id = words.rowid"
            " WHERE words MATCH ? ORDER BY score DESC, p.id LIMIT ?",
            (*weights, asked, limit),
        )
        return [(int(row[0]), float(row[1])) for row in rows]

    def vectors(self, model: str) -> tuple[list[int], npt.NDArray[np.float32]]:
        """Give the vectors that a model made: numbers of passages [n], and float32 [n, d] in their order."""
        import numpy as np

        rows = self.connection.execute(
            "SELECT p.id, v.vector FROM passages p JOIN vectors v ON v.content = p.content AND v.model = ?",
            (model,),
        ).fetchall()
        if not rows:
            return [], np.zeros((0, 0), np.float32)
        ids = np.array([row[0] for row in rows])
        joined = np.frombuffer(b"".join(row[1] for row in rows), "<f4").astype(np.float32, copy=False)
        # Not sorted by SQLite, which would carry the vectors along: 1.9 s for 50,000 against 0.3 s.
        order = np.argsort(ids, kind="stable")
        return ids[order].tolist(), joined.reshape(len(rows), -1)[order]

    def missing(self, model: str) -> list[tuple[str, Placed]]:
        """List what has no vector of a model yet: content's hash, and a passage with it."""
        rows = self.connection.execute(
            "SELECT content, min(id) FROM passages WHERE content NOT IN"
            " (SELECT content FROM vectors WHERE model = ?) GROUP BY content ORDER BY 2",
            (model,),
        ).fetchall()
        placed = self.passages([row[1] for row in rows])
        return [(row[0], placed[row[1]]) for row in rows]

    def keep(self, model: str, made: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Keep vectors, by the hash of what they are of."""
        import numpy as np

        rows = [(content, model, np.asarray(vector, "<f4").tobytes()) for content, vector in made]
        with writing(self.connection):
            self.connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)

    def passages(self, ids: Sequence[int]) -> dict[int, Placed]:
        """Give passages by their numbers."""
        found: dict[int, Placed] = {}
        query = (
            "SELECT p.id, p.path, p.name, p.title, p.text, p.unit, p.first, p.last, p.code, w.key"
            " FROM passages p LEFT JOIN works w ON w.path = p.path WHERE p.id = ?"
        )
        for ident in ids:
            row = self.connection.execute(query, (ident,)).fetchone()
            if row is not None:
                passage = Passage(row[3], row[4], row[5], row[6], row[7], bool(row[8]))
                found[ident] = Placed(row[0], Path(row[1]), row[2], passage, row[9])
        return found


@contextmanager
def open_index(name: str, folder: Path) -> Iterator[Index]:
    """Open an index by its name, creating it when there is none.

    Parameters
    ----------
    name
        Letters, digits, dots, dashes.
    folder
        Where indexes lie: they may hold vectors that were paid for, so it is no cache.

    Raises
    ------
    UsageError
        The name is none.
    LedgerError
        It is damaged, of another program or of a newer version.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "this is no name of an index", seen=name, hint="letters, digits, dots, dashes: papers"
        )
    file = folder / f"{name}.sqlite3"
    connection = connect(
        file, lambda made: apply_steps(made, _STEPS, application_id=_APPLICATION, what=_WHAT), what=_WHAT
    )
    try:
        with explained(file.parent, _WHAT):
            yield Index(connection)
    finally:
        connection.close()


def names_of(folder: Path) -> list[str]:
    """List the indexes that there are."""
    return sorted(path.stem for path in folder.glob("*.sqlite3"))
