"""Verdicts written where a person reads them: margin marks in a copy of the document, and one HTML page."""

from __future__ import annotations

import html
import json
from pathlib import Path

from grn.kit.errors import UsageError
from grn.kit.files import write_atomic
from grn.maths.check import Checked, Step
from grn.maths.documents import Document

SIGNS = {
    "proved": "✓", "refuted": "✗", "supported": "≈", "undecided": "?", "unparsed": "¿", "assumed": "·",
    "timeout": "⏱",
}  # fmt: skip


def tell(step: Step) -> str:
    """One line on a step: its verdict, by what rule, and what is missing."""
    verdict = step.verdict
    parts = [verdict.kind]
    if verdict.rule:
        parts.append(f"by {verdict.rule}" if verdict.kind in ("proved", "refuted") else f"({verdict.rule})")
    text = " ".join(parts)
    if verdict.detail:
        text += f": {verdict.detail}"
    if verdict.needs:
        text += f"; needs {', '.join(verdict.needs)}"
    if step.hint:
        text += f"; {step.hint}"
    return text


def write_marks(checked: Checked, document: Document, out: Path) -> Path:
    """Write a copy of the document with a mark behind every display.

    Markdown and notebooks get a quoted line, LaTeX a comment line; nothing else changes.

    Raises
    ------
    UsageError
        The copy would replace the document itself.
    """
    if out.resolve() == document.path.resolve():
        raise UsageError("marks go into a copy", seen=str(out), hint="name another file")
    marked = {cell: _marked(text, cell, checked, out.suffix) for cell, text in document.texts}
    if document.path.suffix != ".ipynb":
        write_atomic(out, marked[0])
        return out
    notebook = json.loads(document.path.read_text(encoding="utf-8"))
    for number, cell in enumerate(notebook["cells"], 1):
        if number in marked:
            cell["source"] = marked[number].splitlines(keepends=True)
    write_atomic(out, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return out


def _marked(text: str, cell: int, checked: Checked, suffix: str) -> str:
    by_end: dict[int, list[Step]] = {}
    for step in checked.steps:
        if step.formula.cell == cell and step.formula.end:
            by_end.setdefault(step.formula.end, []).append(step)
    lead = "% " if suffix == ".tex" else "> "
    for end in sorted(by_end, reverse=True):
        marks = "".join(f"\n{lead}{SIGNS[s.verdict.kind]} {s.number}: {tell(s)}" for s in by_end[end])
        stop = text.find("\n", end)
        stop = len(text) if stop < 0 else stop
        text = text[:stop] + ("" if suffix == ".tex" else "\n") + marks + text[stop:]
    return text


def write_page(checked: Checked, out: Path) -> Path:
    """Write one HTML page that needs no network: every step with its reading and its verdict."""
    rows = "\n".join(_row(step) for step in checked.steps)
    counts = ", ".join(f"{count} {kind}" for kind, count in checked.counts().items()) or "no formulas"
    write_atomic(out, _PAGE.format(title=html.escape(checked.path.name), counts=counts, rows=rows))
    return out


def _row(step: Step) -> str:
    formula, kind = step.formula, step.verdict.kind
    place = f"cell {formula.cell}, line {formula.line}" if formula.cell else f"line {formula.line}"
    source = html.escape(formula.latex)
    if step.span is not None:
        start, end = step.span
        source = (
            f"{html.escape(formula.latex[:start])}<mark>{html.escape(formula.latex[start:end]) or '…'}</mark>"
            f"{html.escape(formula.latex[end:])}"
        )
    return (
        f'<tr class="{kind}"><td>{step.number}</td><td>{place}</td><td><code>{source}</code>'
        f"<br>{html.escape(step.printed)}</td><td>{SIGNS[kind]} {html.escape(tell(step))}</td></tr>"
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }} td {{ padding: .4rem .6rem; vertical-align: top;
border-top: 1px solid #ddd; overflow-wrap: anywhere; }}
.refuted td {{ background: #fde8e8; }} .proved td:last-child {{ color: #14622d; }}
.unparsed td, .undecided td, .timeout td {{ background: #fff6dd; }}
mark {{ background: #f7b1b1; }} code {{ font-size: .9em; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #16181c; color: #e6e6e6; }}
.refuted td {{ background: #4a1f1f; }} .unparsed td, .undecided td, .timeout td {{ background: #453a14; }}
.proved td:last-child {{ color: #7bd695; }} td {{ border-color: #333; }} }}
</style></head><body><h1>{title}</h1><p>{counts}</p><table>
{rows}
</table></body></html>
"""
