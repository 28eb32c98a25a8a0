"""What a document has said about its names: their kinds, and what is assumed of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from grn.maths.syntax import Relation, Tree

KINDS = ("variable", "function", "matrix", "brownian")


@dataclass(slots=True)
class Symbols:
    """A table of names; a document fills it from top to bottom.

    Attributes
    ----------
    kinds
        One of :data:`KINDS` by name.
    arguments
        Of functions that were introduced with theirs, as in ``y(x)``.
    bare
        Names seen somewhere without an argument behind them: such a name before a parenthesis is a factor.
    assumed
        Relations that hold: ``x > 0``, ``n in Naturals``, definitions, laws, stochastic differentials.
    words
        Assumptions in words: ``("invertible", "A")``, ``("independent", "X", "Y")``.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, tuple[Tree, ...]] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)
    assumed: list[Relation] = field(default_factory=list)
    words: list[tuple[str, ...]] = field(default_factory=list)

    def copy(self) -> Symbols:
        """A table that can be filled further without changing this one."""
        return Symbols(
            dict(self.kinds), dict(self.arguments), set(self.bare), list(self.assumed), list(self.words)
        )

    def kind(self, name: str) -> str | None:
        """The kind that was declared, or None."""
        return self.kinds.get(name)

    def is_matrix(self, name: str) -> bool:
        """Whether a name stands for a matrix or a column: declared, or bold."""
        return self.kinds.get(name) == "matrix" or (name.endswith("_bold") and name not in self.kinds)

    def declare(self, kind: str, names: Iterable[str]) -> None:
        """Give names a kind."""
        for name in names:
            self.kinds[name] = kind
