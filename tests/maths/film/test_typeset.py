from __future__ import annotations

import pytest

from benchmarks.maths_meaning import table
from grn.maths.film.typeset import quoted, typeset
from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.reader.words import declare
from grn.maths.symbols import Symbols

SHOWN = [
    (r"\frac{\partial C}{\partial S} = \Phi(d_1)", "frac(∂ C, ∂ S) = Φ (d_(1))"),
    (r"\frac{\partial^2 C}{\partial S^2} \ne 0", "frac(∂^(2) C, ∂ S^(2)) ≠ 0"),
    (r"\lim_{h \to \infty} v = \frac{\sigma^2}{2 \theta}", "lim_(h → ∞) v = frac(σ^(2), 2 θ)"),
    (r"\sum_{k=1}^n k^2 \le n^3", "sum_(k = 1)^(n) k^(2) ≤ n^(3)"),
    (r"\int_0^1 \sin^2 x \, dx", "integral_(0)^(1) sin^(2) (x) thin upright(d) x"),
    (r"\left(\frac{a}{b}\right)^2 = (a + b)(a - b)", "(frac(a, b))^(2) = (a + b) (a - b)"),
    (r"(-2)^{3} x = 2 \cdot 3^{n}", "(-2)^(3) x = 2 dot 3^(n)"),
    (r"a - (b - c) = -(a + b)", "a - (b - c) = -(a + b)"),
    (r"(A B)^T = B^T A^T", "(A B)^top = B^top A^top"),
    (r"\hat{\beta} = \mathrm{rate} x_{i+1}", 'hat(β) = "rate" x_(i + 1)'),
    (r"\mathrm{E}[X^2] = \mathrm{Var}(X)", 'op("E") lr([X^(2)]) = op("Var") lr([X])'),
    (
        r"dX_t = \mu \, dt + \sigma \, dW_t",
        "upright(d) X_(t) = μ thin upright(d) t + σ thin upright(d) W_(t)",
    ),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix} = A", "mat(1, 2; 3, 4) = A"),
]


@pytest.mark.parametrize(("latex", "typst"), SHOWN)
def test_a_tree_is_set_as_it_was_read(latex: str, typst: str) -> None:
    """Every grouping that changes the meaning is set; each expected line was written by hand."""
    symbols = Symbols()
    for said in ("matrix A", "matrix B"):
        declare(said, symbols)
    assert typeset(read_line(latex, symbols)) == typst


def test_every_line_that_is_read_can_be_set() -> None:
    """All lines of the parsing table have a form, and Typst compiles each of them where it is installed."""
    forms = []
    for line in table():
        symbols = Symbols()
        try:
            for said in line.given:
                declare(said, symbols)
            forms.append(typeset(read_line(line.latex, symbols)))
        except UnparsedError:
            continue
    assert len(forms) > 300
    typst = pytest.importorskip("typst", reason="the extra film is not installed")
    page = "\n".join(f"$ {form} $\n" for form in forms)
    assert typst.compile(page.encode(), format="svg")


def test_words_are_no_markup() -> None:
    """Quotes, backslashes and line ends of a text stay what they are."""
    assert quoted('a "b" \\c\n#d') == '"a \\"b\\" \\\\c #d"'
