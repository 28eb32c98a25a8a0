"""HTML as passages: what a reader sees, cut at headings, tables row by row, by the lines of the file."""

from __future__ import annotations

import re
from typing import Any

from grn.kit.errors import require_extra
from grn.llm.library.passages import Passage, prose_windows

_UNSEEN = ("script", "style", "noscript", "template", "svg", "nav", "head")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# What ends a line of text when it begins or ends; everything else flows on.
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """
    address article aside blockquote br dd details div dl dt fieldset figcaption figure footer form header
    hr li main ol p pre section summary table tbody tfoot thead tr ul h1 h2 h3 h4 h5 h6
    """,
    )
)


def read_html(text: str) -> list[Passage]:
    """Cut a page at its headings.

    Raises
    ------
    MissingExtraError
        beautifulsoup4 is not installed.
    """
    bs4 = require_extra("bs4", "library")
    # The parser of the standard library tells the line on which each tag begins.
    page = bs4.BeautifulSoup(text, "html.parser")
    for unseen in page.find_all(_UNSEEN):
        unseen.decompose()
    title = ""
    section: list[tuple[int, str]] = []
    found: list[Passage] = []

    def close() -> None:
        for some in prose_windows(section):
            body = "\n".join(line for _, line in some)
            found.append(Passage(title, body, "line", some[0][0], some[-1][0]))
        section.clear()

    for number, line, heading in _lines(bs4, page):
        if heading:
            close()
            title = line
        section.append((number, line))
    close()
    return found


def _lines(bs4: Any, page: Any) -> list[tuple[int, str, bool]]:
    """Give the lines that a reader sees: number in the file, text, whether it is a heading."""
    out: list[tuple[int, str, bool]] = []
    words: list[str] = []
    at = 1

    def flush(heading: bool = False) -> None:
        line = re.sub(r"\s+", " ", "".join(words)).strip()
        if line:
            out.append((at, line, heading))
        words.clear()

    def walk(node: Any, number: int) -> None:
        nonlocal at
        for child in node.children:
            if isinstance(child, bs4.NavigableString):
                if isinstance(child, bs4.Comment | bs4.Doctype):
                    continue
                if not words:
                    at = number
                words.append(str(child))
                continue
            line = child.sourceline or number
            if child.name in _BLOCKS:
                flush()
            if child.name == "pre":
                for offset, row in enumerate(child.get_text().splitlines()):
                    if row.strip():
                        out.append((line + offset, row, False))
                continue
            if child.name in ("td", "th") and words:
                words.append(" | ")
            walk(child, line)
            if child.name in _BLOCKS:
                flush(child.name in _HEADINGS)

    walk(page, 1)
    flush()
    return out
