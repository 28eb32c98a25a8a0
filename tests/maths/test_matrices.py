from __future__ import annotations

import pytest

from grn.maths.deciders.ladder import decide
from grn.maths.documents import formulas_in
from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.reader.words import declare
from grn.maths.sizes import MisfitError, Sizes
from grn.maths.symbols import Symbols
from grn.maths.syntax import Expression
from grn.maths.verdict import Verdict

FILTER = (
    r"F \in \mathbb{R}^{n \times n}", r"H \in \mathbb{R}^{m \times n}", r"P \in \mathbb{R}^{n \times n}",
    r"Q \in \mathbb{R}^{n \times n}", r"R \in \mathbb{R}^{m \times m}", r"I \in \mathbb{R}^{n \times n}",
    r"x \in \mathbb{R}^n", r"y \in \mathbb{R}^m", r"G \in \mathbb{R}^{n \times m}",
    r"B \in \mathbb{R}^{n \times n}",
    "P and Q are symmetric positive definite", r"R \succ 0", r"M := F P F^\top + Q", r"a := F x",
    r"v := y - H a", r"S := H M H^\top + R", r"K := M H^\top S^{-1}", r"z := a + K v",
    r"J := (I - K H) M (I - K H)^\top + K R K^\top", r"q := v^\top S^{-1} v",
)  # fmt: skip


def said(*given: str) -> Symbols:
    symbols = Symbols()
    for line in given:
        declare(line, symbols)
    return symbols


def decided(latex: str, *given: str) -> Verdict:
    symbols = said(*given)
    return decide(read_line(latex, symbols), symbols)


# Anderson and Moore, Optimal Filtering, chapters 3 and 6; Woodbury's identity; each checked by hand.
TRUE = [
    r"J = (I - K H) M",
    r"J = M - K S K^\top",
    r"J^\top = J",
    r"(M^{-1} + H^\top R^{-1} H) J = I",
    r"(M^{-1} + H^\top R^{-1} H)^{-1} = J",
    r"K = J H^\top R^{-1}",
    r"(I - G H) M (I - G H)^\top + G R G^\top = J + (G - K) S (G - K)^\top",
    r"z = J (M^{-1} a + H^\top R^{-1} y)",
    r"q = (z - a)^\top M^{-1} (z - a) + (y - H z)^\top R^{-1} (y - H z)",
    r"(x^\top P x) B = B (x^\top P x)",
    r"x^\top B x = x^\top B^\top x",
    r"\det(S) = \det(R + H M H^\top)",
]


@pytest.mark.parametrize("latex", TRUE)
def test_identities_with_inverses_of_sums_are_proved(latex: str) -> None:
    """What an inverse is of rewrites words until both sides are one; sizes stay symbols."""
    assert decided(latex, *FILTER).kind == "proved"


FALSE = [
    r"J = (I - K H) P",
    r"J = (I + K H) M",
    r"J = M - K R K^\top",
    r"K = J H^\top S^{-1}",
    r"(I - G H) M (I - G H)^\top = J + (G - K) S (G - K)^\top",
    r"z = J (M^{-1} a - H^\top R^{-1} y)",
    r"q = v^\top v",
    r"I - K H \succeq 0",
    r"K H \succ 0",
    r"F P = P F",
]


@pytest.mark.parametrize("latex", FALSE)
def test_what_fails_for_exact_matrices_is_refuted(latex: str) -> None:
    """Rational matrices of the sizes that were said, definite where that was said, are the witness."""
    found = decided(latex, *FILTER)
    assert found.kind == "refuted"
    assert "F = [[" in found.detail


@pytest.mark.parametrize(
    ("latex", "kind"),
    [
        (r"M \succ 0", "proved"), (r"S \succ 0", "proved"), (r"J \succeq 0", "proved"),
        (r"(G - K) S (G - K)^\top \succeq 0", "proved"), (r"G^\top G \succeq 0", "proved"),
        (r"P^{-1} + \frac{1}{2} Q \succ 0", "proved"), (r"\sigma^2 F Q F^\top \succeq 0", "proved"),
        (r"I \succ 0", "proved"), (r"J \succ 0", "supported"), (r"B \succeq 0", "refuted"),
        (r"M - P \succ 0", "refuted"), (r"-P \succeq 0", "refuted"), (r"\sigma P \succ 0", "supported"),
    ],
)  # fmt: skip
def test_what_is_definite_follows_from_sums_and_congruences(latex: str, kind: str) -> None:
    """``A X A^T`` is semidefinite, and definite only where A is invertible; a factor has to be positive."""
    assert decided(latex, *FILTER, r"\sigma \in \mathbb{R}").kind == kind


@pytest.mark.parametrize(
    ("latex", "why"),
    [
        (r"H M = M H", "do not fit"), (r"K v = H a", "n x 1 is not m x 1"), (r"1 - K H = M", "do not fit"),
        (r"(K H)^{-1} K H = I", "not known to be invertible"), (r"M \succeq P", "compared with 0"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_or_no_rule_is_left_undecided(latex: str, why: str) -> None:
    """Sizes that do not fit and inverses that need not exist are named; nothing is guessed."""
    found = decided(latex, *FILTER)
    assert found.kind == "undecided"
    assert why in found.detail


def test_words_that_the_dialect_knows_of_matrices() -> None:
    """Definite matrices are symmetric, and the document says it; a sentence may name several."""
    symbols = said("P, Q are symmetric positive semidefinite", "A symmetric", "A positive definite")
    assert ("semidefinite", "P", "Q") in symbols.words
    assert ("definite", "A") in symbols.words
    assert all(symbols.is_matrix(name) for name in "PQA")
    for line in ("B is positive definite", r"A B \succ 0", r"A \succ B"):
        with pytest.raises(UnparsedError):
            said(line)
    text = "Let $P$ and $Q$ be symmetric positive definite matrices, and $A$ a symmetric matrix."
    assert [formula.latex for formula in formulas_in(text)] == [
        "P and Q symmetric positive definite", "A symmetric",
    ]  # fmt: skip


def test_sizes_follow_from_what_is_said() -> None:
    """A definition has the size of its right side; a product of a row and a column is a number."""
    symbols = said(*FILTER)
    sizes = Sizes(symbols)
    assert sizes.known["K"] == ("n", "m")
    assert sizes.known["v"] == ("m", "1")
    assert "q" not in sizes.known
    assert symbols.kind("q") == "variable"
    expression = read_line(r"K H", symbols)
    assert isinstance(expression, Expression)
    assert sizes.of(expression.tree) == ("n", "n")
    wrong = read_line(r"H K H H", symbols)
    assert isinstance(wrong, Expression)
    with pytest.raises(MisfitError):
        sizes.of(wrong.tree)
    with pytest.raises(UnparsedError, match="do not fit"):
        declare("T := M H", symbols)


def test_matrices_with_entries_follow_their_definitions() -> None:
    """Coefficients that are written out once are used by name; conditions on them are exact numbers."""
    given = (
        r"A := \begin{pmatrix} 0 & 0 \\ \frac12 & 0 \end{pmatrix}",
        r"b := \begin{pmatrix} 0 \\ 1 \end{pmatrix}", r"c := \begin{pmatrix} 0 \\ \frac12 \end{pmatrix}",
        r"s := b^\top c",
    )  # fmt: skip
    assert decided(r"b^\top c = \frac12", *given).kind == "proved"
    assert decided(r"s = \frac12", *given).kind == "proved"
    assert decided(r"b^\top A c = 0", *given).kind == "proved"
    assert decided(r"b^\top c = \frac13", *given).kind == "refuted"
