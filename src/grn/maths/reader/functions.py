"""Functions with and without parentheses, norms, expectations, matrices, cases."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from grn.maths.reader.calculus import Calculus
from grn.maths.reader.names import MINUS_ONE, Scripts
from grn.maths.reader.vocabulary import FUNCTIONS, MATRICES, SETS, WORDS
from grn.maths.syntax import Call, Cases, Constant, Holds, Matrix, Number, Statement, Tree

_WITH_BRACKETS = {"E", "Var", "Cov", "P"}


class Functions(Calculus):
    """Rules for what has a name of its own in the dialect."""

    def statement(self) -> Statement:
        """Read relations; defined by the grammar of statements."""
        raise NotImplementedError

    # --- functions

    def function(self) -> Tree:
        r"""Read ``\sin x``, ``\sin^2 x``, ``\log_2(8)``, ``\exp(-x)``."""
        at = self.take()
        head = FUNCTIONS[at.text]
        scripts = self.scripts()
        power = scripts.power
        if power is not None and self._is_minus_one(power):
            hint = r"write \arcsin x or (\sin x)^{-1}"
            raise self.refusal("is this the inverse function or the reciprocal?", hint, at)
        if scripts.order or scripts.transposed or scripts.positive:
            raise self.refusal("a mark on a function", token=at)
        args: tuple[Tree, ...] = (self._argument(),)
        if scripts.label or scripts.index:
            if at.text != "log":
                raise self.refusal("an index of a function", token=at)
            base = Number(Fraction(scripts.label)) if scripts.label.isdigit() else scripts.index[0]
            head, args = "logb", (*args, base)
        tree: Tree = Call(head, args)
        if power is not None:
            if self.is_sign("^"):
                raise self.refusal("a second power of one function")
            return Call("pow", (tree, power))
        return tree

    def _is_minus_one(self, power: Tree) -> bool:
        return power in MINUS_ONE

    def _argument(self) -> Tree:
        """What a function without parentheses is of: a group, or the simple factors that follow."""
        if self.delimiter() in ("(", "[", "{", "|", "||", "lfloor", "lceil"):
            # The power of "\\sin(x)^2" belongs to the value: it is left to the caller.
            return self.enclosed()
        if self.is_sign("{"):
            return self.group()
        factors: list[Tree] = []
        while self._starts_simple(bool(factors)):
            factors.append(self.factor())
        if not factors:
            raise self.refusal("an argument must follow")
        if self.delimiter() and not self.open_bars:
            raise self.refusal("does the argument end before the parenthesis?", "use parentheses")
        if self.is_sign("/"):
            raise self.refusal("does the argument end before the stroke?", r"use \frac or parentheses")
        if len(factors) == 1:
            if isinstance(factors[0], Number) and self.is_command("cdot", "times"):
                raise self.refusal("does the argument end before the dot?", "use parentheses")
            return factors[0]
        if any(isinstance(factor, Call) and factor.head == "div" for factor in factors[:-1]):
            raise self.refusal("does the argument end behind the fraction?", "use parentheses")
        return Call("mul", tuple(factors))

    def _starts_simple(self, later: bool) -> bool:
        token = self.token
        if self.integrands and self.at_differential():
            return False
        if token.kind == "number":
            return not later
        if token.kind in ("letter", "text"):
            return token.text not in WORDS or token.kind == "letter"
        return token.kind == "command" and token.text not in FUNCTIONS and self.starts_factor() and (
            not self.delimiter() and token.text not in ("sum", "prod", "int", "lim", "det", "begin", "Pr")
        )  # fmt: skip

    def word(self) -> Tree:
        r"""Read a function by its word: ``\operatorname{erf}(x)``, ``\max(a, b)``, ``\mathbb{E}[X]``."""
        at = self.take()
        name = at.text
        if at.kind == "command" and name in ("mathbb", "mathcal", "mathbf"):
            self.expect("{")
            name = self.take().text
            self.expect("}")
        head = WORDS.get({"V": "Var", "Pr": "P"}.get(name, name))
        if head is None:
            raise self.refusal(f"no such function in the dialect: {name!r}", token=at)
        scripts = self.scripts()
        if scripts != Scripts(power=scripts.power):
            raise self.refusal("a mark on a function", token=at)
        if scripts.power is not None and (head in _WITH_BRACKETS or self._is_minus_one(scripts.power)):
            raise self.refusal("a power before the argument", "write it behind", at)
        tree = self._of(head, at.text)
        if scripts.power is not None:
            return Call("pow", (tree, scripts.power))
        return self.powered(tree)

    def _of(self, head: str, word: str) -> Tree:
        if head == "det" and self.is_command("begin"):
            return Call(head, (self.environment(),))
        opening = self.delimiter()
        if opening not in ("(", "[", "{"):
            raise self.refusal(f"{word} needs its argument in parentheses")
        opening, sized = self.open()
        with self.fresh():
            if head == "P":
                args: list[Tree] = [Holds(self.statement())]
            else:
                args = [self.expression()]
            while self.take_sign(","):
                args.append(self.expression())
            if self.take_sign("|") or self._take_mid():
                args.append(Call("given", (self.expression(),)))
        self.close(opening, sized)
        arity = {"Cov": 2, "max": 0, "min": 0}.get(head, 1)
        if arity and len([a for a in args if not (isinstance(a, Call) and a.head == "given")]) != arity:
            raise self.refusal(f"{word} takes {arity} argument{'s' * (arity > 1)}")
        return Call(head, tuple(args))

    def _take_mid(self) -> bool:
        if self.is_command("mid", "vert"):
            self.take()
            return True
        return False

    # --- groups

    def enclosed(self) -> Tree:
        """Read a group in delimiters: parentheses, absolute value, norm, floor, ceiling."""
        opening, sized = self.open()
        with self.fresh(bars=int(opening in ("|", "||"))):
            inner = self.expression()
        self.close(opening, sized)
        if opening == "||":
            return self._norm(inner)
        heads = {"|": "abs", "lfloor": "floor", "lceil": "ceiling"}
        return Call(heads[opening], (inner,)) if opening in heads else inner

    def _norm(self, inner: Tree) -> Tree:
        if not self.take_sign("_"):
            return Call("norm", (inner,))
        return Call("norm", (inner, self.group()))

    def evaluated(self) -> Tree:
        r"""Read ``\left. f \right|_{x=0}``."""
        self.place += 2
        with self.fresh():
            body = self.expression()
        if not (self.is_command("right") and self.is_sign("|", steps=1) and self.is_sign("_", steps=2)):
            raise self.refusal(r"\right|_{...} must follow")
        self.place += 3
        self.expect("{")
        name = self.name()
        self.expect("=")
        value = self.expression()
        self.expect("}")
        return Call("subs", (body, name, value))

    # --- environments

    def environment(self) -> Tree:
        """Read a matrix or cases."""
        at = self.take()
        name = self._environment_name()
        if name == "cases":
            return self._cases()
        if name not in MATRICES:
            raise self.refusal(f"no such environment in a formula: {name!r}", token=at)
        rows = self._rows(self.expression)
        self._end(name)
        if len({len(row) for row in rows}) != 1:
            raise self.refusal("rows of different length", token=at)
        matrix = Matrix(tuple(rows))
        return Call("det", (matrix,)) if name == "vmatrix" else matrix

    def _environment_name(self) -> str:
        self.expect("{")
        name = ""
        while self.token.kind == "letter":
            name += self.take().text
        self.expect("}")
        return name

    def _end(self, name: str) -> None:
        if not self.is_command("end"):
            raise self.refusal(rf"\end{{{name}}} must follow")
        self.take()
        if self._environment_name() != name:
            raise self.refusal(f"another environment ends than {name!r}")

    def _rows(self, cell: Callable[[], Tree]) -> list[tuple[Tree, ...]]:
        rows = []
        with self.fresh():
            while not self.is_command("end"):
                row = [cell()]
                while self.take_sign("&"):
                    row.append(cell())
                rows.append(tuple(row))
                if not self.is_command("\\"):
                    break
                self.take()
        return rows

    def _cases(self) -> Tree:
        branches: list[tuple[Tree, Statement | None]] = []
        with self.fresh():
            while not self.is_command("end"):
                value = self.expression()
                self.take_sign(",")
                self.expect("&")
                branches.append((value, self._condition()))
                self.take_sign(",", ".", ";")
                if not self.is_command("\\"):
                    break
                self.take()
        self._end("cases")
        if not branches:
            raise self.refusal("cases without a case")
        return Cases(tuple(branches))

    def _condition(self) -> Statement | None:
        if self.token.kind == "text" and self.token.text.rstrip(".,") in ("otherwise", "else"):
            self.take()
            return None
        if self.token.kind == "text" and self.token.text in ("if", "for", "when"):
            self.take()
        return self.statement()

    def indicator(self) -> Tree:
        r"""Read ``\mathbf{1}_{\{x > K\}}``."""
        self.take()
        self.expect("{")
        self.take()
        self.expect("}")
        self.expect("_")
        self.expect("{")
        braced = self.delimiter() == "{"
        opening, sized = self.open() if braced else ("", False)
        with self.fresh():
            condition = self.statement()
        if braced:
            self.close(opening, sized)
        self.expect("}")
        return Cases(((Number(Fraction(1)), condition), (Number(Fraction(0)), None)))

    def set_of(self) -> Tree:
        r"""Read what stands behind ``\in``: ``\mathbb{R}^{n \times m}``, ``[0, 1]``, ``(0, \infty)``."""
        if self.is_command("mathbb"):
            self.take()
            self.expect("{")
            letter = self.take()
            self.expect("}")
            if letter.text not in "RNZQC":
                raise self.refusal("no such set in the dialect", token=letter)
            return self._powered_set(letter.text)
        if self.delimiter() in ("[", "("):
            steps = 1 if self.is_command("left") else 0
            self.place += 1 + steps
            opened = self.tokens[self.place - 1].text == "("
            with self.fresh():
                low = self.expression()
                self.expect(",")
                high = self.expression()
            self.place += 1 if self.is_command("right") else 0
            token = self.take()
            if token.text != (")" if opened else "]"):
                raise self.refusal("half-open intervals are written as inequalities", token=token)
            return Call("interval_open" if opened else "interval", (low, high))
        raise self.refusal("no such set in the dialect")

    def _powered_set(self, letter: str) -> Tree:
        if not self.take_sign("^"):
            return Constant(SETS[letter])
        if letter != "R":
            raise self.refusal("powers of the reals only")
        braced = self.take_sign("{")
        shape = [self.single()]
        if braced and self.is_command("times"):
            self.take()
            shape.append(self.single())
        if braced:
            self.expect("}")
        return Call("Reals", tuple(shape))

    def law(self) -> Tree:
        r"""Read what stands behind ``\sim``: a Gaussian."""
        if self.is_command("mathcal"):
            self.take()
            self.expect("{")
            token = self.take()
            self.expect("}")
        else:
            token = self.take()
        if token.text != "N" or self.delimiter() != "(":
            raise self.refusal("no such law in the dialect", r"\mathcal{N}(\mu, \sigma^2) is known", token)
        args = self.arguments()
        if len(args) != 2:
            raise self.refusal("a Gaussian has a mean and a variance", token=token)
        return Call("Normal", args)
