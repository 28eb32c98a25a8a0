"""Bibliographies: entries of BibTeX files, and which PDF is which of them."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from grn.kit.errors import require_extra

_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>{}|\\^`]+", re.IGNORECASE)
_ARXIV = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(?:v\d+)?(?![\d.]*\d)|([a-z-]+(?:\.[A-Z]{2})?/\d{7})")
_SHORTEST_TITLE = 12  # letters: a shorter one is in many papers
_TITLE_WITHIN = 600  # letters of a first page in which its title stands


@dataclass(frozen=True)
class Work:
    """An entry of a bibliography.

    Attributes
    ----------
    key
        What it is cited by.
    title
        Without braces and commands.
    doi, arxiv
        In lower case, without version or address; empty when it has none.
    files
        Names of files that the entry says it has, as JabRef and Zotero write them.
    """

    key: str
    title: str
    doi: str = ""
    arxiv: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paper:
    """A PDF: its path, and the text of its first page."""

    path: str
    head: str


def read_bibliography(text: str) -> list[Work]:
    """Read the entries of a BibTeX file; what is no entry is passed over, of equal keys the first counts.

    Raises
    ------
    MissingExtraError
        bibtexparser is not installed.
    """
    bibtexparser = require_extra("bibtexparser", "library")
    middlewares = require_extra("bibtexparser.middlewares", "library")
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # it speaks of every oddity, on stderr
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
    decode = middlewares.LatexDecodingMiddleware(allow_inplace_modification=True)
    library = bibtexparser.parse_string(text, append_middleware=[decode])
    works: dict[str, Work] = {}
    for entry in library.entries:
        fields = {field.key.lower(): str(field.value) for field in entry.fields}
        arxiv = fields.get("eprint", "") if "arxiv" in fields.get("archiveprefix", "arxiv").lower() else ""
        known = " ".join([arxiv, fields.get("url", ""), fields.get("journal", "")])
        files = re.split(r"[;:]", fields.get("file", "").replace("\\:", ":"))
        works.setdefault(
            entry.key,
            Work(
                entry.key,
                " ".join(fields.get("title", "").replace("{", "").replace("}", "").split()),
                _doi(f"{fields.get('doi', '')} {fields.get('url', '')}"),
                _arxiv(known),
                tuple(PurePath(name).name for name in files if name.lower().endswith(".pdf")),
            ),
        )
    return list(works.values())


def match_papers(papers: Sequence[Paper], works: Sequence[Work]) -> dict[str, Work]:
    """Find which PDF is which entry, by path.

    In this order: the entry names the file; the file is called like the key; a DOI or an arXiv number on the
    first page or in the file's name; the title at the top of the first page. A rule counts where it fits
    exactly one entry: a paper that cites others names their numbers too, further down.
    """
    rules: tuple[Callable[[Paper, Work], bool], ...] = (
        lambda paper, work: PurePath(paper.path).name in work.files,
        lambda paper, work: _plain(PurePath(paper.path).stem) == _plain(work.key) != "",
        lambda paper, work: bool(work.doi) and work.doi == _doi(paper.head),
        lambda paper, work: bool(work.doi) and _plain(work.doi) in _plain(PurePath(paper.path).stem),
        lambda paper, work: bool(work.arxiv) and work.arxiv == _arxiv(PurePath(paper.path).stem),
        lambda paper, work: bool(work.arxiv) and work.arxiv == _arxiv(paper.head),
        lambda paper, work: (
            len(_plain(work.title)) >= _SHORTEST_TITLE
            and _plain(work.title) in _plain(paper.head)[:_TITLE_WITHIN]
        ),
    )
    found: dict[str, Work] = {}
    for paper in papers:
        for rule in rules:
            fits = [work for work in works if rule(paper, work)]
            if len(fits) == 1:
                found[paper.path] = fits[0]
                break
    return found


def _doi(text: str) -> str:
    found = _DOI.search(text)
    return found[0].rstrip(".,;)").lower() if found else ""


def _arxiv(text: str) -> str:
    found = _ARXIV.search(text)
    return (found[1] or found[2]).lower() if found else ""


def _plain(text: str) -> str:
    """Letters and digits alone, without accents, in lower case."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if char.isalnum())
