"""Sums, products, factors, relations: the grammar of a line, put together."""

from __future__ import annotations

from fractions import Fraction

from grn.maths.reader.functions import Functions
from grn.maths.reader.tokens import Token, UnparsedError, tokenize
from grn.maths.reader.vocabulary import ACCENTS, BOLD, CONNECTIVES, FUNCTIONS, GREEK, RELATIONS, SIGNS, WORDS
from grn.maths.symbols import Symbols
from grn.maths.syntax import (
    Bind,
    Call,
    Chain,
    Connected,
    Constant,
    Derivative,
    Expression,
    Name,
    Number,
    Relation,
    Statement,
    Tree,
    children,
    names_in,
    sides,
    walk,
)

_PLAIN_WORDS = frozenset(("if", "for", "when", "otherwise", "and", "where"))
_TABLES = (GREEK, FUNCTIONS, ACCENTS, BOLD)
_BIG = {"sum": "sum", "prod": "product"}
_STARTS = frozenset(
    (
        *("frac", "tfrac", "dfrac", "sqrt", "binom", "int", "sum", "prod", "lim", "partial", "begin", "det"),
        *(
            "max",
            "min",
            "Pr",
            "mathbb",
            "mathcal",
            "pi",
            "infty",
            "imath",
            "left",
            "lvert",
            "lVert",
            "lfloor",
        ),
        *("lceil", "{", "|", "dot", "ddot"),
    )
)


class Grammar(Functions):
    """Rules for a whole line."""

    # --- sums

    def expression(self) -> Tree:
        """Read sums and differences."""
        with self.deeper():
            terms = [self._first_term()]
            while self.is_sign("+", "-"):
                minus = self.take().text == "-"
                if self.is_sign("+", "-"):
                    raise self.refusal("two signs behind each other")
                term = self.product()
                terms.append(Call("neg", (term,)) if minus else term)
        self._nothing_escapes(terms)
        return terms[0] if len(terms) == 1 else Call("add", tuple(terms))

    def _first_term(self) -> Tree:
        if self.take_sign("-"):
            if self.is_sign("+", "-"):
                raise self.refusal("two signs behind each other")
            return Call("neg", (self.product(),))
        self.take_sign("+")
        return self.product()

    def _nothing_escapes(self, terms: list[Tree]) -> None:
        """Refuse a term behind a sum or limit that uses its index."""
        for position, term in enumerate(terms[:-1]):
            inner = term.args[0] if isinstance(term, Call) and term.head == "neg" else term
            factors = inner.args if isinstance(inner, Call) and inner.head == "mul" else (inner,)
            for factor in factors:
                if not (isinstance(factor, Bind) and factor.kind in ("sum", "product", "limit")):
                    continue
                index = factor.name
                later = (name for rest in terms[position + 1 :] for name in _free_names(rest))
                if isinstance(index, Name) and index.text in later:
                    raise self.refusal(
                        f"does the {factor.kind} over {index.text} end before the sign?", "use parentheses"
                    )

    # --- products

    def product(self) -> Tree:
        """Read products and quotients, explicit and by juxtaposition."""
        factors = [self.factor()]
        divided = False
        while True:
            if self.is_command("cdot", "times", "ast") or self.is_sign("*"):
                at = self.take()
                if divided:
                    raise self.refusal("is this factor below the stroke?", r"use \frac or parentheses", at)
                factors.append(self.factor())
            elif self.is_sign("/") or self.is_command("div"):
                stroke = self.take()
                if divided or isinstance(factors[-1], Bind | Derivative):
                    raise self.refusal("what is above this stroke?", r"use \frac or parentheses", stroke)
                below = self.factor()
                factors = [Call("div", (_times(factors), below))]
                divided = True
            elif self.starts_factor():
                if divided:
                    raise self.refusal("is this factor below the stroke?", r"use \frac or parentheses")
                if self.token.kind == "number":
                    raise self.refusal("a number behind a factor", r"write \cdot between them")
                factors.append(self.factor())
            else:
                return _times(factors)

    def starts_factor(self) -> bool:
        """Whether a factor can begin at the place."""
        token = self.token
        if self.integrands and self.at_differential():
            return False
        if token.kind in ("number", "letter", "text"):
            return not (token.kind == "text" and token.text in _PLAIN_WORDS)
        if token.kind == "command":
            if token.text in ("|", "left"):
                return self.delimiter() is not None or self._opens_evaluation()
            return token.text in _STARTS or any(token.text in known for known in _TABLES)
        return self.delimiter() is not None or self.is_sign("{")

    def _opens_evaluation(self) -> bool:
        return self.is_command("left") and self.is_sign(".", steps=1)

    # --- factors

    def factor(self) -> Tree:
        """Read one factor with powers and factorials behind it."""
        with self.deeper():
            tree = self._factor()
            while self.is_sign("!") or self.is_sign("^", "_", "'"):
                if self.take_sign("!"):
                    tree = Call("factorial", (tree,))
                elif self.is_sign("^") and not isinstance(tree, Bind | Derivative):
                    if isinstance(tree, Call) and tree.head in ("pow", "exp", "transpose", "inverse") and (
                        self.tokens[self.place - 1].text != ")"
                        and not (self.tokens[self.place - 1].text == "}" and self._grouped)
                    ):  # fmt: skip
                        raise self.refusal("a power of a power", "use parentheses")
                    tree = self.powered(tree)
                else:
                    raise self.refusal("a mark that belongs to nothing")
        return tree

    _grouped = False

    def _factor(self) -> Tree:
        token = self.token
        self._grouped = False
        if token.kind == "number":
            self.take()
            return self._number(token)
        if self.at_differential():
            self.take()
            return Call("d", (self.differential_of(),))
        if token.kind in ("letter", "text"):
            return self._letter(token)
        if self._opens_evaluation():
            return self.evaluated()
        if self.delimiter() is not None:
            return self.enclosed()
        if self.is_sign("{"):
            inner = self.group()
            self._grouped = True
            return inner
        if token.kind == "command":
            return self._command(token)
        if token.kind == "end":
            raise self.refusal("the line ends where more must follow")
        raise self.refusal(f"a factor must stand here, not {token.text!r}")

    def _number(self, token: Token) -> Tree:
        return Number(Fraction(token.text))

    def _letter(self, token: Token) -> Tree:
        roman = token.kind == "text"
        if roman and token.text == "i":
            self.take()
            return Constant("imag")
        sized = int(self.is_command("left", steps=1))
        mean = token.text == "E" and self.is_sign("[", steps=1 + sized) and self.symbols.kind("E") is None
        if mean or (roman and token.text in WORDS):
            return self.word()
        if roman and token.text == "e":
            self.take()
            scripts = self.scripts()
            return self._euler(scripts)
        return self.name()

    def _command(self, token: Token) -> Tree:
        text = token.text
        if text in FUNCTIONS:
            return self.function()
        if text in ("frac", "tfrac", "dfrac"):
            return self.fraction()
        if text in ("det", "max", "min", "Pr"):
            return self.word()
        if text in ("mathbb", "mathbf") and self.ahead(2).text == "1":
            return self.indicator()
        if text == "mathcal" and self.ahead(2).text == "O":
            self.place += 4
            return Call("O", self.arguments())
        if text in ("mathbb", "mathcal") or (text == "mathbf" and self.ahead(2).text in ("E", "P")):
            return self.word()
        if text in _BIG:
            return self.big(_BIG[text])
        rules = {
            "sqrt": self._root,
            "binom": self._binomial,
            "int": self.integral,
            "lim": self.limit,
            "partial": self.partial,
            "begin": self.environment,
        }
        if text in rules:
            return rules[text]()
        constants = {"pi": Constant("pi"), "infty": Constant("oo"), "imath": Constant("imag")}
        if text in constants:
            self.take()
            return constants[text]
        if text in GREEK or text in ACCENTS or text in BOLD or text in ("dot", "ddot"):
            return self.name()
        if text in ("newcommand", "def", "renewcommand", "let"):
            raise self.refusal("macros are not expanded", "write the formula out")
        raise self.refusal(f"no such command in the dialect: \\{text}")

    def _root(self) -> Tree:
        self.take()
        if self.take_sign("["):
            with self.fresh():
                degree = self.expression()
            self.expect("]")
            return Call("root", (self.group(), degree))
        return Call("sqrt", (self.group(),))

    def _binomial(self) -> Tree:
        self.take()
        top = self.group()
        return Call("binomial", (top, self.group()))

    def single(self) -> Tree:
        """Read one token, as TeX takes it."""
        token = self.token
        if token.kind == "number":
            if len(token.text) > 1:
                if self.tokens[self.place - 1].text not in ("frac", "tfrac", "dfrac", "sqrt"):
                    raise self.refusal("TeX takes one digit here", "put the number into braces")
                first, rest = token.text[0], token.text[1:]
                halves = [
                    Token("number", first, token.start, token.start + 1),
                    Token("number", rest, token.start + 1, token.end),
                ]
                if not rest.isdigit():
                    raise self.refusal("TeX takes one digit here", "put the number into braces")
                self.tokens[self.place : self.place + 1] = halves
            return self._number(self.take())
        if token.kind == "letter":
            self.take()
            return Constant("euler") if token.text == "e" and not self.symbols.kind("e") else Name(token.text)
        if token.kind == "command":
            if token.text in ("pi", "infty"):
                return self._command(token)
            if token.text in GREEK:
                self.take()
                return Name(token.text)
            if token.text in ("frac", "tfrac", "dfrac", "sqrt"):
                return self._command(token)
        raise self.refusal("one sign or a group in braces must follow")

    # --- statements

    def line(self) -> Statement:
        """Read a whole line."""
        statement = self._connected()
        self.take_sign(".", ",", ";")
        if self.token.kind != "end":
            raise self.refusal(f"{self.token.text!r} cannot stand here")
        self._differentials_balance(statement)
        self._variables_apart(statement)
        return statement

    def _connected(self) -> Statement:
        parts, kind = [self._listed()], ""
        while self.token.kind == "command" and self.token.text in CONNECTIVES:
            token = self.take()
            if kind not in ("", CONNECTIVES[token.text]):
                raise self.refusal("two kinds of arrows in one line", token=token)
            kind = CONNECTIVES[token.text]
            parts.append(self._listed())
        return parts[0] if not kind else Connected(kind, tuple(parts))

    def _listed(self) -> Statement:
        parts = [self.statement()]
        while self.is_sign(",", ";") and self.ahead().kind != "end":
            self.take()
            parts.append(self.statement())
        return parts[0] if len(parts) == 1 else Connected("And", tuple(parts))

    def statement(self) -> Statement:
        """Read sides with relations between them."""
        first = self.expression()
        rest: list[tuple[str, Tree]] = []
        while (sign := self._sign()) is not None:
            if sign == "In":
                rest.append((sign, self.set_of()))
            elif sign == "Sim":
                rest.append((sign, self.law()))
            else:
                rest.append((sign, self.expression()))
        if not rest:
            return Expression(first)
        if len(rest) == 1:
            return Relation(rest[0][0], first, rest[0][1])
        return Chain(first, tuple(rest))

    def _sign(self) -> str | None:
        self.take_sign("&")
        if self.is_sign(":") and self.is_sign("=", steps=1):
            self.place += 2
            return "Define"
        token = self.token
        if token.kind == "sign" and token.text in SIGNS:
            self.place += 1
            self.take_sign("&")
            return SIGNS[token.text]
        if token.kind == "command" and token.text in RELATIONS:
            self.place += 1
            return RELATIONS[token.text]
        return None

    # --- what only a whole line can tell

    def _differentials_balance(self, statement: Statement) -> None:
        """Refuse differentials that are not in every term of an equation, or inside of functions."""
        everything = list(sides(statement))
        if not any(isinstance(part, Call) and part.head == "d" for side in everything for part in walk(side)):
            return
        if not isinstance(statement, Relation) and len(everything) > 1:
            raise self.refusal("differentials in a chain", "write one equation a line")
        alone = isinstance(statement, Expression) and statement.tree == Call(
            "d", tuple(children(statement.tree))
        )
        if not alone and not all(_is_differential(side) or _is_zero(side) for side in everything):
            raise self.refusal(
                "a differential that not every term has: is d a factor?", "declare d, or write it so"
            )
        if isinstance(statement, Expression) and not alone:
            raise self.refusal("a differential outside of an equation")

    def _variables_apart(self, statement: Statement) -> None:
        r"""Refuse ``\int u\,dv = uv - \int v\,du``: names that depend on each other without saying so."""
        found = [
            part
            for side in sides(statement)
            for part in walk(side)
            if isinstance(part, Bind) and part.kind == "integral" and part.low is None
        ]
        for one in found:
            for two in found:
                if one.name != two.name and names_in(one.name) & names_in(two.body):
                    raise self.refusal("names of which each is integrated over the other")


def _times(factors: list[Tree]) -> Tree:
    return factors[0] if len(factors) == 1 else Call("mul", tuple(factors))


def _free_names(tree: Tree) -> set[str]:
    """Names in a tree, but for those that an operator in it binds."""
    bound = {part.name.text for part in walk(tree) if isinstance(part, Bind) and isinstance(part.name, Name)}
    return names_in(tree) - bound


def _is_zero(tree: Tree) -> bool:
    return isinstance(tree, Number) and tree.value == 0


def _is_differential(tree: Tree) -> bool:
    """Whether each term of a tree has a differential as a factor, and nothing else in it has one."""
    if not isinstance(tree, Call):
        return False
    match tree.head:
        case "add":
            return all(_is_differential(term) for term in tree.args)
        case "neg" | "d":
            return tree.head == "d" or _is_differential(tree.args[0])
        case "mul":
            moving = [_is_differential(factor) for factor in tree.args]
            return any(moving) and not any(_moves(f) for f, m in zip(tree.args, moving, strict=True) if not m)
        case "pow":
            return _is_differential(tree.args[0])
        case "div":
            return _is_differential(tree.args[0]) and not _moves(tree.args[1])
    return False


def _moves(tree: Tree) -> bool:
    return any(isinstance(part, Call) and part.head == "d" for part in walk(tree))


def read_line(latex: str, symbols: Symbols | None = None) -> Statement:
    """Read a line of the dialect.

    Parameters
    ----------
    latex
        One formula without its dollar signs.
    symbols
        What the document has said before; it is not changed.

    Raises
    ------
    UnparsedError
        It cannot be read in exactly one way; the error has the place and often a hint.
    """
    tokens = tokenize(latex)
    known = (symbols or Symbols()).copy()
    known.bare |= find_bare(tokens)
    try:
        return Grammar(tokens, known).line()
    except RecursionError:
        raise UnparsedError("nested too deeply", end=len(latex)) from None


def find_bare(tokens: list[Token]) -> set[str]:
    """Letters with no parenthesis or prime behind them somewhere, numerators of derivatives aside."""
    found = set()
    for at, token in enumerate(tokens[:-1]):
        if not (token.kind == "letter" or token.text in GREEK):
            continue
        after = tokens[at + 1]
        applied = after.text in ("(", "'", "left", "{") or (after.kind == "sign" and after.text in "_^")
        differentiated = at and tokens[at - 1].text in ("partial", "d")
        if not applied and not differentiated:
            found.add(token.text)
    return found
