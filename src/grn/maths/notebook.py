"""Magics for IPython and Jupyter: verdicts below the cell in which a derivation is written.

``%load_ext grn.maths.notebook``; then ``%%derive`` goes on with the notebook's derivation, and ``%%check``
looks at steps in its light and leaves it as it is.
"""

from __future__ import annotations

import atexit
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, magics_class

from grn.kit.errors import UsageError
from grn.kit.paths import cache_dir
from grn.maths.check import Checked, Step, check_document
from grn.maths.documents import Document
from grn.maths.report import SIGNS, tell
from grn.maths.worker import Worker


class Verdicts:
    """Steps of one cell: marks and words in a terminal, a table in a notebook."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps

    @property
    def refuted(self) -> bool:
        """Whether a step is wrong."""
        return any(step.verdict.kind == "refuted" for step in self.steps)

    def __repr__(self) -> str:
        if not self.steps:
            return "no formulas"
        lines = []
        for step in self.steps:
            lines.append(f"{SIGNS[step.verdict.kind]} {step.number}  {step.printed or step.formula.latex}")
            lines.append(f"     {tell(step)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self.steps:
            return "<p>no formulas</p>"
        return f"<style>{_STYLE}</style><table class='grn-steps'>{''.join(map(_row, self.steps))}</table>"


def _row(step: Step) -> str:
    kind = step.verdict.kind
    source = html.escape(step.formula.latex)
    if step.span is not None:
        start, end = step.span
        parts = (step.formula.latex[:start], step.formula.latex[start:end] or "…", step.formula.latex[end:])
        before, wrong, after = map(html.escape, parts)
        source = f"{before}<mark>{wrong}</mark>{after}"
    return (
        f"<tr class='grn-{kind}'><td>{SIGNS[kind]}</td><td>{step.number}</td><td><code>{source}</code>"
        f"<br>{html.escape(step.printed)}</td><td>{html.escape(tell(step))}</td></tr>"
    )


_STYLE = (
    ".grn-steps td{text-align:left!important;vertical-align:top}.grn-proved td:first-child{color:#14622d}"
    ".grn-refuted td{background:#fde8e8;color:#111}.grn-unparsed td,.grn-undecided td,.grn-timeout td"
    "{background:#fff6dd;color:#111}.grn-steps mark{background:#f7b1b1}"
)


class Notebook:
    """A derivation that grows cell by cell.

    Parameters
    ----------
    worker
        Decides steps.
    cache
        Folder of verdicts; None keeps none.
    """

    def __init__(self, worker: Worker, cache: Path | None) -> None:
        self.worker = worker
        self.cache = cache
        self.cells: dict[str, str] = {}

    def derive(self, text: str, name: str = "") -> Verdicts:
        """Go on with the derivation; a cell that is run again takes the place of what it said before.

        A cell with a step that is refuted is shown and not taken: nothing follows from it.
        """
        key = name or text
        found = self._checked({**self.cells, key: text}, key)
        if not found.refuted:
            self.cells[key] = text
        return found

    def check(self, text: str) -> Verdicts:
        """Check steps under all that the derivation says, and leave it as it is."""
        return self._checked({**self.cells, "": text}, "")

    def _checked(self, cells: Mapping[str, str], key: str) -> Verdicts:
        """Steps of one cell, decided after those before it."""
        texts = []
        for number, (name, text) in enumerate(cells.items(), 1):
            texts.append((number, text))
            if name == key:
                break
        document = Document(Path("notebook"), tuple(texts))
        checked: Checked = check_document(document, self.worker, cache=self.cache)
        return Verdicts(tuple(step for step in checked.steps if step.formula.cell == len(texts)))


@magics_class
class DerivationMagics(Magics):
    """``%%derive`` and ``%%check``."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.notebook = Notebook(Worker(), cache_dir() / "maths")

    @cell_magic
    def derive(self, line: str, cell: str) -> Verdicts:
        """Check a cell and go on from it in the next one: ``%%derive [NAME] [--new] [--strict]``.

        A cell of the same name takes this one's place. ``--new`` forgets what was derived before; with
        ``--strict`` a refuted step is an error.
        """
        names, options = _words(line, ("--new", "--strict"), 1)
        if "--new" in options:
            self.notebook.cells.clear()
        return _held(self.notebook.derive(cell, "".join(names)), options)

    @cell_magic
    def check(self, line: str, cell: str) -> Verdicts:
        """Check steps after all that was derived; they are no part of it: ``%%check [--strict]``."""
        _, options = _words(line, ("--strict",), 0)
        return _held(self.notebook.check(cell), options)


def _words(line: str, known: Sequence[str], names: int) -> tuple[list[str], set[str]]:
    """What stands behind a magic: names, and options that it knows."""
    words = line.split()
    options = {word for word in words if word.startswith("-")}
    rest = [word for word in words if word not in options]
    unknown = sorted(options.difference(known)) + rest[names:]
    if unknown:
        raise UsageError("the magic does not know this", seen=unknown[0], hint=", ".join(known))
    return rest, options


def _held(found: Verdicts, options: set[str]) -> Verdicts:
    if "--strict" in options and found.refuted:
        wrong = next(step for step in found.steps if step.verdict.kind == "refuted")
        raise UsageError("a step is refuted", seen=wrong.printed, hint=tell(wrong))
    return found


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; what ``%load_ext`` calls."""
    magics = DerivationMagics(shell)
    shell.register_magics(magics)
    atexit.register(magics.notebook.worker.end)
