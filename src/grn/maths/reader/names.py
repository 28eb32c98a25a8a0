"""Names with what hangs on them: indices, powers, primes, arguments."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from grn.maths.reader.cursor import Cursor
from grn.maths.reader.tokens import Token
from grn.maths.reader.vocabulary import ACCENTS, BOLD, FUNCTIONS, GREEK, USUAL_FUNCTIONS
from grn.maths.syntax import Apply, Call, Constant, Index, Name, Number, Tree, names_in, walk

MINUS_ONE = (Number(Fraction(-1)), Call("neg", (Number(Fraction(1)),)))
"""How an exponent of -1 is read."""

_LABELS = frozenset(("max", "min", "infty", "star"))


@dataclass(slots=True)
class Scripts:
    r"""What stands above and below a name.

    ``power`` is an exponent; ``order`` counts primes or is the ``n`` of ``f^{(n)}``; ``transposed`` and
    ``positive`` stand for a power that is ``\top`` or ``+``.
    """

    label: str = ""
    index: tuple[Tree, ...] = ()
    power: Tree | None = None
    order: int = 0
    transposed: bool = False
    positive: bool = False


class Names(Cursor):
    """Rules for names and their scripts."""

    def name(self) -> Tree:
        """Read a name: a factor, or a function with its arguments."""
        start = self.token
        if self._is_bold_one():
            raise self.refusal("an indicator needs its condition in braces below it")
        dots = {"dot": 1, "ddot": 2}.get(start.text, 0) if start.kind == "command" else 0
        base = self._plain_dotted() if dots else self._base()
        if base == "d" and self.symbols.kind("d") != "variable" and self._begins_differential(0):
            raise self.refusal("a differential stands here as a factor")
        scripts = self.scripts()
        scripts.order += dots
        key = f"{base}_{scripts.label}" if scripts.label else base
        if base == "e" and not scripts.label and not scripts.index and self.symbols.kind("e") is None:
            return self._euler(scripts)
        if key == "i" and not scripts.index and "i" not in self.bound and self.symbols.kind("i") is None:
            raise self.refusal(
                "is i an index or the imaginary unit?", r"write \mathrm{i}, or declare i", start
            )
        if self._is_function(key, scripts):
            return self._apply(key, scripts)
        if scripts.order:
            return self._primed(key, scripts)
        if self.delimiter() == "(" and not scripts.power and not scripts.transposed:
            applied = self._ambiguous(key, scripts)
            if applied is not None:
                return applied
        declared = self.symbols.arguments.get(key)
        tree: Tree = Index(base, scripts.index) if scripts.index else Name(key)
        if declared is not None and not scripts.index:
            tree = Apply(key, 0, declared)
        return self.with_scripts(tree, scripts)

    def _base(self) -> str:
        token = self.take()
        if token.kind == "letter" or (token.kind == "text" and token.text):
            return token.text.replace(" ", "_")
        if token.kind == "command" and token.text in GREEK:
            if token.text == "Delta" and self.token.kind == "letter" and self.symbols.kind("Delta") is None:
                # "\Delta t" is one name; whoever means a product declares \Delta.
                return f"Delta_{self.take().text}"
            return token.text
        if token.kind == "command" and token.text in ACCENTS:
            return f"{ACCENTS[token.text]}_{self._plain_group()}"
        if token.kind == "command" and token.text in BOLD:
            return f"{self._plain_group()}_bold"
        raise self.refusal(f"no such name in the dialect: {token.text!r}", token=token)

    def _plain_dotted(self) -> str:
        self.take()
        return self._plain_group()

    def _plain_group(self) -> str:
        braced = self.take_sign("{")
        token = self.take()
        if token.kind not in ("letter", "text") and token.text not in GREEK:
            raise self.refusal("one letter must follow", token=token)
        if braced:
            self.expect("}")
        return token.text

    def _is_bold_one(self) -> bool:
        return self.is_command("mathbf", "mathbb") and self.ahead(2).text == "1"

    # --- scripts

    def scripts(self) -> Scripts:
        """Read indices, powers and primes in any order, each at most once."""
        found = Scripts()
        below = above = False
        while True:
            if self.is_sign("_") and not below:
                below = True
                self.take()
                self._below(found)
            elif self.is_sign("^") and not above:
                above = True
                self.take()
                self.above(found)
            elif self.is_sign("'") and not above:
                while self.take_sign("'"):
                    found.order += 1
            elif self.is_sign("_", "^"):
                raise self.refusal(
                    "a second index or power of one name", "put the first one into parentheses"
                )
            else:
                return found

    def _below(self, found: Scripts) -> None:
        token = self.token
        if not self.take_sign("{"):
            self.take()
            digit = token.kind == "number" and len(token.text) == 1
            if digit or token.kind == "text" or token.text in _LABELS:
                found.label = token.text
            elif token.kind == "letter" or token.text in GREEK:
                found.index = (Name(token.text),)
            else:
                raise self.refusal("TeX takes one sign as an index here", "put the index into braces", token)
            return
        if self.token.kind in ("text", "number") or self.token.text in _LABELS:
            token = self.take()
            if self.take_sign("}"):
                found.label = token.text
                return
            self.place -= 1
        found.index = self._indices()
        self.expect("}")

    def _indices(self) -> tuple[Tree, ...]:
        run: list[Token] = []
        while self.ahead(len(run)).kind == "letter":
            run.append(self.ahead(len(run)))
        if len(run) > 1 and self.is_sign("}", steps=len(run)):
            self.place += len(run)
            return tuple(Name(token.text) for token in run)
        kept = list(self.bound)
        # Inside an index, i is an index.
        self.bound.append("i")
        with self.fresh():
            indices = [self.expression()]
            while self.take_sign(","):
                indices.append(self.expression())
        self.bound = kept
        return tuple(indices)

    def above(self, found: Scripts) -> None:
        """Read what follows ``^``."""
        if self.is_command("top", "intercal") or (self.is_sign("{") and self.is_command("top", steps=1)):
            braced = self.take_sign("{")
            self.take()
            if braced:
                self.expect("}")
            found.transposed = True
        elif self.take_sign("+"):
            found.positive = True
        elif self.is_sign("{") and self.is_sign("+", steps=1) and self.is_sign("}", steps=2):
            self.place += 3
            found.positive = True
        elif self.is_sign("{") and self.is_sign("(", steps=1):
            self._order_or_power(found)
        elif self.is_sign("*", "-", "'"):
            raise self.refusal("a mark that the dialect has no meaning for", "use an index or another name")
        else:
            found.power = self.group()

    def _order_or_power(self, found: Scripts) -> None:
        """Read ``f^{(4)}``, an order, or ``x^{(a+b)c}``, a power; ``x^{(k)}`` is neither."""
        digits = self.ahead(2)
        if digits.kind == "number" and self.is_sign(")", steps=3) and self.is_sign("}", steps=4):
            found.order = int(digits.text)
            self.place += 5
            return
        place = self.place
        found.power = self.group()
        # One pair of parentheses around all of it: a label, as often as not.
        if self.tokens[self.place - 2].text == ")" and not self._has_operator(place + 2, self.place - 2):
            raise self.refusal("is this a power or a mark?", "leave out the parentheses, or use an index")

    def _has_operator(self, start: int, end: int) -> bool:
        return any(token.kind == "sign" and token.text in "+-*/()" for token in self.tokens[start:end])

    def with_scripts(self, tree: Tree, scripts: Scripts) -> Tree:
        """Apply a power, a transposition or a positive part."""
        if scripts.order:
            raise self.refusal("a derivative of what is no function")
        if scripts.transposed:
            return Call("transpose", (tree,))
        if scripts.positive:
            return Call("pos", (tree,))
        if scripts.power is None:
            return tree
        if scripts.power == Name("T") and self.symbols.kind("T") is None:
            if self.holds_matrix(tree):
                return Call("transpose", (tree,))
            raise self.refusal("is T a power or a transposition?", r"write \top, or declare T or the matrix")
        if self.holds_matrix(tree) and scripts.power in MINUS_ONE:
            return Call("inverse", (tree,))
        return Call("pow", (tree, scripts.power))

    def holds_matrix(self, tree: Tree) -> bool:
        """Whether a matrix is in a tree: its powers are then powers of matrices."""
        return any(type(part).__name__ == "Matrix" for part in walk(tree)) or any(
            self.symbols.is_matrix(name) for name in names_in(tree)
        )

    # --- functions of the document

    def _euler(self, scripts: Scripts) -> Tree:
        if scripts.power is not None:
            return Call("exp", (scripts.power,))
        if scripts.order or scripts.transposed or scripts.positive:
            raise self.refusal("a mark on Euler's number")
        return Constant("euler")

    def _is_function(self, key: str, scripts: Scripts) -> bool:
        kind = self.symbols.kind(key)
        if kind in ("variable", "matrix") or scripts.index:
            return kind == "function" and self.delimiter() == "("
        if self.delimiter() != "(":
            return key in self.symbols.arguments and scripts.order > 0
        return kind == "function" or scripts.order > 0 or key in (*USUAL_FUNCTIONS, "Phi", "N", "Gamma", "O")

    def _apply(self, key: str, scripts: Scripts) -> Tree:
        if scripts.power is not None or scripts.transposed or scripts.positive:
            raise self.refusal("is this a power of the value, or of the function?", "write (f(x))^2")
        if scripts.index:
            raise self.refusal("a function with an index", "give it a name of its own")
        args = self.arguments() if self.delimiter() == "(" else self.symbols.arguments[key]
        known = {"Phi": "Phi", "N": "Phi", "Gamma": "gamma", "O": "O"}
        tree: Tree
        if key in known and self.symbols.kind(key) is None and len(args) == 1:
            head = known[key]
            if not scripts.order:
                tree = Call(head, args)
            elif head == "Phi":
                tree = Apply(head, scripts.order, args)
            else:
                raise self.refusal(f"a derivative of {key}")
        else:
            tree = Apply(key, scripts.order, args)
        return self.powered(tree)

    def powered(self, tree: Tree) -> Tree:
        """Read a power that follows a value, as in ``f(x)^2``."""
        if self.is_sign("^", "_", "'"):
            return self.with_scripts(tree, self._value_scripts())
        return tree

    def _value_scripts(self) -> Scripts:
        scripts = self.scripts()
        if scripts.label or scripts.index:
            raise self.refusal("an index of a value")
        return scripts

    def arguments(self) -> tuple[Tree, ...]:
        """Read ``(a, b, ...)``."""
        opening, sized = self.open()
        with self.fresh():
            args = [self.expression()]
            while self.take_sign(",", ";"):
                args.append(self.expression())
        self.close(opening, sized)
        return tuple(args)

    def _primed(self, key: str, scripts: Scripts) -> Tree:
        declared = self.symbols.arguments.get(key)
        if declared is None:
            raise self.refusal(f"by what is {key} differentiated?", f"say that {key}(x) is a function of x")
        return Apply(key, scripts.order, declared)

    def _ambiguous(self, key: str, scripts: Scripts) -> Tree | None:
        """A name of unknown kind before a parenthesis: a function, a factor (None), or refused."""
        if self.symbols.kind(key) or scripts.index:
            return None
        place = self.place
        args = self.arguments()
        if len(args) > 1:
            return self.powered(Apply(key, 0, args))
        composite = isinstance(args[0], Call) and args[0].head in ("add", "neg")
        if composite and key in self.symbols.bare:
            self.place = place
            return None
        raise self.refusal(
            f"is {key} a function here, or a factor?",
            f"declare it: {key} in the reals, or {key} a function; or write the product with \\cdot",
            self.tokens[place],
        )

    def _begins_differential(self, steps: int) -> bool:
        """Whether the token some steps ahead can be what a differential is of."""
        token = self.ahead(steps)
        if token.kind in ("letter", "text"):
            return True
        if token.kind == "sign":
            return token.text == "("
        return token.kind == "command" and (
            token.text in GREEK or token.text in ACCENTS or token.text in FUNCTIONS or token.text == "left"
        )

    def at_differential(self) -> bool:
        """Whether ``dx`` stands at the place."""
        token = self.token
        if token.kind not in ("letter", "text") or token.text != "d":
            return False
        if self.symbols.kind("d") == "variable" and token.kind == "letter":
            return False
        return self._begins_differential(1)
