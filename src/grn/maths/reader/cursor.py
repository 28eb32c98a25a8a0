"""A place in a line of tokens: looking, taking, refusing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from grn.maths.reader.tokens import Token, UnparsedError
from grn.maths.reader.vocabulary import PAIRS
from grn.maths.symbols import Symbols
from grn.maths.syntax import Tree

DEEPEST = 40
"""Groups inside groups; deeper is refused before it costs anything."""

_CLOSERS = {"rvert": "|", "rVert": "||", "rfloor": "rfloor", "rceil": "rceil", "}": "}", "|": "||"}
_OPENERS = {"lvert": "|", "lVert": "||", "lfloor": "lfloor", "lceil": "lceil", "{": "{", "|": "||"}


class Cursor:
    """Tokens and the place among them; what grammars stand on.

    Parameters
    ----------
    tokens
        Of one line, the last of kind ``end``.
    symbols
        What the document has said so far; the grammar only reads it.
    """

    def __init__(self, tokens: list[Token], symbols: Symbols) -> None:
        self.tokens = tokens
        self.symbols = symbols
        self.place = 0
        self.depth = 0
        self.open_bars = 0
        self.integrands = 0
        self.bound: list[str] = []

    # Rules of the grammar that others call; each is defined by the class that it belongs to.
    def expression(self) -> Tree:
        """Read sums and differences."""
        raise NotImplementedError

    def product(self) -> Tree:
        """Read products and quotients."""
        raise NotImplementedError

    def factor(self) -> Tree:
        """Read one factor with its powers."""
        raise NotImplementedError

    @property
    def token(self) -> Token:
        """The token at the place."""
        return self.tokens[self.place]

    def ahead(self, steps: int = 1) -> Token:
        """A later token; the last one where there are no more."""
        return self.tokens[min(self.place + steps, len(self.tokens) - 1)]

    def is_sign(self, *signs: str, steps: int = 0) -> bool:
        """Whether a token is one of these signs."""
        token = self.ahead(steps)
        return token.kind == "sign" and token.text in signs

    def is_command(self, *names: str, steps: int = 0) -> bool:
        """Whether a token is one of these commands."""
        token = self.ahead(steps)
        return token.kind == "command" and token.text in names

    def take(self) -> Token:
        """Take the token and go on."""
        token = self.token
        if token.kind == "end":
            raise self.refusal("the line ends where more must follow")
        self.place += 1
        return token

    def take_sign(self, *signs: str) -> bool:
        """Take one of these signs if it is there."""
        if self.is_sign(*signs):
            self.place += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        """Take a sign that must be there."""
        if not self.take_sign(sign):
            raise self.refusal(f"{sign!r} must follow")

    def refusal(self, what: str, hint: str | None = None, token: Token | None = None) -> UnparsedError:
        """What cannot be read, and where, as an error to raise."""
        at = token or self.token
        return UnparsedError(what, start=at.start, end=max(at.end, at.start + 1), hint=hint)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One group deeper."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refusal(f"nested deeper than {DEEPEST} groups")
        yield
        self.depth -= 1

    def delimiter(self) -> str | None:
        r"""Name the opening delimiter at the place, ``\left`` aside; None where there is none."""
        steps = 1 if self.is_command("left") else 0
        token = self.ahead(steps)
        if token.kind == "sign" and token.text in ("(", "["):
            return token.text
        if token.kind == "sign" and token.text == "|" and (steps or not self.open_bars):
            return "|"
        if token.kind == "command" and token.text == "|" and not steps and self.open_bars:
            return None
        return _OPENERS.get(token.text) if token.kind == "command" else None

    def open(self) -> tuple[str, bool]:
        r"""Take an opening delimiter; its name, and whether ``\left`` stood before it."""
        opening = self.delimiter()
        if opening is None:
            raise self.refusal("a parenthesis must follow")
        sized = self.is_command("left")
        self.place += 2 if sized else 1
        return opening, sized

    def close(self, opening: str, sized: bool) -> None:
        r"""Take the delimiter that closes this one; ``\right`` where there was ``\left``."""
        if sized:
            if not self.is_command("right"):
                raise self.refusal(r"\left without its \right")
            self.place += 1
        token = self.token
        name = token.text if token.kind == "sign" else _CLOSERS.get(token.text)
        if name != PAIRS[opening]:
            raise self.refusal(f"{PAIRS[opening]!r} must close what {opening!r} opened")
        self.place += 1

    @contextmanager
    def fresh(self, bars: int = 0) -> Iterator[None]:
        """Inside a group: bars and integrals that are open outside do not count."""
        kept = self.open_bars, self.integrands
        self.open_bars, self.integrands = bars, 0
        with self.deeper():
            yield
        self.open_bars, self.integrands = kept

    def group(self) -> Tree:
        """Read what stands in braces, or the single token that TeX would take."""
        if self.take_sign("{"):
            with self.fresh():
                inner = self.expression()
            self.expect("}")
            return inner
        return self.single()

    def single(self) -> Tree:
        """Read one token, as TeX takes it: one digit, one letter or one command."""
        raise NotImplementedError
