"""The registry: what is in it, what it refuses, and the rule that kernels keep to."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap

import numpy as np
import pytest

from grn.kit.errors import StrategyError
from grn.quant.indicators.compiled import kernel_source
from grn.quant.indicators.page import render
from grn.quant.indicators.registry import INDICATORS, evaluate, get, jitted

X = np.arange(30.0)


def test_names_are_the_keys() -> None:
    """The registry holds exactly the indicators that are promised, each under its own name."""
    promised = """rolling_sum sma ema wma rsi macd stochastic roc atr bollinger donchian obv vwap session_vwap
        rolling_max rolling_min rolling_std zscore correlation slope kalman_trend"""
    assert list(INDICATORS) == promised.split()
    assert all(name == indicator.name for name, indicator in INDICATORS.items())


def test_unknown_name_gets_close_matches() -> None:
    """A misspelt indicator is refused with the names it resembles."""
    with pytest.raises(StrategyError, match="no such indicator") as caught:
        get("bolinger")
    assert caught.value.hint == "did you mean bollinger?"
    with pytest.raises(StrategyError) as caught:
        get("xyzzy")
    assert "grn quant indicators" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("sma", {"n": 0}, "below its minimum 1 (seen: 0)"),
        ("rolling_std", {"n": 1}, "below its minimum 2 (seen: 1)"),
        ("rolling_std", {"n": 5, "ddof": 2}, "above its maximum 1 (seen: 2)"),
        ("sma", {"n": 2.5}, "must be a whole number (seen: 2.5)"),
        ("sma", {"n": "20"}, "must be a finite number (seen: '20')"),
        ("sma", {"n": True}, "must be a finite number (seen: True)"),
        ("bollinger", {"k": float("nan")}, "must be a finite number (seen: nan)"),
        ("bollinger", {"k": -1.0}, "below its minimum 0.0 (seen: -1.0)"),
        ("sma", {}, "parameter n is missing"),
        ("sma", {"n": 3, "length": 3}, "no such parameter (seen: 'length')"),
    ],
)
def test_wrong_parameters_are_refused(name: str, params: dict[str, object], words: str) -> None:
    """A parameter outside its range is refused with the value seen, its limit and a hint."""
    with pytest.raises(StrategyError) as caught:
        get(name).check_params(params)
    assert words in str(caught.value)
    assert caught.value.hint


def test_parameters_are_normalised() -> None:
    """Defaults are filled in; NumPy and whole float values become Python numbers of the declared kind."""
    assert get("macd").check_params({"fast": np.int64(5), "signal": 4.0}) == {
        "fast": 5,
        "slow": 26,
        "signal": 4,
    }
    checked = get("bollinger").check_params({"k": 2})
    assert checked == {"n": 20, "k": 2.0}
    assert [type(value) for value in checked.values()] == [int, float]


def test_wrong_inputs_are_refused() -> None:
    """A missing series, or series of different length, is refused before any kernel runs."""
    with pytest.raises(StrategyError, match="wrong number of inputs"):
        evaluate("correlation", [X], {"n": 5}, jit=False)
    with pytest.raises(StrategyError, match="differ in shape"):
        evaluate("correlation", [X, X[1:]], {"n": 5}, jit=False)


@pytest.mark.parametrize("name", INDICATORS)
def test_kernel_fits_its_entry(name: str) -> None:
    """A kernel takes what its entry declares, in the order inputs, parameters, scratch, outputs."""
    entry = get(name)
    declared = len(entry.inputs) + len(entry.params) + len(entry.scratch) + len(entry.outputs)
    names = list(inspect.signature(entry.kernel).parameters)
    assert len(names) == declared
    assert tuple(names[: len(entry.inputs)]) == entry.inputs


@pytest.mark.parametrize("name", INDICATORS)
def test_kernel_uses_only_exact_operations(name: str) -> None:
    """Kernels add, subtract, multiply, divide, take roots and compare: the same bits on every machine."""
    kernels = {entry.kernel.__name__ for entry in INDICATORS.values()}
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(get(name).kernel)))):
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div), ast.unparse(node)
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) in {"range", "len", "abs", "math.sqrt"} | kernels


def test_compiled_once_for_read_only_and_writable_inputs() -> None:
    """Bars are read-only, intermediate results are not; both use the one compiled version."""
    frozen = X.copy()
    frozen.flags.writeable = False
    first, second = (evaluate("wma", [x], {"n": 3}, jit=True)[0] for x in (X, frozen))
    np.testing.assert_array_equal(first, second)
    assert len(jitted("wma").nopython_signatures) == 1  # type: ignore[attr-defined]
    assert jitted("wma") is jitted("wma")


def test_disk_cache_follows_called_kernels() -> None:
    """What names a compiled kernel on disk covers every kernel it calls, in whichever file."""
    source = kernel_source(get("bollinger").kernel)
    assert all(f"def {name}(" in source for name in ("bollinger", "sma", "rolling_sum", "rolling_std"))
    name = jitted("bollinger").py_func.__qualname__  # type: ignore[attr-defined]
    assert re.fullmatch("bollinger_[0-9a-f]{12}", name)


def test_page_documents_every_indicator() -> None:
    """The reference page is written from the registry: every entry with formula, source and TA-Lib's part."""
    page = render()
    for entry in INDICATORS.values():
        section = page.split(f"(indicator-{entry.name})=")[1].split("\n(indicator-")[0]
        assert entry.source in section
        assert entry.differs in section
        assert all(line in section for line in entry.formula.split("; "))
        assert all(f"`{spec.name}`" in section for spec in entry.params)
        assert f"](#indicator-{entry.name})" in page
    assert "Warm-up: 33 bars with fast=12, slow=26, signal=9" in page
