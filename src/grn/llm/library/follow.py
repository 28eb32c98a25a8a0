"""An index brought up to date with its sources.

A file is read when its size or time differs. Every file is its own transaction: whoever kills the process
loses the file that was being read, and the next run goes on there.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grn.kit.files import sha256_hex
from grn.kit.sqlite import writing
from grn.llm.keys import mask
from grn.llm.library.bibliography import Paper, match_papers
from grn.llm.library.index import Index
from grn.llm.library.pages import head_of
from grn.llm.library.passages import Passage, Unreadable, read_passages
from grn.llm.library.sources import files_of
from grn.llm.tokens.pack.words import parts

_GONE = "is not there: what was read of it is kept, until grn llm index --forget"


@dataclass(frozen=True)
class Followed:
    """What following the sources came to.

    Attributes
    ----------
    read, gone
        Files that were looked at because they had changed, and files that are no more.
    faults
        What cannot be read, and why.
    fresh
        Those of them that were found now.
    """

    read: int
    gone: int
    faults: tuple[tuple[str, str], ...]
    fresh: tuple[tuple[str, str], ...]


def follow(index: Index, tell: Callable[[int, int], None] = lambda _done, _all: None) -> Followed:
    """Read what has changed, and forget what is gone.

    A source that is not there as a whole, such as a disk that is not mounted, keeps its passages.

    Parameters
    ----------
    tell
        Told how many files of how many have been read.
    """
    connection = index.connection
    rows = connection.execute("SELECT path, bytes, mtime_ns FROM files")
    known = {path: (n_bytes, mtime_ns) for path, n_bytes, mtime_ns in rows}
    seen: dict[str, tuple[int, int]] = {}
    names: dict[str, str] = {}
    named = {os.fspath(source) for source in index.sources()}
    away: list[tuple[str, str]] = []
    for source in index.sources():
        if not source.exists():
            away.append((os.fspath(source), _GONE))
            seen |= {path: known[path] for path in known if Path(path).is_relative_to(source)}
            continue
        for file, n_bytes, mtime_ns in files_of(source):
            place = os.fspath(file)
            seen[place] = (n_bytes, mtime_ns)
            names.setdefault(place, (Path(source.name) / file.relative_to(source)).as_posix())
    changed = [path for path in sorted(seen) if known.get(path) != seen[path]]
    gone = [path for path in sorted(known) if path not in seen]
    for path in gone:
        with writing(connection):
            _forget(connection, path)
    for done, path in enumerate(changed):
        tell(done, len(changed))
        _read(connection, path, names[path], *seen[path], asked_for=path in named)
    if changed or gone:
        with writing(connection):
            connection.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM passages)")
            _match(index)
    rows = connection.execute("SELECT path, fault FROM files WHERE fault IS NOT NULL ORDER BY path")
    faults = (*away, *((row[0], row[1]) for row in rows))
    fresh = tuple(fault for fault in faults if fault in away or fault[0] in changed)
    return Followed(len(changed), len(gone), faults, fresh)


def _read(
    connection: sqlite3.Connection, path: str, name: str, n_bytes: int, mtime_ns: int, *, asked_for: bool
) -> None:
    head, fault = "", None
    passages: list[Passage] = []
    suffix = Path(path).suffix.lower()
    try:
        data = Path(path).read_bytes()
        if suffix == ".bib":
            head = mask(data.decode("utf-8", "replace"))
        else:
            passages = read_passages(path, data)
            head = mask(head_of(passages)) if suffix == ".pdf" else ""
    except OSError as error:
        fault = error.strerror or "cannot be read"
    except Unreadable as error:
        fault = str(error)
    with writing(connection):
        _forget(connection, path)
        if fault == "binary" and not asked_for:
            fault = None  # a folder has many such files, and nobody meant them
        row = (path, n_bytes, mtime_ns, head, fault)
        connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)", row)
        for passage in passages:
            _insert(connection, path, name, passage)


def _insert(connection: sqlite3.Connection, path: str, name: str, passage: Passage) -> None:
    text = mask(passage.text)
    content = sha256_hex(f"{name}\n{passage.title}\n{text}".encode("utf-8", "replace"))
    made = connection.execute(
        "INSERT INTO passages (path, name, title, text, unit, first, last, code, content)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (path, name, passage.title, text, passage.unit, passage.first, passage.last, passage.code, content),
    )
    connection.execute(
        "INSERT INTO words (rowid, path, title, body) VALUES (?, ?, ?, ?)",
        (made.lastrowid, *_searched(name, passage.title, text)),
    )


def _forget(connection: sqlite3.Connection, path: str) -> None:
    rows = connection.execute("SELECT id, name, title, text FROM passages WHERE path = ?", (path,)).fetchall()
    for ident, *told in rows:
        # A contentless table has to be told what it forgets.
        connection.execute(
            "INSERT INTO words (words, rowid, path, title, body) VALUES ('delete', ?, ?, ?, ?)",
            (ident, *_searched(*told)),
        )
    connection.execute("DELETE FROM passages WHERE path = ?", (path,))
    connection.execute("DELETE FROM files WHERE path = ?", (path,))


def _match(index: Index) -> None:
    """Find anew which PDF is which entry of the bibliographies."""
    rows = index.connection.execute("SELECT path, head FROM files WHERE path LIKE '%.pdf' ORDER BY path")
    papers = [Paper(row[0], row[1] or "") for row in rows]
    found = match_papers(papers, index.bibliography())
    index.connection.execute("DELETE FROM works")
    index.connection.executemany(
        "INSERT INTO works VALUES (?, ?, ?)",
        [(path, work.key, work.title) for path, work in found.items()],
    )


def _searched(path: str, title: str, body: str) -> tuple[str, str, str]:
    return " ".join(parts(path)), " ".join(parts(title)), " ".join(parts(body))
