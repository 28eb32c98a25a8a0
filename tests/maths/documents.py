"""Derivations for tests, checked once."""

from __future__ import annotations

from pathlib import Path

from grn.maths.check import check_document
from grn.maths.documents import Document, load_document
from grn.maths.implement.results import Derivation, read_derivation
from grn.maths.worker import Worker

EXAMPLES = Path(__file__).parents[2] / "examples" / "derivations"


def derive(text: str, path: Path = Path("page.md")) -> Derivation:
    """The results of a page of Markdown."""
    with Worker() as worker:
        return read_derivation(check_document(Document(path, ((0, text),)), worker))


def derive_notebook(name: str, cache: Path) -> Derivation:
    """The results of an example; verdicts are kept in a folder."""
    with Worker() as worker:
        page = load_document(EXAMPLES / f"{name}.ipynb")
        return read_derivation(check_document(page, worker, cache=cache))
