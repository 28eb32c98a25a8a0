from __future__ import annotations

import functools
import inspect
import math
import math as m
import statistics
from fractions import Fraction
from math import sqrt
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import param
from grn.quant.strategy.step import Step, step
from grn.quant.strategy.words import close, open_

SMOOTH = 0.25
NUMPY_NUMBER = np.float64(1.5)
NEVER = float("-inf")
TABLE = [1.0, 2.0]
NAMES = {"top": 3.0}
UNORDERED = {"1.0", "2.0"}
NOTHING_TO_WRITE_DOWN = object()


@step(state=3)
def uses_its_file(state: npt.NDArray[np.float64], price: float, weight: float) -> float:
    state[0] = SMOOTH * price + (1.0 - SMOOTH) * state[0]
    state[1] = max(state[1], NEVER, m.floor(weight))
    return sqrt(state[0]) + np.sin(NUMPY_NUMBER) + math.fabs(state[1])


def test_the_source_holds_all_that_decides_the_numbers() -> None:
    """Numbers and mathematics of the file stand above the function; its decorator is left out."""
    head, _, body = uses_its_file.source.partition("def ")
    assert head.splitlines() == [
        "NEVER = float('-inf')", "NUMPY_NUMBER = 1.5", "SMOOTH = 0.25", "import math as m",
        "import math as math", "import numpy as np", "from math import sqrt as sqrt",
    ]  # fmt: skip
    assert body.startswith("uses_its_file(state")
    assert "@step" not in uses_its_file.source


def test_a_recorded_step_gives_the_same_numbers() -> None:
    """The source alone, without the file it came from, defines the function again."""
    again = Step.from_source(uses_its_file.source, 3)
    a, b = np.zeros(3), np.zeros(3)
    for price in (1.0, 2.0, 1.5):
        assert again.function(a, price, 2.5) == uses_its_file.function(b, price, 2.5)
    assert again(close, 1.0).key == uses_its_file(close, 1.0).key
    assert again.name == "uses_its_file"


def test_a_number_of_the_file_is_part_of_the_identity() -> None:
    """Two files that differ in one constant are two strategies, though the function reads the same."""

    def define(value: float) -> Step:
        space = {"__name__": "elsewhere", "K": value}
        exec("def f(state, x):\n    return K * x\n", space)  # noqa: S102  # the case
        return Step(space["f"], state=1, jit=True)  # type: ignore[arg-type]

    # What `exec` defines has no file to be read from.
    with mock.patch.object(inspect, "getsource", return_value="def f(state, x):\n    return K * x\n"):
        one, other, same = define(1.0), define(2.0), define(1.0)
    assert one.source != other.source
    assert one.source == same.source == "K = 1.0\ndef f(state, x):\n    return K * x\n"


def test_what_cannot_be_recorded_is_refused_by_name() -> None:
    """A list, a helper function, a module: a replay would not know them."""
    with pytest.raises(StrategyError, match="uses 'TABLE' of its file") as caught:

        @step(state=1)
        def looks_up(state: npt.NDArray[np.float64], price: float) -> float:
            return TABLE[0] * price

    assert "inside the function" in str(caught.value.hint)
    with pytest.raises(StrategyError, match="uses 'inner_helper'"):

        @step(state=1)
        def calls(state: npt.NDArray[np.float64], price: float) -> float:
            return inner_helper(price)


def inner_helper(x: float) -> float:
    return x


def test_the_way_out_of_a_compiled_step_is_no_trap() -> None:
    """The hint of the refusal names jit=False for what that records, and not for anything else."""
    with pytest.raises(StrategyError) as caught:

        @step(state=1)
        def calls(state: npt.NDArray[np.float64], price: float) -> float:
            return inner_helper(price)

    assert "jit=False" in str(caught.value.hint)
    for jit in (True, False):
        with pytest.raises(StrategyError, match="'NOTHING_TO_WRITE_DOWN'") as caught:

            @step(state=1, jit=jit)
            def opaque(state: npt.NDArray[np.float64], price: float) -> float:
                return float(NOTHING_TO_WRITE_DOWN is None)

        assert caught.value.hint == "define it inside the function"


def scale(x: float) -> float:
    return TABLE[1] * clamp(x)


def clamp(x: float) -> float:
    return min(x, SMOOTH, NAMES["top"]) + statistics.fmean([0.0, 1.0])


shrink = clamp


@functools.cache
def remembered(x: float) -> float:
    return x


def test_plain_python_steps_are_recorded_with_what_they_use() -> None:
    """Helpers, theirs in turn, literals and the standard library: the text alone gives the same numbers."""

    @step(state=1, jit=False)
    def looks_up(state: npt.NDArray[np.float64], price: float) -> float:
        state[0] += scale(price) + Fraction(1, 2)
        return state[0] + shrink(price)

    again = Step.from_source(looks_up.source, 1, jit=False)
    a, b = np.zeros(1), np.zeros(1)
    for price in (0.1, 4.0):
        assert again.function(a, price) == looks_up.function(b, price)
    assert again.name == "looks_up"
    assert again(close).key == looks_up(close).key
    assert "TABLE = [1.0, 2.0]\n" in looks_up.source
    assert "import statistics as statistics\n" in looks_up.source
    assert "from fractions import Fraction as Fraction\n" in looks_up.source


def test_what_plain_python_cannot_be_given_again_is_refused_too() -> None:
    """A decorated helper, a package that is not Python's own, a name that is not there yet."""
    with pytest.raises(StrategyError, match="uses 'remembered'") as caught:

        @step(state=1, jit=False)
        def decorated(state: npt.NDArray[np.float64], price: float) -> float:
            return remembered(price)

    with pytest.raises(StrategyError, match="uses 'pytest'") as caught:

        @step(state=1, jit=False)
        def imported(state: npt.NDArray[np.float64], price: float) -> float:
            return float(pytest.approx(price) == price)

    assert "import it inside the function" in str(caught.value.hint)
    with pytest.raises(StrategyError, match="uses 'UNORDERED'"):  # its text differs from process to process

        @step(state=1, jit=False)
        def member(state: npt.NDArray[np.float64], price: float) -> float:
            return float(str(price) in UNORDERED)

    for jit in (True, False):
        with pytest.raises(StrategyError, match="uses 'LATER'") as caught:

            @step(state=1, jit=jit)
            def early(state: npt.NDArray[np.float64], price: float) -> float:
                return LATER * price  # type: ignore[name-defined,no-any-return]  # noqa: F821  # the case

        assert caught.value.hint == "define it above the step"


def test_a_function_within_the_function_is_allowed() -> None:
    """Helpers belong inside; what they use of the file is recorded as well."""

    @step(state=1)
    def outer(state: npt.NDArray[np.float64], price: float) -> float:
        def scaled(x: float) -> float:
            return SMOOTH * x

        return scaled(price)

    assert outer.source.startswith("SMOOTH = 0.25\n")
    assert Step.from_source(outer.source, 1).function(np.zeros(1), 8.0) == 2.0


def test_variables_of_an_enclosing_function_are_refused() -> None:
    """A closure is a parameter in disguise."""
    factor = 2.0
    with pytest.raises(StrategyError, match="enclosing function") as caught:

        @step(state=1)
        def scaled(state: npt.NDArray[np.float64], price: float) -> float:
            return factor * price

    assert "factor" in str(caught.value)


def test_the_decorator_needs_parentheses() -> None:
    """`@step` alone is the slip everyone makes once."""
    with pytest.raises(StrategyError, match="needs parentheses"):

        @step  # type: ignore[arg-type, call-arg]
        def f(state: npt.NDArray[np.float64], price: float) -> float:
            return price


@pytest.mark.parametrize("length", [-1, 1.5, True, "2"])
def test_the_length_of_the_state_is_a_whole_number(length: object) -> None:
    """A state of -1 cells cannot be made."""
    with pytest.raises(StrategyError, match="length of the state"):
        Step(inner_helper, state=length, jit=True)  # type: ignore[arg-type]


def test_a_lambda_is_refused() -> None:
    """Its source cannot be told from the line it stands on."""
    with pytest.raises(StrategyError, match="from its `def` on"):
        step(state=1)(lambda state, x: x)


def test_a_function_without_a_file_is_refused() -> None:
    """What was typed into `exec` has no source to record."""
    space: dict[str, object] = {}
    exec("def f(state, x):\n    return x\n", space)  # noqa: S102  # the case
    with pytest.raises(StrategyError, match="must be readable"):
        step(state=1)(space["f"])  # type: ignore[arg-type]


def _default(state: npt.NDArray[np.float64], x: float, k: float = 1.0) -> float:
    return k * x


def _star(state: npt.NDArray[np.float64], *x: float) -> float:
    return x[0]


def _nothing() -> float:
    return 0.0


@pytest.mark.parametrize("function", [_default, _star, _nothing])
def test_arguments_are_plain(function: object) -> None:
    """Defaults, stars and a missing state would make the number of arguments unclear."""
    with pytest.raises(StrategyError, match="without defaults"):
        step(state=1)(function)  # type: ignore[arg-type]


def test_a_call_has_all_arguments_inputs_first() -> None:
    """A wrong number of arguments, or a parameter before an input, is refused where it is written."""
    with pytest.raises(StrategyError, match="takes 2 arguments"):
        uses_its_file(close)
    with pytest.raises(StrategyError, match="inputs come before parameters"):
        uses_its_file(0.5, close)
    made = uses_its_file(close - open_, param("w", [0.5]))
    assert [str(c) for c in made.children] == ["(close - open)", "w"]


def test_a_damaged_record_is_an_error_of_the_strategy() -> None:
    """A source that does not define a function any more is reported, with Python's own words."""
    for source in ("def f(state:\n", "x = 1\n", "raise RuntimeError('gone')\ndef f(state): ...\n"):
        with pytest.raises(StrategyError, match="cannot be defined again"):
            Step.from_source(source, 1)
