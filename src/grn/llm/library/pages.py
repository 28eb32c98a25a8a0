"""PDFs as passages: the text of each page in its own order, and its tables row by row."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from grn.kit.errors import require_extra
from grn.llm.library.passages import Passage, Unreadable, prose_windows

_HYPHEN = re.compile("(?:\ufffe|\x02|\xad)\n?")  # a word that goes on in the next line, as PDFium writes it
_THIN = 2.0  # points: a rectangle of less height is a rule
_LONG = 40.0  # points: a rule of a table is longer
_WITHIN = {"vertical_strategy": "text", "horizontal_strategy": "text"}


def read_pdf(data: bytes) -> list[Passage]:
    """Read the pages of a PDF.

    The text comes from PDFium, which keeps the order in which a page was written: columns stay columns.
    Tables come from pdfplumber: with rules around their cells, or with three rules across
    it, as papers have them.

    Raises
    ------
    Unreadable
        It is damaged, locked, or has no text: pictures of pages.
    MissingExtraError
        pdfplumber is not installed.
    """
    pdfium = require_extra("pypdfium2", "library")
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise Unreadable(f"no PDF that can be read: {error}") from error
    found: list[Passage] = []
    ruled: list[int] = []
    try:
        for number in range(1, len(document) + 1):
            page = document[number - 1]
            lines = _lines(page)
            for some in prose_windows([(number, line) for line in lines]):
                body = "\n".join(line for _, line in some)
                found.append(Passage("", body, "page", number, number))
            if _has_rules(pdfium, page):
                ruled.append(number)
            page.close()
    except pdfium.PdfiumError as error:
        raise Unreadable(f"a page cannot be read: {error}") from error
    finally:
        document.close()
    if not found:
        raise Unreadable("no text in it: pictures of pages, which have to be recognised first")
    found += _tables(data, ruled)
    return sorted(found, key=lambda passage: passage.first)


def head_of(passages: Sequence[Passage]) -> str:
    """Give the text of a PDF's first page: what says which paper it is."""
    first = min((passage.first for passage in passages), default=1)
    return "\n".join(one.text for one in passages if one.first == first and not one.title)


def _lines(page: Any) -> list[str]:
    text = page.get_textpage().get_text_bounded().replace("\r\n", "\n")
    return _HYPHEN.sub("", text).splitlines()


def _has_rules(pdfium: Any, page: Any) -> bool:
    """Whether anything is drawn that could be the rules of a table: looking for tables is slow."""
    drawn = page.get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_PATH], max_depth=3)
    return sum(1 for _ in zip(drawn, range(3), strict=False)) == 3


def _tables(data: bytes, numbers: Sequence[int]) -> Iterator[Passage]:
    if not numbers:
        return
    pdfplumber = require_extra("pdfplumber", "library")
    logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it speaks of every oddity, on stderr
    try:
        with pdfplumber.open(io.BytesIO(data), pages=list(numbers)) as document:
            for page in document.pages:
                for place, rows in enumerate(_tables_of(page), 1):
                    body = "\n".join(" | ".join(row) for row in rows)
                    number = int(page.page_number)
                    yield Passage(f"table {place}", body, "page", number, number)
                page.close()
    except Exception as error:  # pdfminer fails in many ways on PDFs that PDFium has read; the text is there
        logging.getLogger(__name__).debug("tables: %s", error)


def _tables_of(page: Any) -> Iterator[list[list[str]]]:
    boxed = page.find_tables()
    for table in boxed:
        yield from _kept(table.extract())
    for x0, top, x1, bottom in _between_rules(page):
        if any(_overlap((top, bottom), (box.bbox[1], box.bbox[3])) for box in boxed):
            continue
        inside = page.crop((x0, top, x1, bottom), strict=False)
        yield from _kept(inside.extract_table(_WITHIN) or [])


def _kept(rows: Sequence[Sequence[str | None]]) -> Iterator[list[list[str]]]:
    """Give a table if it is one: two rows and two columns at least, and most cells filled."""
    cells = [[re.sub(r"\s+", " ", cell or "").strip() for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    filled = sum(1 for row in cells for cell in row if cell)
    if len(cells) >= 2 and len(cells[0]) >= 2 and 2 * filled >= len(cells) * len(cells[0]):
        yield cells


def _between_rules(page: Any) -> list[tuple[float, float, float, float]]:
    """Find where three or more rules of one length lie below each other: a table without vertical ones."""
    rules: dict[tuple[int, int], set[float]] = {}
    for one in [*page.lines, *page.rects]:
        x0, x1 = float(one["x0"]), float(one["x1"])
        if abs(float(one["bottom"]) - float(one["top"])) <= _THIN and x1 - x0 >= _LONG:
            rules.setdefault((round(x0), round(x1)), set()).add(round(float(one["top"]), 1))
    return [
        (float(x0), min(tops), float(x1), max(tops))
        for (x0, x1), tops in sorted(rules.items())
        if len(tops) >= 3
    ]


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
