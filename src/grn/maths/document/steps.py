"""Steps of a derivation that docstrings may show, and the page on which Sphinx finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from grn.maths.check import Step
from grn.maths.document.proposals import display, label
from grn.maths.implement.results import Derivation
from grn.maths.plain import print_statement
from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.report import tell


@dataclass(slots=True)
class Steps:
    """The steps that a module's docstrings are held against.

    Parameters
    ----------
    module
        Its name.
    derivation
        None where there is none: no equation can be displayed then.
    """

    module: str
    derivation: Derivation | None = None
    _taken: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def numbers(self, name: str) -> tuple[int, ...]:
        """Steps that the docstring of a name shows, as :meth:`take` found them."""
        return self._taken.get(name, ())

    def take(self, name: str, equations: Sequence[str]) -> str:
        """Find each equation of a docstring among the steps; returns why one is none of them, or nothing."""
        found = []
        for latex in equations:
            step = self.find(latex)
            shown = " ".join(latex.split())
            if step is None:
                return f"equation: no proved or assumed step says {shown}"
            found.append(step.number)
        self._taken[name] = tuple(found)
        return ""

    def find(self, latex: str) -> Step | None:
        """The step that an equation is: the same formula, or one that is read as the same."""
        if self.derivation is None:
            return None
        read = self._read(latex)
        for step in self._standing():
            own = step.formula.latex
            if "".join(display(own).split()) == "".join(display(latex).split()):
                return step
            if read and read == self._read(own):
                return step
        return None

    def page(self) -> str:
        """The page that docstrings are built into: the module, then every step that it rests on."""
        title = f"{self.module}"
        lines = [title, "=" * len(title), "", f".. automodule:: {self.module}", "   :members:"]
        lines += ["   :undoc-members:", "   :private-members:", ""]
        steps = self._standing()
        if steps and self.derivation is not None:
            head = f"Steps of {self.derivation.checked.path.name}"
            lines += [head, "-" * len(head), ""]
        for step in steps:
            lines += [f"{step.number}. {_plain(tell(step))}", ""]
            lines += [".. math::", f"   :label: {label(self.module, step.number)}", ""]
            lines += [f"   {line.strip()}" for line in display(step.formula.latex).splitlines()] + [""]
        return "\n".join(lines)

    def _standing(self) -> list[Step]:
        if self.derivation is None:
            return []
        # What is assumed within a sentence may be words, and is no equation to link to.
        shown = [step for step in self.derivation.checked.steps if step.formula.end]
        return [step for step in shown if step.verdict.kind in ("proved", "assumed")]

    def _read(self, latex: str) -> str:
        assert self.derivation is not None
        try:
            return print_statement(read_line(display(latex), self.derivation.symbols.copy()))
        except UnparsedError:
            return ""


def _plain(text: str) -> str:
    """Words in which nothing is markup."""
    return "".join(f"\\{c}" if c in "\\*`_|" else c for c in text)
