"""Step functions: state carried from bar to bar, written as an ordinary Python function."""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import math
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cached_property
from types import CodeType, FunctionType, ModuleType

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
        Text that defines the function again: what it uses from its file (numbers, parts of `math` and NumPy;
        without compilation literals and functions too), then the function without its decorator.  It is the
        function's identity.
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
        False keeps the function in plain Python, which only the reference engine runs.  From its file it may
        then use functions, literals and the standard library too; they are recorded with it.
    """
    if function is not None:
        raise StrategyError("the decorator needs parentheses", seen="@step", hint="write @step(state=1)")
    return lambda function: Step(function, state=state, jit=jit)


def _read_source(function: Callable[..., float], *, jit: bool) -> str:
    found = _own_text(function)
    if found is None:
        raise StrategyError(
            "the source of a step function must be readable, from its `def` on",
            seen=function.__name__,
            hint="define it with `def` in a file: its source is part of the run's identity",
        )
    lines, helpers = _Recorder(function.__name__, jit=jit).gather(function)
    source = "".join(f"{line}\n" for line in lines) + "".join(helpers) + found
    if helpers:
        _try(function.__name__, source)
    return source


def _own_text(function: Callable[..., float]) -> str | None:
    """Text of a function from its `def` on, None where it cannot be read."""
    try:
        text = textwrap.dedent(inspect.getsource(function))
        found = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if not isinstance(found, ast.FunctionDef):
        return None
    return "".join(text.splitlines(keepends=True)[found.lineno - 1 :])


def _try(name: str, source: str) -> None:
    """Define the source as a replay will, so that what is missing is missed today."""
    try:
        exec(compile(source, "<step to record>", "exec"), {"__name__": "recorded_step"})  # noqa: S102  # the user's own code
    except Exception as error:
        raise StrategyError(
            f"step {name} cannot be defined again from what would be recorded",
            seen=f"{type(error).__name__}: {error}",
            hint="put the helper function inside the step",
        ) from error


def _globals_used(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a function within the function
            yield from _globals_used(constant)


class _Recorder:
    """Finds the text that gives a step function the names of its file again.

    A compiled step has numbers, `math` and NumPy.  One in plain Python may have more: literals such as lists,
    functions of the file, modules of the standard library.
    """

    def __init__(self, user: str, *, jit: bool) -> None:
        self.user, self.jit = user, jit

    def gather(self, function: Callable[..., float]) -> tuple[list[str], list[str]]:
        """Return lines that define values, and texts of functions, each in the order of their names."""
        space: dict[str, object] = function.__globals__
        lines: dict[str, str] = {}
        helpers: dict[str, str] = {}
        waiting: list[Callable[..., float]] = [function]
        while waiting:
            code: CodeType = waiting.pop().__code__
            for name in set(_globals_used(code)) - lines.keys() - helpers.keys():
                if name not in space:
                    if not hasattr(builtins, name):
                        raise self._refusal(name, "nothing yet", "define it above the step")
                    continue
                value = space[name]
                line = _definition(name, value) or (None if self.jit else _plain_definition(name, value))
                if line is not None:
                    lines[name] = line
                elif not self.jit and isinstance(value, FunctionType):
                    helpers[name] = self._helper(name, value, space)
                    waiting.append(value)
                else:
                    raise self._refusal(name, f"{type(value).__name__} {value!r:.60}", self._way_out(value))
        return [lines[name] for name in sorted(lines)], [helpers[name] for name in sorted(helpers)]

    def _helper(self, name: str, value: FunctionType, space: dict[str, object]) -> str:
        text = _own_text(value)
        decorated = text is not None and inspect.getsource(value).lstrip().startswith("@")
        if text is None or decorated or value.__closure__ or value.__globals__ is not space:
            raise self._refusal(name, f"function {value.__qualname__}", "put it inside the step")
        if value.__name__ != name:
            text += f"{name} = {value.__name__}\n"
        return text if text.endswith("\n") else f"{text}\n"

    def _way_out(self, value: object) -> str:
        if self.jit and isinstance(value, FunctionType | list | tuple | dict | str):
            return "numbers, math and numpy are; define the rest inside the function, or use jit=False"
        if isinstance(value, ModuleType):
            return "import it inside the function, and use jit=False"
        return "define it inside the function"

    def _refusal(self, name: str, seen: str, hint: str) -> StrategyError:
        return StrategyError(
            f"step {self.user} uses {name!r} of its file, which a recorded run would not know",
            seen=seen,
            hint=hint,
        )


def _definition(name: str, value: object) -> str | None:
    """Write a line that gives `name` this value again: a number, or a part of `math` or NumPy."""
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
    return None


def _plain_definition(name: str, value: object) -> str | None:
    """Write a line for what only plain Python can use: a literal, or a part of the standard library."""
    if isinstance(value, ModuleType):
        known = value.__name__.partition(".")[0] in sys.stdlib_module_names
        return f"import {value.__name__} as {name}" if known and "." not in value.__name__ else None
    home, called = getattr(value, "__module__", None) or "", getattr(value, "__qualname__", "")
    if (
        home.partition(".")[0] in sys.stdlib_module_names
        and called.isidentifier()
        and getattr(sys.modules.get(home), called, None) is value
    ):
        return f"from {home} import {called} as {name}"
    text = repr(value)
    try:
        same = repr(ast.literal_eval(text)) == text
        # The order of a set changes from process to process, and the identity would with it.
        ordered = not any(isinstance(node, ast.Set) for node in ast.walk(ast.parse(text)))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return f"{name} = {text}" if same and ordered else None


def _defined_name(source: str) -> str:
    return [n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)][-1]
