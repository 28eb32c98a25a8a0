"""Fractions, derivatives, integrals, sums, products, limits: whatever binds a name or differentiates."""

from __future__ import annotations

from fractions import Fraction

from grn.maths.reader.names import Names
from grn.maths.reader.vocabulary import GREEK
from grn.maths.syntax import (
    ONE,
    Apply,
    Bind,
    Call,
    Constant,
    Derivative,
    Index,
    Name,
    Number,
    Tree,
    names_in,
    walk,
)

Order = tuple[Tree, Tree]


class Calculus(Names):
    """Rules for operators of calculus."""

    # --- fractions and derivatives

    def fraction(self) -> Tree:
        r"""Read ``\frac{a}{b}``, which may be a derivative."""
        self.take()
        derivative = self._derivative()
        if derivative is not None:
            return derivative
        top = self.group()
        bottom = self.group()
        return Call("div", (top, bottom))

    def _is_d(self, steps: int) -> bool:
        token = self.ahead(steps)
        return token.text == "partial" if token.kind == "command" else (
            token.kind in ("letter", "text") and token.text == "d" and self.symbols.kind("d") != "variable"
        )  # fmt: skip

    def _derivative(self) -> Tree | None:
        """Read the two groups of a derivative; None (and nothing taken) where they are none."""
        if not (self.is_sign("{") and self._is_d(1)):
            return None
        end = self._group_end(self.place)
        if not (self.tokens[end + 1].text == "{" and self._is_d(end + 2 - self.place)):
            return None
        self.place += 2
        order: Tree = ONE
        if self.take_sign("^"):
            order = self.group()
        body = None
        if not self.is_sign("}"):
            with self.fresh():
                body = self.product()
        self.expect("}")
        self.expect("{")
        by = self._denominator()
        self.expect("}")
        total = by[0][1] if len(by) == 1 else Number(sum((self._count(n) for _, n in by), Fraction(0)))
        if total != order:
            raise self.refusal("the orders above and below differ")
        if body is None:
            body = self._differentiated({name.text for name, _ in by if isinstance(name, Name)})
        return Derivative(body, tuple(by))

    def _count(self, order: Tree) -> Fraction:
        if not isinstance(order, Number):
            raise self.refusal("a mixed derivative needs orders in digits")
        return order.value

    def _group_end(self, place: int) -> int:
        depth = 0
        for at in range(place, len(self.tokens)):
            depth += {"{": 1, "}": -1}.get(self.tokens[at].text, 0) if self.tokens[at].kind == "sign" else 0
            if not depth:
                return at
        raise self.refusal("a brace is not closed")

    def _denominator(self) -> list[Order]:
        by: list[Order] = []
        while self._is_d(0):
            self.take()
            token = self.token
            if token.kind != "letter" and token.text not in GREEK:
                raise self.refusal("a name to differentiate by must follow")
            scripts_at = self.place
            base = self._base()
            scripts = self.scripts()
            if scripts.order or scripts.transposed or scripts.positive:
                raise self.refusal("a name to differentiate by must follow", token=self.tokens[scripts_at])
            name: Tree = Index(base, scripts.index) if scripts.index else Name(
                f"{base}_{scripts.label}" if scripts.label else base
            )  # fmt: skip
            by.append((name, scripts.power or ONE))
        if not by:
            raise self.refusal("a name to differentiate by must follow")
        return by

    def _differentiated(self, by: set[str]) -> Tree:
        """Read what an operator ``d/dx`` acts on: one group, or the factors up to the next sign."""
        if self.delimiter() in ("(", "[", "{"):
            opening, sized = self.open()
            with self.fresh():
                body = self.expression()
            self.close(opening, sized)
            if self.is_sign("^", "_"):
                raise self.refusal("is the power differentiated too?", "put it into parentheses")
            self._nothing_left(by)
            return body
        factors = [self.factor()]
        while self.starts_factor():
            factors.append(self.factor())
        self._nothing_left(by)
        return factors[0] if len(factors) == 1 else Call("mul", tuple(factors))

    def _nothing_left(self, by: set[str]) -> None:
        """Refuse a further factor that depends on what was differentiated by."""
        place = self.place
        if self.is_sign("/"):
            raise self.refusal("does the derivative end before the stroke?", r"use \frac or parentheses")
        if self.is_command("cdot", "times") or self.is_sign("*"):
            self.take()
        if self.starts_factor():
            following = names_in(self.factor())
            if following & by:
                raise self.refusal(
                    "is this factor differentiated too?", "use parentheses", self.tokens[place]
                )
        self.place = place

    def partial(self) -> Tree:
        r"""Read ``\partial_{xx} u``."""
        at = self.take()
        if not self.take_sign("_"):
            raise self.refusal(r"\partial outside of a fraction needs an index", token=at)
        by: list[Order] = []
        braced = self.take_sign("{")
        while self.token.kind == "letter" or self.token.text in GREEK:
            name = Name(self.take().text)
            if by and by[-1][0] == name:
                by[-1] = (name, Number(self._count(by[-1][1]) + 1))
            else:
                by.append((name, ONE))
            if not braced:
                break
        if braced:
            self.expect("}")
        if not by:
            raise self.refusal("names to differentiate by must follow")
        return Derivative(self.factor(), tuple(by))

    # --- integrals

    def integral(self) -> Tree:
        """Read an integral up to its differential."""
        at = self.take()
        low, high = self._bounds()
        if (low is None) != (high is None):
            raise self.refusal("an integral needs both bounds or none", token=at)
        kept, self.open_bars = self.open_bars, 0
        self.integrands += 1
        with self.deeper():
            body = ONE if self.at_differential() else self.expression()
        self.integrands -= 1
        self.open_bars = kept
        if self.at_differential():
            self.take()
            name = self.differential_of()
        else:
            body, name = self._inside(body, at)
        if isinstance(name, Index) or (isinstance(name, Name) and self.symbols.kind(name.text) == "brownian"):
            return Bind("ito", body, name, low, high)
        if not isinstance(name, Name):
            raise self.refusal("a name to integrate over must follow d", token=at)
        return Bind("integral", body, name, low, high)

    def _inside(self, body: Tree, at: object) -> tuple[Tree, Tree]:
        r"""Find the differential in a numerator: ``\int \frac{dx}{x}``."""
        found = [part for part in walk(body) if isinstance(part, Call) and part.head == "d"]
        if len(found) == 1 and isinstance(body, Call) and body.head == "div":
            top, bottom = body.args
            factors = top.args if isinstance(top, Call) and top.head == "mul" else (top,)
            if found[0] in factors:
                rest = tuple(factor for factor in factors if factor != found[0])
                over = ONE if not rest else rest[0] if len(rest) == 1 else Call("mul", rest)
                return Call("div", (over, bottom)), found[0].args[0]
        raise self.refusal("an integral without its differential")

    def _bounds(self) -> tuple[Tree | None, Tree | None]:
        low = high = None
        for _ in range(2):
            if low is None and self.take_sign("_"):
                low = self.group()
            elif high is None and self.take_sign("^"):
                high = self.group()
        return low, high

    def differential_of(self) -> Tree:
        """Read what a ``d`` is of: a name, a function's value, or a group."""
        if self.delimiter() == "(":
            opening, sized = self.open()
            with self.fresh():
                inner = self.expression()
            self.close(opening, sized)
            return inner
        kept, self.integrands = self.integrands, 0
        inner = self.factor()
        self.integrands = kept
        if isinstance(inner, Call) and inner.head == "pow":
            raise self.refusal("is this the differential of a power, or its power?", "write (dx)^2 or d(x^2)")
        if not isinstance(inner, Name | Index | Call | Apply):
            raise self.refusal("a name must follow d")
        return inner

    # --- sums, products, limits

    def big(self, kind: str) -> Tree:
        """Read a sum or product with both bounds."""
        at = self.take()
        if not (self.take_sign("_") and self.take_sign("{")):
            raise self.refusal(f"a {kind} needs its index and both bounds", token=at)
        token = self.take()
        if token.kind != "letter":
            raise self.refusal("a letter must be the index", token=token)
        if not self.take_sign("="):
            raise self.refusal(f"a {kind} needs its index and both bounds", token=at)
        low = self.expression()
        self.expect("}")
        if not self.take_sign("^"):
            raise self.refusal(f"a {kind} needs its index and both bounds", token=at)
        high = self.group()
        return Bind(kind, self._body(token.text), Name(token.text), low, high)

    def _body(self, index: str) -> Tree:
        self.bound.append(index)
        with self.deeper():
            body = self.product()
        self.bound.pop()
        return body

    def limit(self) -> Tree:
        """Read a limit with its point."""
        at = self.take()
        if not (self.take_sign("_") and self.take_sign("{")):
            raise self.refusal("a limit needs its point", token=at)
        token = self.take()
        if token.kind != "letter" and token.text not in GREEK:
            raise self.refusal("a name must be what goes to the limit", token=token)
        if not self.is_command("to", "rightarrow"):
            raise self.refusal(r"\to must follow")
        self.take()
        point, side = self._point()
        self.expect("}")
        return Bind("limit", self._body(token.text), Name(token.text), point, side)

    def _point(self) -> tuple[Tree, Tree | None]:
        """A point, and behind a single sign the side that it is reached from: ``0^+``, ``a^{-}``."""
        for braced in (0, 1):
            if not (self.is_sign("^", steps=1) and self.is_sign("+", "-", steps=2 + braced)):
                continue
            if braced and not (self.is_sign("{", steps=2) and self.is_sign("}", steps=4)):
                continue
            point = self.single()
            side = "plus" if self.ahead(1 + braced).text == "+" else "minus"
            self.place += 2 + 2 * braced
            return point, Constant(side)
        return self.expression(), None

    def starts_factor(self) -> bool:
        """Whether a factor can begin at the place."""
        raise NotImplementedError
