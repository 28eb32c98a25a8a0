"""What an indicator is: its inputs, parameters, outputs, kernel and the text that documents it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

from grn.kit.errors import StrategyError

Number = int | float
Params = Mapping[str, Number]


@dataclass(frozen=True)
class ParamSpec:
    """One parameter of an indicator; ``default=None`` means that it must be given."""

    name: str
    kind: Literal["int", "float"] = "int"
    minimum: Number = 1
    default: Number | None = None
    maximum: Number | None = None

    def check(self, indicator: str, value: object) -> Number:
        """Return ``value`` as a Python number of this kind.

        Raises
        ------
        StrategyError
            Not a finite number, not whole where a whole number is needed, or outside minimum … maximum.
        """
        what = f"{indicator}: parameter {self.name}"
        number: Number
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise StrategyError(f"{what} must be a finite number", seen=value, hint=self._range())
        if self.kind == "float":
            number = float(value)
        elif isinstance(value, Integral):
            number = int(value)
        elif float(value).is_integer():
            number = int(float(value))
        else:
            raise StrategyError(f"{what} must be a whole number", seen=value, hint=self._range())
        if number < self.minimum:
            raise StrategyError(f"{what} is below its minimum {self.minimum}", seen=value, hint=self._range())
        if self.maximum is not None and number > self.maximum:
            raise StrategyError(f"{what} is above its maximum {self.maximum}", seen=value, hint=self._range())
        return number

    def _range(self) -> str:
        upper = "" if self.maximum is None else f", at most {self.maximum}"
        word = "a whole number" if self.kind == "int" else "a number"
        return f"give {word} of at least {self.minimum}{upper}"


@dataclass(frozen=True)
class Scratch:
    """Working memory of a kernel: one cell per bar, contents undefined at the start."""

    kind: Literal["int", "float"]


@dataclass(frozen=True)
class Indicator:
    """One indicator: what it computes and how it is documented.

    Attributes
    ----------
    inputs
        Names of the input series; one that equals a bar column (``close``, ``high`` …) defaults to it.
    kernel
        ``kernel(*inputs, *params, *scratch, *outputs)``; all sequences have one cell per bar, and every
        cell of every output is written.
    warmup
        Number of leading NaN bars on clean input, from checked parameters.
    talib
        Name of the corresponding TA-Lib function, if there is one.
    differs
        Where and why the numbers differ from TA-Lib's; empty when they agree.
    """

    name: str
    inputs: tuple[str, ...]
    params: tuple[ParamSpec, ...]
    outputs: tuple[str, ...]
    kernel: Callable[..., None]
    warmup: Callable[[Params], int]
    summary: str
    formula: str
    source: str
    talib: str | None = None
    differs: str = ""
    scratch: tuple[Scratch, ...] = ()

    def check_params(self, params: Mapping[str, object]) -> dict[str, Number]:
        """Return all parameters in declared order, defaults filled in.

        Raises
        ------
        StrategyError
            A parameter is unknown, missing, of the wrong kind, or outside its range.
        """
        names = [spec.name for spec in self.params]
        for name in params:
            if name not in names:
                known = f"its parameters are {', '.join(names)}" if names else "it has no parameters"
                raise StrategyError(f"{self.name}: no such parameter", seen=name, hint=known)
        checked: dict[str, Number] = {}
        for spec in self.params:
            value = params.get(spec.name, spec.default)
            if value is None:
                raise StrategyError(
                    f"{self.name}: parameter {spec.name} is missing",
                    hint=f"give it a value, e.g. {self.name}(…, {spec.name}={max(spec.minimum, 20)})",
                )
            checked[spec.name] = spec.check(self.name, value)
        return checked


def bars(name: str, offset: int = 0) -> Callable[[Params], int]:
    """Return the warm-up rule "parameter ``name`` plus ``offset`` bars"."""
    return lambda params: int(params[name]) + offset
