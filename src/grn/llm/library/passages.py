"""Documents cut into passages: each knows where it stands, for an answer to name file and line or page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from grn.llm.tokens.pack.chunks import cut

Unit = Literal["line", "page", "cell"]

_WORDS = 170  # of a passage of prose: with its heading it stays below the 256 tokens that the encoder reads
_LINES = 60  # of a passage of code


@dataclass(frozen=True)
class Passage:
    """A piece of a document.

    Attributes
    ----------
    title
        Heading, name of a definition, ``table 2``; may be empty.
    text
        What it says, as it is searched and shown.
    unit
        What `first` and `last` count, from 1: lines of a file, pages of a PDF, cells of a notebook.
    first, last
        Where it begins and ends.
    code
        Whether it is code: names count more than prose.
    """

    title: str
    text: str
    unit: Unit
    first: int
    last: int
    code: bool = False


class Unreadable(Exception):
    """A document without a text, and why; a person is told, and the others are read."""


def read_passages(path: str, data: bytes) -> list[Passage]:
    """Cut a document into passages, in order.

    Parameters
    ----------
    path
        Its name: the ending says what it is.
    data
        Its bytes.

    Raises
    ------
    Unreadable
        It is no text, or a PDF without one.
    MissingExtraError
        What reads its kind is not installed.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".pdf":
        from grn.llm.library.pages import read_pdf

        return read_pdf(data)
    if b"\0" in data:
        raise Unreadable("binary")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    if suffix in (".html", ".htm", ".xhtml"):
        from grn.llm.library.markup import read_html

        return read_html(text)
    if suffix == ".ipynb":
        from grn.llm.library.notebooks import read_notebook

        return read_notebook(text)
    return read_text(path, text)


def read_text(path: str, text: str) -> list[Passage]:
    """Cut a text at definitions or headings, and what is still long into windows."""
    lines = text.splitlines()
    found: list[Passage] = []
    for chunk in cut(path, text):
        numbered = [(number, lines[number - 1]) for number in chunk.lines if number <= len(lines)]
        code = chunk.kind in ("function", "class", "module")
        for some in code_windows(numbered) if code else prose_windows(numbered):
            body = "\n".join(line for _, line in some)
            found.append(Passage(chunk.name, body, "line", some[0][0], some[-1][0], code))
    return found


def code_windows(lines: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    """Give numbered lines in windows of as many as a person reads at once; blank ones give none."""
    for at in range(0, len(lines), _LINES):
        some = _stripped(lines[at : at + _LINES])
        if some:
            yield some


def prose_windows(lines: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    """Give numbered lines in windows of at most as many words as the encoder reads, whole paragraphs if so.

    A paragraph that is longer is cut between lines, a line that is longer between words.
    """
    window: list[tuple[int, str]] = []
    n_words = 0
    for paragraph in _paragraphs(_short(lines)):
        size = sum(len(line.split()) for _, line in paragraph)
        if window and n_words + size > _WORDS:
            yield from _kept(window)
            window, n_words = [], 0
        for number, line in paragraph:
            size = len(line.split())
            if window and n_words + size > _WORDS:
                yield from _kept(window)
                window, n_words = [], 0
            window.append((number, line))
            n_words += size
    yield from _kept(window)


def _paragraphs(lines: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    some: list[tuple[int, str]] = []
    for number, line in lines:
        some.append((number, line))
        if not line.strip():
            yield some
            some = []
    if some:
        yield some


def _short(lines: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    out: list[tuple[int, str]] = []
    for number, line in lines:
        words = line.split()
        if len(words) <= _WORDS:
            out.append((number, line))
        else:
            out += [(number, " ".join(words[at : at + _WORDS])) for at in range(0, len(words), _WORDS)]
    return out


def _kept(window: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    if some := _stripped(window):
        yield some


def _stripped(lines: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    """Leave blank lines at both ends out."""
    full = [at for at, (_, line) in enumerate(lines) if line.strip()]
    return lines[full[0] : full[-1] + 1] if full else []
