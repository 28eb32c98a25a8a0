from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from grn.kit.errors import MissingError, UsageError
from grn.maths.check import check_document, step_key
from grn.maths.documents import formulas_in, load_document
from grn.maths.report import write_marks, write_page
from grn.maths.worker import Worker

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))

PAGE = r"""# A derivation

Let $x > 0$ and let $f$ be a function.
<!-- assume: n \in \mathbb{N} -->

\begin{align}
(x+1)^2 &= x^2 + 2x + 1 \\
  &= x(x+2) + 1 \label{two} \\
  &\ge 1
\end{align}

The price of 5 coffees is $x = 3$ here. A definition: define
$$ u = x^2 $$
and so $$ \frac{d}{dx} u = 3x $$

```python
print("$$ 1 = 2 $$")
```
This cannot be read: \[ 1/2x = 1 \]
"""


@pytest.fixture(scope="module")
def worker() -> object:
    with Worker() as started:
        yield started


def test_an_equation_about_a_new_name_is_its_definition(tmp_path: Path, worker: Worker) -> None:
    """A name alone on the left, met nowhere before; met before, on both sides or not alone: a claim."""
    page = tmp_path / "page.md"
    page.write_text(
        "$$ d_1 = a + b $$ $$ d_2 = d_1 - b $$ $$ d_2 = a $$ $$ b = d_1 + 1 $$$$ z = z + 1 $$ $$ 2 y = 3 $$",
        encoding="utf-8",
    )
    kinds = [step.verdict.kind for step in check_document(load_document(page), worker).steps]
    assert kinds == ["assumed", "assumed", "proved", "refuted", "refuted", "refuted"]


def test_formulas_are_found_in_order() -> None:
    """Assumptions in words and comments, rows of displays with their left sides; code is left out."""
    found = [(f.line, f.latex, f.assumed) for f in formulas_in(PAGE)]
    assert found == [
        (3, "function f", True),
        (3, "x > 0", True),
        (4, r"n \in \mathbb{N}", True),
        (7, "(x+1)^2 &= x^2 + 2x + 1", False),
        (8, "x^2 + 2x + 1 = x(x+2) + 1", False),
        (9, r"x(x+2) + 1 \ge 1", False),
        (13, "u = x^2", True),
        (14, r"\frac{d}{dx} u = 3x", False),
        (19, "1/2x = 1", False),
    ]


def test_a_document_is_checked_and_marked(tmp_path: Path, worker: Worker) -> None:
    """Every claim has its verdict, under what was assumed before it; marks and page say the same."""
    source = tmp_path / "page.md"
    source.write_text(PAGE, encoding="utf-8")
    document = load_document(source)
    checked = check_document(document, worker, cache=tmp_path / "cache")
    kinds = [step.verdict.kind for step in checked.steps if step.verdict.kind != "assumed"]
    assert kinds == ["proved", "proved", "proved", "refuted", "unparsed"]
    assert checked.refuted
    again = check_document(document, worker, cache=tmp_path / "cache")
    assert again == checked
    marked = write_marks(checked, document, tmp_path / "marked.md").read_text(encoding="utf-8")
    assert source.read_text(encoding="utf-8") == PAGE
    kept = [line for line in marked.splitlines() if not line.startswith("> ")]
    assert [line for line in kept if line] == [line for line in PAGE.splitlines() if line]
    assert "refuted by ball arithmetic" in marked
    page = write_page(checked, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<mark>" in page
    with pytest.raises(UsageError):
        write_marks(checked, document, source)


def test_a_notebook_is_checked_cell_by_cell(tmp_path: Path, worker: Worker) -> None:
    """Markdown cells are read, code cells are not; the marked copy keeps the other cells."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["Let $a > 0$.\n", "$$\\sqrt{a^2} = a$$"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "'$$1 = 2$$'",
            "outputs": [],
            "execution_count": None,
        },
    ]
    source = tmp_path / "book.ipynb"
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    source.write_text(text, encoding="utf-8")
    checked = check_document(load_document(source), worker)
    assert [(s.formula.cell, s.verdict.kind) for s in checked.steps] == [(1, "assumed"), (1, "proved")]
    marked = json.loads(write_marks(checked, load_document(source), tmp_path / "m.ipynb").read_text("utf-8"))
    assert marked["cells"][1] == cells[1]
    assert "✓ 2: proved" in "".join(marked["cells"][0]["source"])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [{}]}', "[" * 100_000])
def test_broken_notebooks_are_refused(tmp_path: Path, text: str) -> None:
    """A file that is no notebook is an error of use, never a crash."""
    (tmp_path / "broken.ipynb").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        load_document(tmp_path / "broken.ipynb")


def test_documents_that_are_not_there(tmp_path: Path) -> None:
    """A missing file and an unknown ending are said plainly."""
    with pytest.raises(MissingError):
        load_document(tmp_path / "none.md")
    with pytest.raises(UsageError):
        load_document(tmp_path / "page.docx")


BOMBS = [
    r"9^{9^{9^9}} = 0",
    r"\sum_{k=1}^{10^{12}} k = 0",
    r"\prod_{k=1}^{99999999} k = 1",
    r"(x+y+z+u+v+w)^{64} = 0",
    r"99999999! = 1",
    r"\int_0^1 \sin(\sin(\sin(\sin x))) e^{x^9} \, dx = 1",
    r"\frac{d^{12}}{dx^{12}} e^{\sin(\cos(e^{x}))} = 0",
    "x" + "^{x" * 30 + "}" * 30 + " = 1",
]


def test_bombs_get_a_verdict_in_bounded_time_and_memory() -> None:
    """An expression that explodes is never proved, and the next step is decided as if nothing had been."""
    with Worker(time_s=5.0, memory_mib=512) as small:
        for latex in BOMBS if NIGHTLY else BOMBS[:4]:
            found = small.decide(latex, ())
            assert found.kind in ("undecided", "unparsed", "timeout", "refuted", "supported"), latex
        assert small.decide("x + x = 2x", ()).kind == "proved"


def test_a_step_that_takes_too_long_is_ended() -> None:
    """What is slower than the limit is a timeout, not kept, and the process is gone."""
    with Worker(time_s=0.001) as hurried:
        assert hurried.decide(r"\sin 3x = 3\sin x - 4\sin^3 x", ()).kind == "timeout"
        assert hurried._process is None


def test_the_key_of_a_step_is_all_that_matters() -> None:
    """Another text, another assumption: another key."""
    keys = {step_key("a = b", ()), step_key("a = c", ()), step_key("a = b", ("a > 0",))}
    assert len(keys) == 3
