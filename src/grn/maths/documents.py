r"""Notebooks, Markdown and LaTeX files as a list of formulas: what is assumed, and what is claimed, in order.

Displayed formulas are claims, line by line; a row of ``align`` without a left side goes on from the row
before. Formulas in a sentence are assumptions where the sentence says so (let, assume, suppose, where, given
...), and so is a display that such a sentence introduces. All else is prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grn.kit.errors import MissingError, UsageError

LARGEST_FILE = 20 * 2**20
"""A document larger than this is refused; pictures inside of notebooks count."""

_TRIGGER = re.compile(
    r"\b(?:let|assume|assuming|suppose|where|given|with|denote|for|define|if|under|consider)\b", re.IGNORECASE
)
_INTRODUCTION = re.compile(r"\b(?:let|assume|suppose|given|define|consider|where)\b[^.]*$", re.IGNORECASE)
_DISPLAY = re.compile(
    r"""
    \$\$(?P<dollars>.+?)\$\$
  | \\\[(?P<brackets>.+?)\\\]
  | \\begin\{(?P<name>equation|align|gather|multline)(?P<star>\*?)\}(?P<body>.+?)\\end\{(?P=name)(?P=star)\}
  | ^```\{math\}[^\n]*\n(?P<fence>.+?)^```
  | ^```.*?^```
  | (?P<comment><!--.*?-->|(?m:^[ \t]*%[^\n]*$))
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_NO_MATHS = re.compile(r"\\(?:label|tag|ref)\*?\{[^}]*\}|\\(?:nonumber|notag)\b|(?<!\\)%[^\n]*")
_INLINE = re.compile(r"(?<![\\$])\$(?!\$)([^$\n]+?)(?<!\\)\$(?!\$)|\\\((.+?)\\\)")
_SAID = re.compile(r"(?:assume|given)\s*:\s*(.+)", re.IGNORECASE | re.DOTALL)
_SIDES = re.compile(r"[{}()\[\]]|[=<>]|\\(?:leq?|geq?|neq?|approx|implies|iff|lt|gt|succ(?:eq)?)\b|\\.")
_WORDS = r"symmetric(?:\s+and)?\s+positive\s+(?:semi)?definite|positive\s+(?:semi)?definite"
_WORDS += "|function|variable|matrix|invertible|symmetric|orthogonal|independent|Brownian|positive"
_DECLARED = re.compile(
    r"((?:\$[^$]+\$(?:\s*(?:,|and)\s*)?)+)\s*(?:is|are|be)?\s*(?:an?\s+)?(?:\w+\s+)??(" + _WORDS + r")\b"
)


@dataclass(frozen=True, slots=True)
class Formula:
    """One formula of a document.

    Attributes
    ----------
    cell, line
        Where it stands: the cell of a notebook (from 1; 0 in other files) and the line in it (from 1).
    end
        Where the display that it is in ends, in characters of the cell; marks are written there.
    latex
        The formula; of a row that goes on from the one before, with its left side.
    assumed
        Whether the document takes it as given.
    """

    cell: int
    line: int
    end: int
    latex: str
    assumed: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A document's texts: the whole file, or a notebook's Markdown cells by number."""

    path: Path
    texts: tuple[tuple[int, str], ...]

    def formulas(self) -> Iterator[Formula]:
        """Its formulas in order."""
        for cell, text in self.texts:
            yield from formulas_in(text, cell)


def load_document(path: Path) -> Document:
    """Read a document by its ending: ``.ipynb``, ``.md`` or ``.tex``.

    Raises
    ------
    MissingError
        There is no such file.
    UsageError
        Another ending, a file that is too large, or one that is broken.
    """
    if path.suffix not in (".ipynb", ".md", ".tex"):
        raise UsageError("no such kind of document", seen=path.suffix, hint="use .ipynb, .md or .tex")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError("the document is too large", seen=f"{path.stat().st_size:,} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingError("there is no such file", seen=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the document cannot be read", seen=f"{path}: {error}") from error
    if path.suffix != ".ipynb":
        return Document(path, ((0, text),))
    return Document(path, tuple(_cells(path, text)))


def _cells(path: Path, text: str) -> Iterator[tuple[int, str]]:
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "markdown":
                source = cell["source"]
                yield number, source if isinstance(source, str) else "".join(source)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        hint = "open it in Jupyter and save it, or convert it to version 4"
        raise UsageError("this is no notebook of version 4", seen=str(path), hint=hint) from error


def formulas_in(text: str, cell: int = 0) -> Iterator[Formula]:
    """The formulas of one text, in order."""
    place = 0
    for display in _DISPLAY.finditer(text):
        before = text[place : display.start()]
        yield from _inline(before, text, place, cell)
        place = display.end()
        if display["comment"]:
            yield from _commented(display["comment"], text, display.start(), cell)
            continue
        body = next((display[g] for g in ("dollars", "brackets", "body", "fence") if display[g]), None)
        if body is None:
            continue
        introduced = _introduces(before)
        start = display.start() + display[0].index(body)
        for offset, latex in _rows(body):
            blank = len(body) - offset - len(body[offset:].lstrip())
            line = text.count("\n", 0, start + offset + blank) + 1
            yield Formula(cell, line, display.end(), latex, introduced)
    yield from _inline(text[place:], text, place, cell)


def _introduces(before: str) -> bool:
    """Whether the sentence that ends here says that what follows is assumed."""
    sentence = re.split(r"(?<=[.!?])\s|\n\s*\n", before.rstrip())[-1] if before.strip() else ""
    if before.endswith("\n\n") and not sentence.rstrip().endswith((":", ",")):
        return False
    return bool(_INTRODUCTION.search(sentence))


def _inline(part: str, text: str, offset: int, cell: int) -> Iterator[Formula]:
    """Assumptions in sentences."""
    for sentence in re.finditer(r".+?(?:[.!?](?=\s|$)|\n\s*\n|$)", part, re.DOTALL):
        words = sentence[0]
        found = _TRIGGER.search(_INLINE.sub(" ", words))
        if not found:
            continue
        for declared in _DECLARED.finditer(words):
            names = " and ".join(name.strip() for name in re.findall(r"\$([^$]+)\$", declared[1]))
            told = (
                [f"{declared[2]} {name}" for name in names.split(" and ")]
                if declared[2] in ("function", "variable", "matrix")
                else [f"{names} {declared[2]}"]
            )
            line = text.count("\n", 0, offset + sentence.start() + declared.start()) + 1
            for latex in told:
                yield Formula(cell, line, 0, latex, True)
        for inline in _INLINE.finditer(words):
            latex = (inline[1] or inline[2]).strip()
            if not re.search(r"[=<>]|\\(?:in|sim|leq?|geq?|neq?|succ(?:eq)?)\b|^\w+\([\w, ]+\)$", latex):
                continue
            line = text.count("\n", 0, offset + sentence.start() + inline.start()) + 1
            yield Formula(cell, line, 0, latex, True)


def _commented(comment: str, text: str, start: int, cell: int) -> Iterator[Formula]:
    said = _SAID.search(comment.removesuffix("-->").strip().lstrip("%").strip())
    if said:
        line = text.count("\n", 0, start) + 1
        for latex in filter(None, (part.strip() for part in said[1].split(";"))):
            yield Formula(cell, line, 0, latex, True)


def _rows(body: str) -> Iterator[tuple[int, str]]:
    r"""Rows of a display with their places; ``\label`` and the like are left out."""
    left = ""
    for offset, row in _split_rows(body):
        latex = _NO_MATHS.sub(" ", row).strip()
        if not latex:
            continue
        plain = latex.lstrip("&").strip()
        begins = re.match(r"(?:=|<|>|\\(?:leq?|geq?|neq?|approx|lt|gt|succ(?:eq)?)\b)", plain)
        if begins and left:
            latex = f"{left} {plain}"
        yield offset, latex
        left = _last_side(latex) or left


def _split_rows(body: str) -> Iterator[tuple[int, str]]:
    """Split at line breaks outside of inner environments."""
    depth = start = 0
    for found in re.finditer(r"\\begin\{|\\end\{|\\\\(?:\[[^\]]*\])?", body):
        if found[0].startswith(r"\begin"):
            depth += 1
        elif found[0].startswith(r"\end"):
            depth -= 1
        elif depth == 0:
            yield start, body[start : found.start()]
            start = found.end()
    yield start, body[start:]


def _last_side(latex: str) -> str:
    """What stands behind the last relation of a row that is outside of all braces."""
    depth, cut = 0, -1
    for found in _SIDES.finditer(latex):
        if found[0] in "{([":
            depth += 1
        elif found[0] in "})]":
            depth -= 1
        elif depth == 0 and (found[0] in "=<>" or (found[0].startswith("\\") and len(found[0]) > 2)):
            cut = found.end()
    return latex[cut:].strip().lstrip("&").strip().rstrip(".,;") if cut >= 0 else ""
