"""Step functions: state carried from bar to bar, written as an ordinary Python function."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from functools import cached_property

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import Const, Expr, Key, Param, lift


class StepCall(Expr):
    """A step function applied to inputs and parameters; a number per bar."""

    series = True

    def __init__(self, step: Step, inputs: tuple[Expr, ...], params: tuple[Const | Param, ...]) -> None:
        self.step, self.inputs, self.params = step, inputs, params

    @property
    def children(self) -> tuple[Expr, ...]:
        return (*self.inputs, *self.params)

    @cached_property
    def key(self) -> Key:
        return (
            "step",
            self.step.source,
            self.step.state,
            tuple(x.key for x in self.inputs),
            tuple(p.key for p in self.params),
        )

    def __str__(self) -> str:
        return f"{self.step.name}({', '.join(str(x) for x in (*self.inputs, *self.params))})"


class Step:
    """A function ``f(state, inputs..., params...) -> float``, called once per bar in time order.

    `state` is a float64 array that starts at zero and belongs to the run; every argument is a float.
    The function sees the current bar and what it kept: it cannot look ahead.
    """

    def __init__(
        self, function: Callable[..., float], *, state: int, jit: bool, source: str | None = None
    ) -> None:
        self.function, self.state, self.jit = function, state, jit
        self.name = function.__name__
        self.arity = len(inspect.signature(function).parameters) - 1
        if function.__closure__:
            raise StrategyError(
                "a step function must not depend on variables of an enclosing function",
                seen=f"{self.name} uses {', '.join(function.__code__.co_freevars)}",
                hint="pass them as parameters: its source is part of the run's identity",
            )
        if source is not None:
            self.source = source
            return
        if function.__module__ == "recorded_step":
            self.source = ""  # `from_source` sets the recorded text
            return
        try:
            self.source = textwrap.dedent(inspect.getsource(function))
        except (OSError, TypeError):
            raise StrategyError(
                "the source of a step function must be readable",
                seen=self.name,
                hint="define it in a file: its source is part of the run's identity",
            ) from None

    @classmethod
    def from_source(cls, source: str, state: int) -> Step:
        """Define a recorded step function again; `math` and `np` are in scope, as is the decorator itself."""
        import math

        import numpy as np

        space: dict[str, object] = {"math": math, "np": np, "step": step, "__name__": "recorded_step"}
        try:
            exec(compile(source, "<recorded step>", "exec"), space)  # noqa: S102  # the user's own code
        except Exception as error:
            raise StrategyError(
                "a recorded step function cannot be defined again",
                seen=f"{type(error).__name__}: {error}",
                hint="run the strategy file itself: the function uses names of its file",
            ) from error
        found = next(
            v for k, v in reversed(space.items()) if isinstance(v, Step) or k == _defined_name(source)
        )
        if isinstance(found, Step):
            return cls(found.function, state=state, jit=found.jit, source=source)
        return cls(found, state=state, jit=True, source=source)  # type: ignore[arg-type]  # a plain function

    def __call__(self, *arguments: object) -> StepCall:
        lifted = tuple(lift(a) for a in arguments)
        if len(lifted) != self.arity:
            raise StrategyError(
                f"step {self.name} takes {self.arity} arguments after the state", seen=str(len(lifted))
            )
        inputs = [a for a in lifted if not isinstance(a, Const | Param)]
        params = [a for a in lifted if isinstance(a, Const | Param)]
        if any(a is not b for a, b in zip([*inputs, *params], lifted, strict=True)):
            raise StrategyError(
                f"step {self.name}: inputs come before parameters", seen=", ".join(map(str, lifted))
            )
        return StepCall(self, tuple(inputs), tuple(params))


def step(*, state: int = 1, jit: bool = True) -> Callable[[Callable[..., float]], Step]:
    """Turn a function into a step function (see :class:`Step`).

    Parameters
    ----------
    state : length of the state array.
    jit : False keeps the function in plain Python (any code at all, but only the reference engine runs it).
    """
    if callable(state):
        raise StrategyError("the decorator needs parentheses", seen="@step", hint="write @step(state=1)")
    return lambda function: Step(function, state=state, jit=jit)


def _defined_name(source: str) -> str:
    import ast

    return next(n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
