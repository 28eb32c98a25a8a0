"""Tables for papers: LaTeX with booktabs, Markdown, CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["", "percent"]
_MISSING = "--"
_DIGITS = 4  # significant ones of a number
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "−": "$-$", "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$", "…": r"\dots{}",
}  # fmt: skip
_ESCAPED = re.compile("|".join(re.escape(char) for char in _LATEX))
_KEYS = re.compile(r"[^\s\\{}%#~,]+(?:,[^\s\\{}%#~,]+)*")


@dataclass(frozen=True)
class Column:
    """A column: its name for programs, its heading for people, and its unit.

    Of unit ``percent`` is a fraction: 0.12 is written 12.00 under a heading with (%).
    """

    name: str
    heading: str
    unit: Unit = ""

    @property
    def head(self) -> str:
        """The heading with its unit."""
        return f"{self.heading} (%)" if self.unit == "percent" else self.heading


Rows = Sequence[Sequence[object]]


def latex(
    columns: Sequence[Column], rows: Rows, *, caption: str, label: str, cite: str = "", note: str = ""
) -> str:
    r"""Write a ``table`` environment; the document needs ``\usepackage{booktabs}``.

    Parameters
    ----------
    caption, label
        Any text, and what ``\ref`` finds it by.
    cite
        Keys that the caption cites, with commas between them.
    note
        Where the numbers come from: a comment of LaTeX.
    """
    shown = _shown(columns, rows)
    numeric = _numeric(columns, rows)
    said = escape(caption)
    if cite:  # the full stop comes last
        said = rf"{said.removesuffix('.')}~\cite{{{cite}}}{'.' * said.endswith('.')}"
    lines = [
        *(f"% {line}" for line in note.splitlines()),
        r"\begin{table}[htbp]",
        r"  \centering",
        rf"  \caption{{{said}}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{{''.join('r' if number else 'l' for number in numeric)}}}",
        r"    \toprule",
        "    " + " & ".join(escape(column.head) for column in columns) + r" \\",
        r"    \midrule",
        *(
            "    "
            + " & ".join(_latex_cell(text, number) for text, number in zip(row, numeric, strict=True))
            + r" \\"
            for row in shown
        ),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def markdown(columns: Sequence[Column], rows: Rows) -> str:
    """Write a table in Markdown, numbers to the right."""
    numeric = _numeric(columns, rows)
    heads = [_pipes(column.head) for column in columns]
    lines = [heads, ["---:" if number else "---" for number in numeric]]
    lines += [[_pipes(text) for text in row] for row in _shown(columns, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def comma_separated(columns: Sequence[Column], rows: Rows) -> str:
    """Write CSV for programs: plain names, every digit, nothing for what is missing, fractions as such."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow(["" if _is_missing(value) else _exact(value) for value in row])
    return out.getvalue()


def escape(text: str) -> str:
    """Escape what LaTeX takes for a command."""
    return _ESCAPED.sub(lambda found: _LATEX[found[0]], " ".join(text.split()))


def is_cite(keys: str) -> bool:
    """Whether a text is cite keys with commas between them."""
    return _KEYS.fullmatch(keys) is not None


def _shown(columns: Sequence[Column], rows: Rows) -> list[list[str]]:
    """Write the cells of each column with as many decimals as its smallest number needs for four digits."""
    decimals = [_decimals([row[at] for row in rows], column.unit) for at, column in enumerate(columns)]
    return [
        [
            _cell(value, column.unit, places)
            for value, column, places in zip(row, columns, decimals, strict=True)
        ]
        for row in rows
    ]


def _decimals(values: Sequence[object], unit: Unit) -> int:
    if unit == "percent":
        return 2
    sizes = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value) and value]
    if not sizes or all(size == int(size) for size in sizes):
        return 0
    largest = max(sizes)
    return min(max(_DIGITS - 1 - math.floor(math.log10(largest)), 0), 8)


def _cell(value: object, unit: Unit, decimals: int) -> str:
    if _is_missing(value):
        return _MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        text = f"{100 * value if unit == 'percent' else value:.{decimals}f}"
        return text.removeprefix("-") if not text.strip("-0.") else text
    return str(value)


def _latex_cell(text: str, number: bool) -> str:
    if number and text.endswith("inf"):
        return r"$-\infty$" if text.startswith("-") else r"$\infty$"
    if number and text.startswith("-") and text != _MISSING:
        return f"$-${text[1:]}"
    return text if text == _MISSING else escape(text)


def _pipes(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def _numeric(columns: Sequence[Column], rows: Rows) -> list[bool]:
    return [
        bool(rows)
        and all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
            for value in (row[at] for row in rows)
        )
        for at in range(len(columns))
    ]


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _exact(value: object) -> object:
    return repr(value) if isinstance(value, float) else value
