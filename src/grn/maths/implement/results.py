"""Named results of a checked document: what each is defined as, and what it was proved to be."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from grn.maths.check import Checked, Step
from grn.maths.deciders.domain import Range, key_of, ranges
from grn.maths.plain import print_tree
from grn.maths.reader.grammar import read_line
from grn.maths.reader.words import declare
from grn.maths.sizes import NUMBER, Sizes, is_identity
from grn.maths.symbols import Symbols
from grn.maths.syntax import Apply, Bind, Chain, Index, Name, Relation, Statement, Tree, children, sides, walk


@dataclass(frozen=True, slots=True)
class Form:
    """One thing that a result is equal to: its definition, or the right side of a proved step."""

    tree: Tree
    step: Step

    @property
    def defined(self) -> bool:
        """Whether it is the definition."""
        return self.step.verdict.kind == "assumed"


@dataclass(slots=True)
class Result:
    """A name of the document that code can be written for.

    Attributes
    ----------
    key
        As it is printed back: ``d_1``, ``sigma``.
    own
        Arguments that the document wrote behind it, as in ``v(h) := ...``; empty for a plain name.
    forms
        Its definition and what it was proved to be, in the order of the document.
    """

    key: str
    own: tuple[str, ...]
    forms: list[Form] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a checked document says, ready for code.

    Attributes
    ----------
    symbols
        All that it assumes and defines.
    results
        Its named results by key, in order.
    claims
        Proved steps with what they say.
    order
        All names in the order in which the document mentions them.
    sizes
        Of its matrices.
    callables
        Functions of which it says nothing, with how many arguments they take: code gets them as arguments.
    """

    checked: Checked
    symbols: Symbols
    results: dict[str, Result]
    claims: tuple[tuple[Step, Statement], ...]
    order: tuple[str, ...]
    sizes: Sizes
    callables: dict[str, int]

    def is_array(self, key: str) -> bool:
        """Whether a name is a matrix, a row or a column."""
        return self.sizes.known.get(key, NUMBER) != NUMBER

    def is_of_arrays(self, key: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a result takes, is, or is computed from arrays: its numbers are then single ones."""
        if self.is_array(key) or key in seen:
            return self.is_array(key)
        if key not in self.results:
            return False
        used = free_keys(self.results[key].forms[0].tree)
        return any(self.is_of_arrays(name, seen | {key}) for name in used)

    def is_told_by_others(self, key: str) -> bool:
        """Whether a name needs no value of its own: the identity, and sizes that matrices have."""
        return is_identity(Name(key), self.symbols) or any(key in size for size in self.sizes.known.values())

    def range(self, key: str) -> Range:
        """Where a name ranges; all real numbers where nothing is assumed."""
        return ranges(self.symbols).get(key, Range())

    def ties(self) -> list[Relation]:
        """Assumptions that tie names to each other: ``t < T``."""
        return [
            relation
            for relation in self.symbols.assumed
            if relation.sign in ("Lt", "Le", "Gt", "Ge")
            and len(set(free_keys(relation.left)) | set(free_keys(relation.right))) > 1
        ]

    def arguments(self, key: str, seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """Names that a result depends on: its own first, the others in the order of the document."""
        result = self.results[key]
        others = set(self.free(result.forms[0].tree, seen | {key})) - set(result.own)
        return (*result.own, *sorted(others, key=self.order.index))

    def free(self, tree: Tree, seen: frozenset[str] = frozenset()) -> list[str]:
        """Names that a tree depends on, through results too."""
        found: dict[str, None] = {}
        for part in free_keys(tree):
            if self.is_told_by_others(part):
                continue
            if part not in self.results:
                found[part] = None
            elif part not in seen:
                inner = self.arguments(part, seen)
                bound = set(self.results[part].own)
                found.update(dict.fromkeys(name for name in inner if name not in bound))
        return list(found)


def read_derivation(checked: Checked) -> Derivation:
    """Read a checked document's results: names that are defined or assumed equal to something, in order."""
    symbols = Symbols()
    results: dict[str, Result] = {}
    claims: list[tuple[Step, Statement]] = []
    order: dict[str, None] = {}
    for step in checked.steps:
        latex, kind = step.formula.latex, step.verdict.kind
        if kind == "assumed":
            before = len(symbols.assumed)
            declare(latex, symbols)
            for relation in symbols.assumed[before:]:
                order.update(dict.fromkeys(name for side in sides(relation) for name in free_keys(side)))
                _take_definition(relation, step, results)
        elif kind == "proved":
            statement = read_line(latex, symbols)
            claims.append((step, statement))
            order.update(dict.fromkeys(name for side in sides(statement) for name in free_keys(side)))
            for left, right in equations(statement):
                for key, own, tree in _named(left, right):
                    if key in results and results[key].own == own:
                        results[key].forms.append(Form(tree, step))
    callables = _callables(results, claims)
    return Derivation(checked, symbols, results, tuple(claims), tuple(order), Sizes(symbols), callables)


def _callables(results: dict[str, Result], claims: list[tuple[Step, Statement]]) -> dict[str, int]:
    """Functions without a formula; one that takes now one and now two arguments is none."""
    found: dict[str, set[int]] = {}
    trees = [form.tree for result in results.values() for form in result.forms]
    trees += [side for _, statement in claims for side in sides(statement)]
    for tree in trees:
        for part in walk(tree):
            if isinstance(part, Apply) and part.function not in results and part.function != "Phi":
                found.setdefault(part.function, set()).add(len(part.args))
    return {name: min(counts) for name, counts in found.items() if len(counts) == 1}


def _take_definition(relation: Relation, step: Step, results: dict[str, Result]) -> None:
    if relation.sign not in ("Eq", "Define"):
        return
    for key, own, tree in _named(relation.left, relation.right):
        if key not in results:
            results[key] = Result(key, own, [Form(tree, step)])


def _named(left: Tree, right: Tree) -> Iterator[tuple[str, tuple[str, ...], Tree]]:
    """The name on the left of an equation, its arguments, and what it is equal to."""
    match left:
        case Apply(function, 0, args) if all(isinstance(arg, Name) for arg in args):
            yield function, tuple(print_tree(arg) for arg in args), right
        case Name() | Index():
            key = key_of(left)
            if key is not None and key not in free_keys(right):
                yield key, (), right


def equations(statement: Statement) -> Iterator[tuple[Tree, Tree]]:
    """First side and each further side of an equation or a chain of equations."""
    match statement:
        case Relation("Eq", left, right):
            yield left, right
        case Chain(first, rest) if all(sign == "Eq" for sign, _ in rest):
            for _, right in rest:
                yield first, right


def free_keys(tree: Tree) -> list[str]:
    """Keys of the free names of a tree, functions of the document too, as they are met."""
    found: dict[str, None] = {}

    def visit(part: Tree, bound: frozenset[str]) -> None:
        match part:
            case Name() | Index():
                key = key_of(part) or print_tree(part)
                if key not in bound:
                    found[key] = None
            case Bind(_, body, name, low, high):
                visit(body, bound | {print_tree(name)})
                for end in (low, high):
                    if end is not None:
                        visit(end, bound)
            case Apply(function, _, args):
                if function != "Phi":
                    found[function] = None
                for arg in args:
                    visit(arg, bound)
            case _:
                for child in children(part):
                    visit(child, bound)

    visit(tree, frozenset())
    return list(found)


def identifier(key: str) -> str:
    """A name of Python for a name of the document: ``sigma``, ``lambda_``, ``S_t`` for ``S[t]``."""
    name = re.sub(r"\W+", "_", key).strip("_")
    if not name or name[0].isdigit():
        name = f"x_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in ("np", "special", "mp") else name
