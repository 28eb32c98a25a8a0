"""Where names range: what is assumed of each, as SymPy's assumptions, as an interval and as points."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from grn.maths.symbols import Symbols
from grn.maths.syntax import Call, Constant, Index, Name, Number, Relation, Tree

_FLIPPED = {"Lt": "Gt", "Le": "Ge", "Gt": "Lt", "Ge": "Le", "Eq": "Eq", "Ne": "Ne"}


@dataclass(slots=True)
class Range:
    """An interval of the reals, open or closed at either end, or its integers."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = True
    high_open: bool = True
    whole: bool = False
    nonzero: bool = False

    def narrow(self, sign: str, bound: Fraction) -> None:
        """Cut by ``name sign bound``."""
        if sign in ("Gt", "Ge") and (
            self.low is None or bound > self.low or (bound == self.low and sign == "Gt")
        ):
            self.low, self.low_open = bound, sign == "Gt"
        if sign in ("Lt", "Le") and (
            self.high is None or bound < self.high or (bound == self.high and sign == "Lt")
        ):
            self.high, self.high_open = bound, sign == "Lt"
        if sign == "Ne" and bound == 0:
            self.nonzero = True

    def assumptions(self) -> dict[str, bool]:
        """What SymPy may assume of the name."""
        found: dict[str, bool] = {"real": True}
        if self.whole:
            found["integer"] = True
        if self.low is not None and (self.low > 0 or (self.low == 0 and self.low_open)):
            found["positive"] = True
        elif self.low == 0:
            found["nonnegative"] = True
        if self.high is not None and (self.high < 0 or (self.high == 0 and self.high_open)):
            found["negative"] = True
        elif self.high == 0:
            found["nonpositive"] = True
        if self.nonzero:
            found["nonzero"] = True
        return found

    def within_unit(self) -> bool:
        """Whether every value is at least 0 and below 1."""
        if self.low is None or self.high is None or self.low < 0:
            return False
        return self.high < 1 or (self.high == 1 and self.high_open)

    def draw(self, rng: random.Random, wide: bool = False) -> Fraction:
        """An exact point of the range; ``wide`` reaches far out and close to the ends."""
        if self.whole:
            low = int(self.low) + (1 if self.low_open else 0) if self.low is not None else -6
            high = int(self.high) if self.high is not None else low + 6
            return Fraction(rng.randint(low, max(low, high)))
        # Denominators that are powers of two and an odd offset: no accidental zeros at nice points.
        part = Fraction(rng.randint(1, 4095), 4096)
        if self.low is not None and self.high is not None:
            return self.low + (self.high - self.low) * part
        reach = Fraction(rng.choice((1, 3, 20, 200)) if wide else 3)
        if self.low is not None:
            return self.low + part * reach
        if self.high is not None:
            return self.high - part * reach
        return (2 * part - 1) * reach

    def holds(self, value: Fraction) -> bool:
        """Whether a point lies in the range."""
        if self.low is not None and (value < self.low or (value == self.low and self.low_open)):
            return False
        if self.high is not None and (value > self.high or (value == self.high and self.high_open)):
            return False
        return not (self.nonzero and value == 0) and not (self.whole and value.denominator != 1)


def exact(tree: Tree) -> Fraction | None:
    """The value of a tree of numbers only, if it is rational."""
    match tree:
        case Number(value):
            return value
        case Call("neg", (inner,)):
            positive = exact(inner)
            return None if positive is None else -positive
        case Call("div", (top, bottom)):
            one, two = exact(top), exact(bottom)
            return None if one is None or not two else one / two
    return None


def key_of(tree: Tree) -> str | None:
    """The key under which a name or an index is known: ``x``, ``S[t]``."""
    match tree:
        case Name(text):
            return text
        case Index(_, at) if all(isinstance(part, Name | Number) for part in at):
            from grn.maths.plain import print_tree

            return print_tree(tree)
    return None


def ranges(symbols: Symbols) -> dict[str, Range]:
    """Ranges of all names of which something is assumed."""
    found: dict[str, Range] = {}
    for sign, name, bound in _bounds(symbols.assumed):
        found.setdefault(name, Range()).narrow(sign, bound)
    for relation in symbols.assumed:
        key = key_of(relation.left)
        if relation.sign != "In" or key is None:
            continue
        spot = found.setdefault(key, Range())
        match relation.right:
            case Constant("Naturals"):
                spot.whole = True
                spot.narrow("Ge", Fraction(1))
            case Constant("Integers"):
                spot.whole = True
            case Call("interval" | "interval_open" as kind, (low, high)):
                closed = kind == "interval"
                for side, sign in ((low, "Ge" if closed else "Gt"), (high, "Le" if closed else "Lt")):
                    value = exact(side)
                    if value is not None:
                        spot.narrow(sign, value)
    return found


def _bounds(assumed: list[Relation]) -> Iterator[tuple[str, str, Fraction]]:
    for relation in assumed:
        if relation.sign not in _FLIPPED:
            continue
        left, right = exact(relation.left), exact(relation.right)
        key = key_of(relation.left)
        if key is not None and right is not None:
            yield relation.sign, key, right
        key = key_of(relation.right)
        if key is not None and left is not None:
            yield _FLIPPED[relation.sign], key, left
