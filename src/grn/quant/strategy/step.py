"""Step functions: state carried from bar to bar, written as an ordinary Python function."""

from __future__ import annotations

import ast
import dis
import inspect
import math
import textwrap
from collections.abc import Callable, Iterator
from functools import cached_property
from types import CodeType

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

    Attributes
    ----------
    source
        Text that defines the function again: the numbers and the parts of `math` and NumPy that it uses from
        its file, then the function without its decorator.  It is the function's identity.
    """

    def __init__(
        self, function: Callable[..., float], *, state: int, jit: bool, source: str | None = None
    ) -> None:
        if type(state) is not int or state < 0:
            raise StrategyError("the length of the state is a whole number >= 0", seen=repr(state))
        self.function, self.state, self.jit = function, state, jit
        self.name = function.__name__
        parameters = inspect.signature(function).parameters.values()
        if not parameters or any(
            p.kind is not p.POSITIONAL_OR_KEYWORD or p.default is not p.empty for p in parameters
        ):
            raise StrategyError(
                "a step function takes the state and then plain arguments, without defaults",
                seen=f"{self.name}{inspect.signature(function)}",
                hint="def trail(state, price, factor): ...",
            )
        self.arity = len(parameters) - 1
        if function.__closure__:
            raise StrategyError(
                "a step function must not depend on variables of an enclosing function",
                seen=f"{self.name} uses {', '.join(function.__code__.co_freevars)}",
                hint="pass them as parameters: its source is part of the run's identity",
            )
        self.source = _read_source(function, jit=jit) if source is None else source

    @classmethod
    def from_source(cls, source: str, state: int, *, jit: bool = True) -> Step:
        """Define a recorded step function again."""
        space: dict[str, object] = {"__name__": "recorded_step"}
        try:
            # Annotations stay text, as in this module: they may use names that were not recorded.
            exec(compile(source, "<recorded step>", "exec"), space)  # noqa: S102  # the user's own code
            function = space[_defined_name(source)]
        except Exception as error:
            raise StrategyError(
                "a recorded step function cannot be defined again",
                seen=f"{type(error).__name__}: {error}",
                hint="run the strategy file itself",
            ) from error
        return cls(function, state=state, jit=jit, source=source)  # type: ignore[arg-type]  # a function, by `def`

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


def step(
    function: None = None, /, *, state: int = 1, jit: bool = True
) -> Callable[[Callable[..., float]], Step]:
    """Turn a function into a step function (see :class:`Step`).

    It may use numbers, `math` and NumPy from its file; what else it needs belongs inside the function,
    because a run is recorded with all that decides its numbers.

    Parameters
    ----------
    state
        Length of the state array.
    jit
        False keeps the function in plain Python (any code at all, but only the reference engine runs it, and
        a replay knows only what it defines itself).
    """
    if function is not None:
        raise StrategyError("the decorator needs parentheses", seen="@step", hint="write @step(state=1)")
    return lambda function: Step(function, state=state, jit=jit)


def _read_source(function: Callable[..., float], *, jit: bool) -> str:
    try:
        text = textwrap.dedent(inspect.getsource(function))
        found = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError):
        found = None
    if not isinstance(found, ast.FunctionDef):
        raise StrategyError(
            "the source of a step function must be readable, from its `def` on",
            seen=function.__name__,
            hint="define it with `def` in a file: its source is part of the run's identity",
        )
    body = "".join(text.splitlines(keepends=True)[found.lineno - 1 :])
    names = sorted(set(_globals_used(function.__code__)) & set(function.__globals__))
    lines = [_definition(name, function.__globals__[name], function.__name__, jit=jit) for name in names]
    return "".join(f"{line}\n" for line in lines if line) + body


def _globals_used(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a function within the function
            yield from _globals_used(constant)


def _definition(name: str, value: object, user: str, *, jit: bool) -> str:
    """Write a line that gives `name` this value again."""
    import numpy as np

    for module in (math, np):
        if value is module:
            return f"import {module.__name__} as {name}"
        attribute = getattr(value, "__name__", "")
        if attribute and getattr(module, attribute, None) is value:
            return f"from {module.__name__} import {attribute} as {name}"
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, bool | int):
        return f"{name} = {number!r}"
    if isinstance(number, float):
        return f"{name} = {number!r}" if math.isfinite(number) else f"{name} = float({str(number)!r})"
    if jit:
        raise StrategyError(
            f"step {user} uses {name!r} of its file, which a recorded run would not know",
            seen=f"{type(value).__name__} {value!r:.60}",
            hint="numbers, math and numpy are; define the rest inside the function, or use jit=False",
        )
    return ""


def _defined_name(source: str) -> str:
    return next(n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
