from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.maths_meaning import Line, from_statement, from_text, table
from grn.maths.plain import print_statement
from grn.maths.reader.cursor import DEEPEST
from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import MOST_TOKENS, UnparsedError
from grn.maths.reader.words import declare
from grn.maths.symbols import Symbols
from grn.maths.syntax import Statement

LINES = list(table())
EXAMPLES = 5000 if os.environ.get("GRN_NIGHTLY") else 200


def read(line: Line) -> Statement:
    symbols = Symbols()
    for text in line.given:
        declare(text, symbols)
    return read_line(line.latex, symbols)


def test_the_table_is_as_large_as_it_says() -> None:
    """At least 300 lines with a meaning and 40 that must be refused, half of each held back."""
    meant = [line for line in LINES if line.meaning != "?"]
    assert len(meant) >= 300
    assert len(LINES) - len(meant) >= 40
    assert 0.4 < sum(line.held_back for line in meant) / len(meant) < 0.6


def test_every_line_of_the_table_means_what_it_says() -> None:
    """The reading of every line with a meaning is that meaning, written down before the reader existed."""
    wrong = [
        line.latex
        for line in LINES
        if line.meaning != "?" and from_statement(read(line)) != from_text(line.meaning)
    ]
    assert not wrong


@pytest.mark.parametrize("line", [line for line in LINES if line.meaning == "?"], ids=lambda line: line.latex)
def test_what_has_two_readings_is_refused_with_its_place(line: Line) -> None:
    """A line with two usual readings, or none, is refused; the place named lies within the line."""
    with pytest.raises(UnparsedError) as caught:
        read(line)
    assert 0 <= caught.value.start < caught.value.end <= len(line.latex) + 1


def test_what_is_printed_back_has_the_same_meaning() -> None:
    """The printed form of each plain line reads, as Python reads it, like the meaning in the table."""
    shown = 0
    for line in LINES:
        if line.meaning == "?" or line.meaning.startswith(
            ("And", "Chain", "Implies", "Iff", "In(", "Sim", "Succ", "P(")
        ):
            continue
        printed = print_statement(read(line))
        if any(sign in printed for sign in (" = ", " <", " >", "!=", ":=", "~=", "euler", "given")):
            continue
        if "ItoIntegral" in printed:
            continue
        for ours, theirs in RENAMED.items():
            printed = printed.replace(ours, theirs)
        assert from_text(printed) == from_text(line.meaning), line.latex
        shown += 1
    assert shown > 120


RENAMED = {"lambda": "lamda", "subs(": "Subs(", "transpose(": "T(", "inverse(": "inv(", "trace(": "tr("}
"""What the table calls otherwise than a printed line does."""

PIECES = [line.latex for line in LINES if line.meaning != "?"]
FRAGMENTS = st.sampled_from(
    (
        *(
            "x",
            "y",
            "2",
            "10",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "^",
            "_",
            "+",
            "-",
            "=",
            "/",
            "|",
            "'",
            ",",
            "&",
            "!",
        ),
        *(
            r"\frac",
            r"\sqrt",
            r"\sin",
            r"\int",
            r"\sum",
            r"\lim",
            "d",
            r"\partial",
            r"\left(",
            r"\right)",
            r"\\",
        ),
        *(r"\begin{pmatrix}", r"\end{pmatrix}", r"\mathbb{E}", r"\mathrm{d}", r"\text{if }"),
    )
)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(st.lists(FRAGMENTS, max_size=24).map(" ".join))
def test_any_text_is_read_or_refused(latex: str) -> None:
    """Whatever is typed, the reader returns a statement or raises UnparsedError, nothing else."""
    with contextlib.suppress(UnparsedError):
        read_line(latex)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(st.sampled_from(PIECES), st.integers(min_value=0), st.integers(min_value=0))
def test_a_torn_line_is_read_or_refused(latex: str, start: int, length: int) -> None:
    """A piece cut out of any line of the table is read or refused, nothing else."""
    start %= len(latex)
    torn = latex[:start] + latex[start + 1 + length % 5 :]
    with contextlib.suppress(UnparsedError):
        read_line(torn)


def test_bombs_are_refused_at_once() -> None:
    """Deep nesting and endless lines are refused before they cost anything; macros are never expanded."""
    for latex in (
        "(" * (DEEPEST + 5) + "x" + ")" * (DEEPEST + 5),
        r"\frac{1}{" * 500 + "x" + "}" * 500,
        "x^{" * 300 + "2" + "}" * 300,
        "+".join(["x"] * MOST_TOKENS),
        r"\def\x{\x\x}\x",
        "-" * 2000 + "x",
    ):
        with pytest.raises(UnparsedError):
            read_line(latex)


@pytest.mark.parametrize(
    ("latex", "declared", "printed"),
    [
        ("r(1+g)", "r > 0", "r*(1 + g)"),
        ("x(t)", "function x", "x(t)"),
        ("y'' + y", "y(x)", "D(y, 2, x) + y(x)"),
        ("A^{-1}B", r"A, B \in \mathbb{R}^{n \times n}", "inverse(A)*B"),
        (r"\Delta S", r"variable \Delta", "Delta*S"),
    ],
)
def test_declarations_decide_between_readings(latex: str, declared: str, printed: str) -> None:
    """What a document declares decides what a line means."""
    symbols = Symbols()
    for text in declared.replace(r"A, B \in", r"A \in").split(";"):
        declare(text, symbols)
    if "B" in latex:
        declare(r"B \in \mathbb{R}^{n \times n}", symbols)
    assert print_statement(read_line(latex, symbols)) == printed


def test_a_refusal_says_what_to_do() -> None:
    """The hint names the two readings or the way out."""
    with pytest.raises(UnparsedError) as caught:
        read_line("1/2x")
    assert "stroke" in caught.value.what
    assert caught.value.hint == r"use \frac or parentheses"


@pytest.mark.parametrize("text", ["hello world foo", "x", r"x = 1 \implies y = 2", "???"])
def test_what_is_no_assumption_is_refused(text: str) -> None:
    """A declaration is a relation or one of a few words."""
    with pytest.raises(UnparsedError):
        declare(text, Symbols())
