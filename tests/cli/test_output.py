from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from grn.cli.output import cell, jsonable, style, table, use_colour, write_facts, write_json, write_json_lines
from grn.kit.errors import ExitCode


@dataclass(frozen=True)
class Row:
    name: str
    sharpe: float


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_is_aligned() -> None:
    """Numbers to the right, text to the left, no blanks at the end; wide characters take two columns."""
    text = table(
        ("NAME", "N", "SHARPE"), [("sma", 12_345, 1.5), ("贵州茅台", None, math.nan), ("", 7, -0.25)]
    )
    assert text.split("\n") == [
        "NAME           N  SHARPE",
        "sma       12,345     1.5",
        "贵州茅台       -     nan",
        "               7   -0.25",
    ]


def test_a_column_of_mixed_kinds_is_text() -> None:
    """A name among numbers: left, like a name; a header alone is a table too."""
    assert table(("ID",), [(1,), ("a",)]).split("\n") == ["ID", "1", "a"]
    assert table(("A", "B"), []) == "A  B"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.1234567, "0.123457"),
        (math.nan, "nan"),
        ("x", "x"),
    ],
)
def test_cells(value: object, text: str) -> None:
    """Six significant digits; nothing is "-"; NaN is said."""
    assert cell(value) == text


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON knows no NaN: null, at any depth; NumPy's values are Python's."""
    write_json(
        {"row": Row("a", math.nan), "all": np.array([1.0, np.inf]), "n": np.int64(3), "p": Path("a/b")}
    )
    assert json.loads(capsys.readouterr().out) == {
        "row": {"name": "a", "sharpe": None},
        "all": [1.0, None],
        "n": 3,
        "p": "a/b",
    }
    assert jsonable((ExitCode.NO, True, None, np.float64(np.nan))) == [1, True, None, None]


def test_what_json_cannot_hold_is_an_error() -> None:
    """A repr in a data stream would be taken for data."""
    with pytest.raises(TypeError, match="object"):
        jsonable({"x": object()})


def test_streams_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One compact object per line, line breaks in texts escaped; an empty stream writes nothing."""
    write_json_lines([Row("a\nb", 0.5), {"é": 1}])
    assert capsys.readouterr().out == '{"name":"a\\nb","sharpe":0.5}\n{"é":1}\n'
    write_json_lines([])
    assert capsys.readouterr().out == ""


def test_facts_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and values in two columns."""
    write_facts([("a", 1), ("long name", None)])
    assert capsys.readouterr().out == "a          1\nlong name  -\n"


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never in a pipe, never with NO_COLOR set to anything (no-color.org), never on a dumb terminal."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert use_colour(Terminal())
    assert style("x", Terminal(), fg="red") == "\x1b[31mx\x1b[0m"
    assert not use_colour(io.StringIO())
    assert style("x", io.StringIO(), fg="red") == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert not use_colour(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not use_colour(Terminal())
