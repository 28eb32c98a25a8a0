"""PDFs and folders that the tests of the library read; the PDFs are written by fpdf2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fpdf import FPDF

BIB = r"""
@article{lo2002, title = {The {Statistics} of {S}harpe Ratios}, year = 2002, doi = {10.2469/faj.v58.n4.2453}}
@article{bailey2014, title = {The Deflated Sharpe Ratio}, doi = {https://doi.org/10.3905/jpm.2014.40.5.094}}
@misc{crash2021, title = {Momentum crashes}, eprint = {2104.00001}, archivePrefix = {arXiv}}
@book{named, title = {Any title at all}, file = {:a\:b/from zotero.pdf:PDF}}
@article{lo2002, title = {a second entry of one key}}
@article{broken, title = {never closed
"""


def write_pdf(
    path: Path, pages: Sequence[Sequence[str]], table: Sequence[Sequence[str]] = (), layout: str = "ALL"
) -> None:
    """Write paragraphs on pages and a table on the last: ``ALL`` has rules around cells, ``THREE`` across."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=10)
    for page in pages:
        pdf.add_page()
        for paragraph in page:
            pdf.multi_cell(0, 5, paragraph, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(3)
    if layout == "THREE":
        rules = [pdf.get_y(), pdf.get_y() + 7, pdf.get_y() + 7 + 6 * (len(table) - 1)]
        for at, row in enumerate(table):
            pdf.set_y(rules[0] + 1 + 6 * at)
            for cell in row:
                pdf.cell(50, 5, cell)
        for y in rules:
            pdf.line(10, y, 160, y)
    elif table:
        with pdf.table() as drawn:
            for row in table:
                cells = drawn.row()
                for cell in row:
                    cells.cell(cell)
    pdf.output(str(path))


def write_papers(folder: Path) -> None:
    """Write a small library: papers with their bibliography, a page, a notebook, notes, code, a secret."""
    folder.mkdir()
    write_pdf(
        folder / "sharpe.pdf",
        [
            ["The Statistics of Sharpe Ratios", "The standard error of the ratio is derived."],
            ["With autocorrelated returns annualising by a square root fails."],
        ],
        [["Fund", "Sharpe"], ["Alpha", "1.25"], ["Beta", "-0.10"]],
    )
    write_pdf(folder / "2104.00001v2.pdf", [["On crashes", "Momentum portfolios crash in rebounds."]])
    (folder / "refs.bib").write_text(BIB)
    (folder / "page.html").write_text(
        "<html><body>\n<nav>menu</nav>\n<h1>Rates</h1>\n<p>The <b>yield</b> curve\ninverts.</p></body></html>"
    )
    (folder / "notes.md").write_text("# Money\n\nMoney moves in one place.\n\n## Later\n\nNothing yet.\n")
    (folder / "work.ipynb").write_text(
        '{"cells": [{"cell_type": "markdown", "source": ["# Plan\\n", "Measure the drift."]},'
        ' {"cell_type": "code", "source": "drift = prices.diff()", "outputs": []}], "nbformat": 4}'
    )
    (folder / "money.py").write_text(
        'def move_money(amount):\n    """Book an amount from one account to another."""\n    check(amount)\n'
    )
    (folder / ".env").write_text("TOKEN=unseen")
    (folder / "key.pem").write_text("unseen")
