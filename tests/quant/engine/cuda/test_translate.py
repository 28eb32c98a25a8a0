"""Python's meaning, kept in C++: numbers through a kernel, and what is refused by name."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest

from grn.kit.errors import UnsupportedError
from grn.quant.engine import tariff
from grn.quant.engine.cuda.expressions import Scope, print_number, read_signature
from grn.quant.engine.cuda.functions import find_reachable, read_functions
from grn.quant.engine.cuda.inference import Type
from grn.quant.engine.cuda.source import Kernel, name_source, print_source
from grn.quant.engine.cuda.statements import Body
from grn.quant.engine.cuda.tables import Batch, Tables
from grn.quant.engine.emit import KERNEL_ARGUMENTS
from tests.property.cases import same_bits
from tests.quant.engine.cuda.shim import build

SPECIAL = [
    0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.5, -7.25, 0.1, 1 / 3, 1e-320, 1e300, 2.0**53, -(2.0**53), 2.0**53 - 1,
    4503599627370497.5, math.inf, -math.inf, math.nan,
]  # fmt: skip
PAIRS = np.array([(a, b) for a in SPECIAL for b in SPECIAL])


def through_kernel(folder: Path, expression: str, values: np.ndarray) -> np.ndarray:
    """An expression of x and y, computed by a kernel that does nothing else: float64 [n]."""
    text = (
        f"def kernel({KERNEL_ARGUMENTS}):\n    for c in range(first, last):\n"
        f"        x = params[c, 0]\n        y = params[c, 1]\n        out[c, 0] = {expression}\n"
    )
    library = build(folder, [Kernel(text, 1)])
    nothing = np.zeros((1, 1))
    tables = Tables(nothing, nothing, nothing[0], nothing[0], 0.0)
    batch = Batch(0, len(values), np.zeros((1, len(values)), dtype=np.int32), np.ascontiguousarray(values.T))
    return library.run(0, tables, batch, 1)[0]


ARITHMETIC = {
    "x + y": lambda x, y: x + y,
    "x * y - x": lambda x, y: x * y - x,
    "x / y": lambda x, y: x / y,
    "-x": lambda x, y: -x,
    "abs(x)": lambda x, y: np.abs(x),
    "sqrt(x)": lambda x, y: np.sqrt(x),
    "max(x, y)": lambda x, y: np.where(y > x, y, x),
    "min(x, y)": lambda x, y: np.where(y < x, y, x),
    "1.0 if x < y else 0.0": lambda x, y: (x < y) * 1.0,
    "1.0 if x != y else 0.0": lambda x, y: (x != y) * 1.0,
    "1.0 if not x <= y else 0.0": lambda x, y: (~(x <= y)) * 1.0,
    "1.0 if (x < y) | (x > y) else 0.0": lambda x, y: ((x < y) | (x > y)) * 1.0,
    "1.0 if -1.0 < x < y else 0.0": lambda x, y: ((-1.0 < x) & (x < y)) * 1.0,  # noqa: SIM300
    "x if x == x and y > 0.0 or x < 0.0 else inf": lambda x, y: np.where(
        ((x == x) & (y > 0.0)) | (x < 0.0), x, np.inf
    ),
    "0.1 + 1e-9 * x": lambda x, y: 0.1 + 1e-9 * x,
}  # fmt: skip


@pytest.mark.parametrize("expression", ARITHMETIC)
def test_arithmetic_is_that_of_ieee_754(expression: str, tmp_path: Path) -> None:
    """Every bit, for zeros of both signs, infinities, missing, tiny and huge numbers (oracle: NumPy)."""
    x, y = PAIRS.T
    with np.errstate(all="ignore"):
        wanted = np.asarray(ARITHMETIC[expression](x, y), dtype=np.float64)
    assert same_bits(through_kernel(tmp_path, expression, PAIRS), wanted)


def test_whole_numbers_keep_their_bits(tmp_path: Path) -> None:
    """`whole`, on which ticks and lots stand: the bits of the Python function, beyond 2**53 too."""
    rng = np.random.default_rng(7)
    x = np.concatenate(
        [SPECIAL, rng.normal(0.0, 10.0 ** rng.integers(-3, 18, 500)), np.arange(-20, 20) * 0.1 / 0.1]
    )
    values = np.array([(v, d) for v in x for d in (-1.0, 0.0, 1.0)])
    wanted = [tariff.whole(v, int(d)) for v, d in values]
    assert same_bits(through_kernel(tmp_path, "whole(x, int(y))", values), np.array(wanted))


REFUSED = {
    "a loop over a list": ("x: float", "for k in [1, 2]:\n        x = x + k", "a loop over"),
    "a power": ("x: float", "return x ** 2", r"this operation.*x \*\* 2"),
    "a remainder": ("x: float", "return x % 2.0", r"this operation.*x % 2"),
    "truth of a number": ("x: float", "return 1.0 if x else 2.0", "no truth value"),
    "another function": ("x: float", "return round(x)", "a call of round"),
    "another module": ("x: float", "return math.exp(x)", r"this call.*math\.exp"),
    "a list": ("x: float", "y = [x]", r"this expression.*\[x\]"),
    "another annotation": ("x: str", "return 1.0", "a parameter or result of type str"),
    "no annotation": ("x", "return 1.0", "of type no annotation"),
    "a default": ("x: float = 1.0", "return x", "the way f takes its arguments"),
    "an unknown name": ("x: float", "return x + y", "the name y, which has no value"),
    "a number as a truth value": ("x: float, t: bool", "t = x", "the parameter t holds real"),
    "a number as a place": ("r: Sequence[float], x: float", "return r[x]", "real where i64 belongs"),
    "two kinds of value": ("r: Sequence[float]", "y = 1.0\n    y = r", "holds both"),
    "a swap": ("x: float, y: float", "x, y = y, x", "reads what it writes"),
    "text": ("x: float", "y = 'a'", "this expression"),
    "a try": ("x: float", "try:\n        return x\n    finally:\n        pass", "this statement"),
}


def translate(parameters: str, body: str) -> list[str]:
    """A function of these parameters in C++."""
    (tree,) = ast.parse(f"def f({parameters}) -> float:\n    {body}").body
    assert isinstance(tree, ast.FunctionDef)
    signature = read_signature(tree)
    return Body(tree.body, dict(signature.parameters), Scope({}, {}), signature.result).lines(4)


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_not_translated_is_refused_by_name(fault: str) -> None:
    """The error says what stands in the way, shows the code, and names the engines that run it."""
    parameters, body, says = REFUSED[fault]
    with pytest.raises(UnsupportedError, match=f"engine 'cuda' refuses: .*{says}") as caught:
        translate(parameters, body)
    assert "reference" in (caught.value.hint or "")


def test_every_function_of_the_account_is_translated() -> None:
    """All of them: none waits for a strategy that needs it first."""
    head = f"def kernel({KERNEL_ARGUMENTS}):\n    for c in range(first, last):\n"
    text = f"{head}        open_account(account, initial)\n"
    names = set(read_functions())
    assert {"open_units", "close_units", "judge_levels", "work_order", "hold", "decide", "impose"} <= names
    assert set(find_reachable(sorted(names))) == names
    for name in names:
        function = read_functions()[name]
        signature = read_signature(function.tree)
        scope = Scope({n: read_signature(read_functions()[n].tree) for n in names}, function.constants)
        assert Body(function.tree.body, dict(signature.parameters), scope, signature.result).lines(4)
    assert "void open_account(" in print_source([Kernel(text, 3)])


def test_numbers_are_printed_with_all_their_bits() -> None:
    """Hexadecimal: no compiler rounds a decimal text."""
    assert print_number(0.1) == ("real(0x1.999999999999ap-4)", Type.REAL)
    assert print_number(math.inf) == ("INFINITE", Type.REAL)
    assert print_number(2**53 + 1) == ("i64(9007199254740993)", Type.INT)
    assert print_number(True) == ("true", Type.BOOL)


def test_a_source_is_named_by_its_text_and_options() -> None:
    """Other text, other real or other options: another name."""
    names = {name_source(s, o) for s in ("a", "b") for o in (["-x"], ["-y"], ["-x", "-y"])}
    assert len(names) == 6
