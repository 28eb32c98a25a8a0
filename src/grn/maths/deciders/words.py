"""Matrices of any size as sums of words: products of letters, with transposes and inverses pushed inwards.

A letter is a name, or a sum whose inverse is asked for. Of each such sum it is known what it is: these
relations are rewriting rules, longest word first, so that both sides of an equation come down to one form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.definite import degree
from grn.maths.sizes import NUMBER, Sizes, is_identity
from grn.maths.syntax import Call, Matrix, Name, Number, Tree, names_in
from grn.maths.verdict import BeyondError

Letter = tuple[str, bool, bool]
"""A name, whether transposed, whether inverted."""

Word = tuple[Letter, ...]
Words = dict[Word, Any]
"""A matrix as a sum of words with scalar factors; the empty word is the identity."""

MOST_WORDS = 600
MOST_REWRITINGS = 5000


class Expansion:
    """Expands trees of named matrices into words.

    Attributes
    ----------
    definitions
        What the document says that a matrix is; such names are filled in.
    definite, semidefinite, symmetric, orthogonal, invertible
        Names of which that was said.
    """

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.symbols = algebra.symbols
        self.sizes = Sizes(self.symbols)
        said: dict[str, set[str]] = {}
        for word in algebra.symbols.words:
            said.setdefault(word[0], set()).update(word[1:])
        self.definite = said.get("definite", set())
        self.semidefinite = said.get("semidefinite", set())
        self.orthogonal = said.get("orthogonal", set())
        self.invertible = said.get("invertible", set()) | self.orthogonal | self.definite
        self.symmetric = set(said.get("symmetric", set()))
        self.definitions = definitions(algebra)
        self._filled: list[str] = []
        self._letters: dict[str, str] = {}
        self._relations: list[Words] = []
        self._rules: list[tuple[Word, Words]] = []
        algebra.rules = {
            **algebra.rules,
            "det": lambda tree, _: self._determinant(tree.args[0]),
            "trace": lambda tree, _: self._trace(self.words(tree.args[0])),
            "mul": lambda tree, inner: self._number(tree, inner),
        }

    # --- trees to words

    def words(self, tree: Tree) -> Words:
        """A matrix as words, rewritten by what is known so far.

        Raises
        ------
        BeyondError
            It has something in it that words cannot say.
        """
        return self._reduced(self._words(tree), self._rules)

    def settle(self) -> None:
        """Make rules of all that became known while trees were expanded, each reduced by the others."""
        relations = [dict(relation) for relation in self._relations]
        relations += [self.flipped(relation) for relation in relations]
        for _ in range(len(relations) + 1):
            before = list(map(str, relations))
            for place, relation in enumerate(relations):
                others = [found for other in relations if other != relation and (found := _rule(other))]
                relations[place] = self._reduced(relation, others)
            if before == list(map(str, relations)):
                break
        self._rules = [found for relation in relations if (found := _rule(relation))]

    def scalar(self, tree: Tree) -> Any:
        """A number in which traces, determinants and products of rows and columns are atoms of words."""
        return self.algebra.convert(tree)

    def is_array(self, tree: Tree) -> bool:
        """Whether a tree is a matrix itself, and no number that is made of matrices."""
        try:
            return self.sizes.of(tree) != NUMBER
        except BeyondError:
            return _looks_like_one(tree, self)

    def _words(self, tree: Tree) -> Words:
        match tree:
            case Name() if is_identity(tree, self.symbols):
                return {(): sp.Integer(1)}
            case Name(text) if text in self.definitions and text not in self._filled:
                self._filled.append(text)
                try:
                    return self._words(self.definitions[text])
                finally:
                    self._filled.remove(text)
            case Name(text) if self.symbols.is_matrix(text):
                return {((text, False, False),): sp.Integer(1)}
            case Call("add", args):
                return self._sum([self._words(arg) for arg in args])
            case Call("neg", (inner,)):
                return {word: -factor for word, factor in self._words(inner).items()}
            case Call("mul", args):
                return self._product(args)
            case Call("div", (top, bottom)):
                scale = self.scalar(bottom)
                return {word: factor / scale for word, factor in self._words(top).items()}
            case Call("pow", (base, Number(n))) if n.denominator == 1 and 0 < n <= 6:
                return self._product((base,) * int(n))
            case Call("transpose", (inner,)):
                return self.flipped(self._words(inner))
            case Call("inverse", (inner,)):
                return self._inverse(inner)
        raise BeyondError("no matrix of letters")

    def _sum(self, parts: Iterable[Words]) -> Words:
        total: Words = {}
        for part in parts:
            for word, factor in part.items():
                total[word] = sp.expand(total.get(word, sp.Integer(0)) + factor)
        total = {word: factor for word, factor in total.items() if factor != 0}
        if len(total) > MOST_WORDS:
            raise BeyondError("too many products of matrices")
        return total

    def _product(self, args: tuple[Tree, ...]) -> Words:
        total: Words = {(): sp.Integer(1)}
        scale: Any = sp.Integer(1)
        for arg in args:
            if not self.is_array(arg):
                scale *= self.scalar(arg)
                continue
            right = self._words(arg)
            total = self._sum(
                {self._joined(one + two): f * g} for one, f in total.items() for two, g in right.items()
            )
        return {word: scale * factor for word, factor in total.items()}

    def _joined(self, word: Word) -> Word:
        """Cancel letters beside their inverses."""
        found: list[Letter] = []
        for letter in word:
            name, transposed, inverted = letter
            if name in self.orthogonal and inverted:
                letter = (name, not transposed, False)
            if name in self.symmetric:
                letter = (name, False, letter[2])
            before = found[-1] if found else None
            if before and self._cancel(before, letter):
                found.pop()
            else:
                found.append(letter)
        return tuple(found)

    def _cancel(self, one: Letter, two: Letter) -> bool:
        if one[0] != two[0]:
            return False
        if one[0] in self.orthogonal:
            return one[1] != two[1]
        return one[1] == two[1] and one[2] != two[2]

    def flipped(self, words: Words) -> Words:
        """The transpose of words."""
        return {self._flip(word): factor for word, factor in words.items()}

    def _flip(self, word: Word) -> Word:
        return self._joined(tuple((name, not t, i) for name, t, i in reversed(word)))

    def _inverse(self, tree: Tree) -> Words:
        if isinstance(tree, Name) and tree.text in self.invertible & self.definitions.keys():
            return self._inverted(tree.text, self._words(tree))
        words = self._words(tree)
        if len(words) == 1:
            ((word, factor),) = words.items()
            if all(name in self.invertible for name, _, _ in word):
                return {self._joined(tuple((name, t, not i) for name, t, i in reversed(word))): 1 / factor}
        if degree(tree, self) < 2:
            raise BeyondError("the inverse of a matrix that is not known to be invertible")
        letter = self._letters.setdefault(_told(words), f"~{len(self._letters)}")
        self.invertible.add(letter)
        self.symmetric.add(letter)
        return self._inverted(letter, words)

    def _inverted(self, letter: str, words: Words) -> Words:
        """The inverse of a letter of which it is known what it is."""
        relation = self._sum([words, {((letter, False, False),): sp.Integer(-1)}])
        if relation not in self._relations:
            self._relations.append(relation)
        return {((letter, False, True),): sp.Integer(1)}

    # --- numbers made of matrices

    def _number(self, tree: Call, algebra: Algebra) -> Any:
        """A product of numbers; rows, columns and what is between them become atoms."""
        if not self.sizes.has_matrix(tree):
            return sp.Mul(*(algebra.convert(arg) for arg in tree.args))
        if not any(self.is_array(arg) for arg in tree.args):
            return sp.Mul(*(self.scalar(arg) for arg in tree.args))
        if self.sizes.of(tree) != NUMBER:
            raise BeyondError("a matrix")
        total: Any = sp.Integer(0)
        for word, factor in self.words(tree).items():
            atom = sp.Symbol(f"q{min(word, self._flip(word))}", real=True) if word else sp.Integer(1)
            total += factor * atom
        return total

    def _trace(self, words: Words) -> Any:
        return sum(
            (factor * sp.Symbol(f"tr{self._circle(word)}") for word, factor in words.items()), sp.Integer(0)
        )

    def _circle(self, word: Word) -> Word:
        """One word for all that have the same trace: its rotations, and those of its transpose."""
        turned = [w[i:] + w[:i] for w in (word, self._flip(word)) for i in range(max(1, len(w)))]
        return min(turned)

    def _determinant(self, tree: Tree) -> Any:
        words = self.words(tree)
        if len(words) != 1 or not self._square(next(iter(words))):
            return sp.Symbol(f"det {_told(words)}", positive=degree(tree, self) == 2 or None)
        ((word, factor),) = words.items()
        if factor != 1:
            raise BeyondError("the determinant of a multiple needs the size")
        total: Any = sp.Integer(1)
        for name, _, inverted in word:
            symbol = sp.Symbol(f"det {name}", nonzero=True)
            total *= 1 / symbol if inverted else symbol
        return total

    def _square(self, word: Word) -> bool:
        """Whether no letter of a word is known to be another shape than square."""
        return all(rows == columns for rows, columns in (self.sizes.known.get(n, NUMBER) for n, _, _ in word))

    # --- rewriting

    def _reduced(self, words: Words, rules: list[tuple[Word, Words]]) -> Words:
        for _ in range(MOST_REWRITINGS):
            place = next(((w, rule) for w in words for rule in rules if _within(rule[0], w) >= 0), None)
            if place is None:
                return words
            word, (lead, rest) = place
            at = _within(lead, word)
            before, after, factor = word[:at], word[at + len(lead) :], words[word]
            left = {other: f for other, f in words.items() if other != word}
            parts = [{self._joined(before + inner + after): factor * f} for inner, f in rest.items()]
            words = self._sum([left, *parts])
        raise BeyondError("more rewriting of products than a step may take")


def _rule(relation: Words) -> tuple[Word, Words] | None:
    """A relation that is 0 as a rule: its largest word is what the others are."""
    if not relation:
        return None
    lead = max(relation, key=lambda word: (len(word), word))
    factor = relation[lead]
    if not lead or not factor.is_number:
        return None
    return lead, {word: -f / factor for word, f in relation.items() if word != lead}


def _within(part: Word, word: Word) -> int:
    for at in range(len(word) - len(part) + 1):
        if word[at : at + len(part)] == part:
            return at
    return -1


def _told(words: Words) -> str:
    return " + ".join(sorted(f"{factor} {word}" for word, factor in words.items()))


def definitions(algebra: Algebra) -> dict[str, Tree]:
    """What matrices are said to be, by name; the first of several."""
    found: dict[str, Tree] = {}
    for relation in algebra.symbols.assumed:
        match relation.left:
            case Name(text) if (
                relation.sign in ("Eq", "Define")
                and algebra.symbols.is_matrix(text)
                and text not in names_in(relation.right)
            ):
                found.setdefault(text, relation.right)
    return found


def _looks_like_one(tree: Tree, expansion: Expansion) -> bool:
    """The same where sizes are not said."""
    match tree:
        case Name(text):
            return expansion.symbols.is_matrix(text)
        case Matrix():
            return True
        case Call("trace" | "det" | "norm", _):
            return False
        case Call("add" | "mul" | "neg" | "div" | "pow" | "transpose" | "inverse", args):
            return any(_looks_like_one(arg, expansion) for arg in args)
    return False
