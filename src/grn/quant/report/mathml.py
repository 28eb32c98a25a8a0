"""The registry's formulas as MathML, which every browser sets without a script or a font of ours."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from grn.kit.errors import UsageError

_TOKEN: Final = re.compile(r"\\(?:[a-zA-Z]+|.)|[a-zA-Z]|[0-9]+(?:\.[0-9]+)?|\s+|.")
_LETTERS: Final = {"mu": "μ", "sigma": "σ", "pi": "π", "gamma": "γ", "rho": "ρ", "infty": "∞"}
_SIGNS: Final = {
    "sum": "∑", "le": "≤", "ge": "≥", "ne": "≠", "cdot": "·", "times": "×", "#": "#", "{": "{", "}": "}",
    "%": "%", "-": "−",
}  # fmt: skip
_FUNCTIONS: Final = ("max", "min", "log", "exp")
_SPACES: Final = {" ": "0.3em", ",": "0.17em", ";": "0.28em", "quad": "1em"}


def formula(latex: str) -> str:
    """Translate the part of LaTeX's mathematics that the registry uses.

    Raises
    ------
    UsageError : a command that is not known here.
    """
    body = _Reader(latex).row(None)
    return f'<math displaystyle="true">{body}</math>'


def prose(text: str) -> str:
    """Escape a sentence and translate its ``$formulas$`` and `code`."""
    parts = re.split(r"\$([^$]+)\$", text)
    return "".join(
        formula(part) if i % 2 else re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(part, quote=False))
        for i, part in enumerate(parts)
    )


def _fence(token: str) -> str:
    return f'<mo stretchy="true">{escape(token)}</mo>'


class _Reader:
    """A recursive descent over the tokens of one formula."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.tokens = _TOKEN.findall(latex)
        self.at = 0

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise UsageError("a formula ends too early", seen=self.latex)
        self.at += 1
        token: str = self.tokens[self.at - 1]
        return token

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def row(self, end: str | None) -> str:
        """Everything up to `end` (or the end), as one group."""
        parts = []
        while (token := self.peek()) != end:
            if token is None:
                raise UsageError(f"a formula has no closing {end}", seen=self.latex)
            if token.isspace():
                self.at += 1
            else:
                parts.append(self.scripted())
        if end is not None:
            self.at += 1
        return f"<mrow>{''.join(parts)}</mrow>"

    def scripted(self) -> str:
        """One atom with what stands below and above it."""
        base = self.atom()
        below = above = ""
        while self.peek() in ("_", "^"):
            if self.next() == "_":
                below = self.atom()
            else:
                above = self.atom()
        if below and above:
            return f"<msubsup>{base}{below}{above}</msubsup>"
        if below:
            return f"<msub>{base}{below}</msub>"
        return f"<msup>{base}{above}</msup>" if above else base

    def atom(self) -> str:
        leads = self.at == 0 or self.tokens[self.at - 1] in ("(", "{")
        token = self.next()
        while token.isspace():
            token = self.next()
        if token == "-" and leads:
            return '<mo form="prefix">−</mo>'
        if token == "{":
            return self.row("}")
        if token.startswith("\\"):
            return self.command(token[1:])
        if token.isalpha():
            return f"<mi>{token}</mi>"
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        # A bar that opens and one that closes look the same: no stretching, no guess about spacing.
        fence = ' stretchy="false"' if token in "|()[]" else ""
        return f"<mo{fence}>{_SIGNS.get(token, escape(token))}</mo>"

    def command(self, name: str) -> str:
        if name == "frac":
            return f"<mfrac>{self.atom()}{self.atom()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.atom()}</msqrt>"
        if name == "left":
            # One group with both fences, so that a script behind it applies to the whole.
            before, inside, after = self.next(), self.row("\\right"), self.next()
            return f"<mrow>{_fence(before)}{inside}{_fence(after)}</mrow>"
        if name in ("mathrm", "operatorname"):
            return f'<mi mathvariant="normal">{escape(self.literal())}</mi>'
        if name == "text":
            return f"<mtext>{escape(self.literal()).replace(' ', '&#160;')}</mtext>"
        if name in _LETTERS:
            return f"<mi>{_LETTERS[name]}</mi>"
        if name in _FUNCTIONS:
            return f'<mi mathvariant="normal">{name}</mi>'
        if name in _SPACES:
            return f'<mspace width="{_SPACES[name]}"></mspace>'
        if name in _SIGNS:
            return f'<mo stretchy="false">{_SIGNS[name]}</mo>'
        raise UsageError("a formula uses a command that cannot be set", seen=f"\\{name}", hint=self.latex)

    def literal(self) -> str:
        """The text between braces, as it stands."""
        while (token := self.next()) != "{":
            if not token.isspace():
                raise UsageError("a formula needs a brace here", seen=self.latex)
        words = []
        while (token := self.next()) != "}":
            words.append(token)
        return "".join(words)
