from __future__ import annotations

import io
from pathlib import Path

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st

from grn.llm.library.passages import Passage, Unreadable, prose_windows, read_passages
from tests.llm.library.papers import write_pdf

WORDS = st.lists(st.sampled_from(["alpha", "beta", "", "gamma delta"]), max_size=8).map(" ".join)


@given(st.lists(st.one_of(WORDS, st.just("word " * 400)), max_size=30))
def test_prose_is_cut_without_loss(lines: list[str]) -> None:
    """Every word is in exactly one window, in order, and no window has more words than the encoder reads."""
    windows = list(prose_windows(list(enumerate(lines, 1))))
    assert " ".join(line for some in windows for _, line in some).split() == " ".join(lines).split()
    assert all(sum(len(line.split()) for _, line in some) <= 170 for some in windows)
    numbers = [number for some in windows for number, _ in some]
    assert numbers == sorted(numbers)
    assert all(some[0][1].strip() and some[-1][1].strip() for some in windows)


def test_pages_and_tables_of_a_pdf(tmp_path: Path) -> None:
    """Text by page, a table row by row: with rules around its cells, or three across as papers have them."""
    table = [["Fund", "Sharpe"], ["Alpha", "1.25"], ["Beta", "-0.10"]]
    for layout in ("ALL", "THREE"):
        write_pdf(tmp_path / "a.pdf", [["First page."], ["Second page."]], table, layout)
        found = read_passages("a.pdf", (tmp_path / "a.pdf").read_bytes())
        assert [(one.unit, one.first, one.title) for one in found] == [
            ("page", 1, ""), ("page", 2, ""), ("page", 2, "table 1"),
        ]  # fmt: skip
        assert found[0].text == "First page."
        assert found[2].text.splitlines() == ["Fund | Sharpe", "Alpha | 1.25", "Beta | -0.10"]


def test_columns_stay_columns(tmp_path: Path) -> None:
    """A line of the left column is not followed by the one beside it."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=10)
    with pdf.text_columns(ncols=2, gutter=10, text_align="L") as columns:
        columns.write("left " * 60)
        columns.new_column()
        columns.write("right " * 60)
    (page,) = read_passages("a.pdf", bytes(pdf.output()))
    assert page.text.split() == ["left"] * 60 + ["right"] * 60


def test_html_is_what_a_reader_sees() -> None:
    """Cut at headings, by the lines of the file; scripts and menus are nothing, cells stand apart."""
    page = (
        "<html><head><title>no</title><script>no()</script></head><body>\n<nav>no</nav>\n<h1>One</h1>\n"
        "<p>The <b>yield</b>\ncurve</p>\n<h2>Two</h2><table><tr><th>a</th><th>b</th></tr>"
        "<tr><td>1</td><td>2</td></tr></table>\n<pre>x = 1\ny = 2</pre><!-- no --></body></html>"
    )
    assert read_passages("a.html", page.encode()) == [
        Passage("One", "One\nThe yield curve", "line", 3, 4),
        Passage("Two", "Two\na | b\n1 | 2\nx = 1\ny = 2", "line", 6, 8),
    ]


def test_notebooks_by_cell_and_code_by_definition() -> None:
    """A cell's heading is the title of what follows it; what was printed is left out; docstrings are text."""
    notebook = (
        '{"cells": [{"cell_type": "markdown", "source": "# Plan\\nMeasure."},'
        ' {"cell_type": "code", "source": ["x = 1"], "outputs": [{"text": "no"}]}]}'
    )
    assert read_passages("a.ipynb", notebook.encode()) == [
        Passage("Plan", "# Plan\nMeasure.", "cell", 1, 1),
        Passage("Plan", "x = 1", "cell", 2, 2, code=True),
    ]
    code = b'import os\n\n\nclass A:\n    def f(self):\n        """Say why."""\n        return 1\n'
    found = read_passages("a.py", code)
    assert [(one.title, one.first, one.last) for one in found] == [("", 1, 1), ("A", 4, 4), ("A.f", 5, 7)]
    assert "Say why." in found[2].text


def test_a_long_function_is_cut_into_windows() -> None:
    """None is longer than sixty lines, all have its name."""
    body = "".join(f"    x{at} = {at}\n" for at in range(130))
    found = read_passages("a.py", f"def f():\n{body}".encode())
    assert [(one.title, one.first, one.last) for one in found] == [
        ("f", 1, 60), ("f", 61, 120), ("f", 121, 131),
    ]  # fmt: skip


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Binary, not UTF-8, a damaged notebook or PDF, a PDF of pictures: each with its reason."""
    write_pdf(tmp_path / "empty.pdf", [[]])
    cases = {
        ("a.txt", b"a\0b"): "binary",
        ("a.txt", b"\xff\xfe"): "not UTF-8",
        ("a.ipynb", b"{}"): "notebook",
        ("a.pdf", b"%PDF-1.7 and nothing"): "no PDF that can be read",
        ("a.pdf", (tmp_path / "empty.pdf").read_bytes()): "no text in it",
    }
    for (name, data), why in cases.items():
        with pytest.raises(Unreadable, match=why):
            read_passages(name, data)
    cut = io.BytesIO((tmp_path / "empty.pdf").read_bytes()[:300]).getvalue()
    with pytest.raises(Unreadable):
        read_passages("a.pdf", cut)
