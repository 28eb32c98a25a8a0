"""Files as entries of an index: their pieces and the words of each, read by one process or by several."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context

from grn.llm.tokens.pack.chunks import cut
from grn.llm.tokens.pack.words import parts

_BATCH = 16  # files that go to a process at once: the way there and back is paid once for all of them
_AHEAD = 4  # batches for each process that are read before they are asked for: more is only memory


@dataclass(frozen=True)
class Entry:
    """A piece of a file as its index keeps it.

    Attributes
    ----------
    kind, name
        As in :class:`~grn.llm.tokens.pack.chunks.Chunk`.
    lines, signature
        Numbers of lines, as JSON.
    letters
        How long it is.
    searched
        Words of its path, of its name and of its body.
    """

    kind: str
    name: str
    lines: str
    signature: str
    letters: int
    searched: tuple[str, str, str]


def read_entries(path: str, text: str) -> list[Entry]:
    """Cut a file into entries, in the order of its pieces."""
    lines = text.splitlines()
    entries = []
    for chunk in cut(path, text) if text.strip() else ():
        body = body_of(lines, chunk.lines)
        entries.append(
            Entry(
                chunk.kind,
                chunk.name,
                json.dumps(chunk.lines),
                json.dumps(chunk.signature),
                len(body),
                searched(path, chunk.name, body),
            )
        )
    return entries


def body_of(lines: Sequence[str], numbers: Iterable[int]) -> str:
    """Give the lines of these numbers, as far as there are such."""
    return "\n".join(lines[number - 1] for number in numbers if number <= len(lines))


def searched(path: str, name: str, body: str) -> tuple[str, str, str]:
    """Give what a piece is found by: words of its path, its name and its body, taken apart."""
    return " ".join(parts(path)), " ".join(parts(name)), " ".join(parts(body))


def read_all(texts: Iterable[tuple[str, str]], processes: int) -> Iterator[tuple[str, str, list[Entry]]]:
    """Cut files into entries: path, text and entries of each, in the order of the files.

    Processes begin anew (``spawn``), so a program that asks for more than one guards its beginning with
    ``if __name__ == "__main__"``. Where none can be started, or one is killed, this process goes on alone:
    what comes out is the same for any number.

    Parameters
    ----------
    texts
        Path and text of each file; taken as they are needed, a few ahead.
    processes
        That read, beside this one, which hands out and takes in; 1 starts none.
    """
    source = iter(texts)
    batches = iter(lambda: list(islice(source, _BATCH)), [])
    if processes <= 1:
        for batch in batches:
            yield from _together(batch, _read_batch(batch))
        return
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    asked: deque[tuple[_Batch, Future[_Read] | None]] = deque()
    try:
        for batch in batches:
            asked.append((batch, _ask(pool, batch)))
            if len(asked) > processes * _AHEAD:
                yield from _answer(*asked.popleft())
        while asked:
            yield from _answer(*asked.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


_Batch = list[tuple[str, str]]
_Read = list[list[Entry]]


def _read_batch(batch: _Batch) -> _Read:
    return [read_entries(path, text) for path, text in batch]


def _ask(pool: ProcessPoolExecutor, batch: _Batch) -> Future[_Read] | None:
    try:
        return pool.submit(_read_batch, batch)
    except BrokenProcessPool:
        return None


def _answer(batch: _Batch, asked: Future[_Read] | None) -> Iterator[tuple[str, str, list[Entry]]]:
    try:
        read = _read_batch(batch) if asked is None else asked.result()
    except BrokenProcessPool:
        read = _read_batch(batch)
    return _together(batch, read)


def _together(batch: _Batch, read: _Read) -> Iterator[tuple[str, str, list[Entry]]]:
    return ((path, text, entries) for (path, text), entries in zip(batch, read, strict=True))
