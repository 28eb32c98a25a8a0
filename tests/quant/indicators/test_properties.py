"""What must hold for every indicator: same bits in both modes, no look-ahead, warm-up, recovery."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.quant.indicators.registry import INDICATORS, Indicator, evaluate, jitted

Array = npt.NDArray[np.float64]
Case = tuple[list[Array], dict[str, Any]]

EVERY = pytest.mark.parametrize("name", INDICATORS)
# Those whose every output is a function of its window alone, however the series began.
WINDOWED = [
    "rolling_sum",
    "sma",
    "wma",
    "stochastic",
    "bollinger",
    "donchian",
    "vwap",
    "rolling_max",
    "rolling_min",
    "rolling_std",
    "zscore",
    "correlation",
    "slope",
]
# A NaN with a payload of its own: a cell that holds it was not written, or came from unwritten scratch.
POISON = np.array([0x7FF8_DEAD_BEEF_0001], dtype=np.int64).view(np.float64)[0]

ordinary = st.one_of(st.sampled_from([0.0, -0.0, 0.1, 1.0, 2.0, 100.0]), st.floats(-1e12, 1e12))
missing = st.just(math.nan)


@st.composite
def cases(draw: st.DrawFn, name: str, values: st.SearchStrategy[float], least: int = 0) -> Case:
    """Draw parameters, and series of 0, 1, about the warm-up's number of, or up to 40 bars."""
    entry = INDICATORS[name]
    params: dict[str, Any] = {}
    for spec in entry.params:
        if spec.kind == "int":
            params[spec.name] = draw(st.integers(int(spec.minimum), min(int(spec.maximum or 9), 9)))
        else:
            params[spec.name] = draw(st.floats(float(spec.minimum), 10.0))
    warmup = entry.warmup(params)
    lengths = st.one_of(st.sampled_from([0, 1, warmup, warmup + 1]), st.integers(0, 40))
    bars = max(draw(lengths), least)
    column = st.lists(values, min_size=bars, max_size=bars)
    return [np.array(draw(column), dtype=np.float64) for _ in entry.inputs], params


def same(a: Array, b: Array) -> bool:
    """Whether two series have the same bits, all NaNs being alike."""
    nan = np.isnan(a)
    return np.array_equal(nan, np.isnan(b)) and np.array_equal(a[~nan].view(np.int64), b[~nan].view(np.int64))


def run_poisoned(entry: Indicator, inputs: list[Array], params: dict[str, Any], bars: int) -> list[Array]:
    """Run the compiled kernel on outputs and scratch filled with poison."""
    scratch = [
        np.full(bars, -(2**62)) if cell.kind == "int" else np.full(bars, POISON) for cell in entry.scratch
    ]
    outputs = [np.full(bars, POISON) for _ in entry.outputs]
    jitted(entry.name)(*inputs, *params.values(), *scratch, *outputs)
    return outputs


@EVERY
@given(data=st.data())
def test_plain_python_equals_compiled(name: str, data: st.DataObject) -> None:
    """Lists in plain Python and arrays in the compiled kernel give the same bits, missing values included."""
    inputs, params = data.draw(cases(name, st.one_of(ordinary, ordinary, ordinary, missing)))
    plain = evaluate(name, inputs, params, jit=False)
    compiled = evaluate(name, inputs, params, jit=True)
    assert all(len(series) == len(inputs[0]) for series in plain)
    assert all(same(a, b) for a, b in zip(plain, compiled, strict=True))


@EVERY
@given(data=st.data())
def test_every_cell_is_written(name: str, data: st.DataObject) -> None:
    """No output cell keeps what was in it, and no result depends on what was in the scratch."""
    inputs, params = data.draw(cases(name, st.one_of(ordinary, ordinary, ordinary, missing)))
    entry, bars = INDICATORS[name], len(inputs[0])
    lists: list[list[Any]] = [[None] * bars for _ in (*entry.scratch, *entry.outputs)]
    entry.kernel(*(column.tolist() for column in inputs), *params.values(), *lists)
    written = lists[len(entry.scratch) :]
    assert all(isinstance(cell, float) for series in written for cell in series)
    for series, expected in zip(run_poisoned(entry, inputs, params, bars), written, strict=True):
        assert not (series.view(np.int64) == POISON.view(np.int64)).any()
        assert same(series, np.array(expected, dtype=np.float64))


@EVERY
@given(data=st.data())
def test_future_changes_nothing(name: str, data: st.DataObject) -> None:
    """Cut the series anywhere: what comes before the cut is what it was."""
    inputs, params = data.draw(cases(name, st.one_of(ordinary, ordinary, ordinary, missing)))
    cut = data.draw(st.integers(0, len(inputs[0])))
    whole = evaluate(name, inputs, params, jit=True)
    head = evaluate(name, [series[:cut] for series in inputs], params, jit=True)
    assert all(same(a[:cut], b) for a, b in zip(whole, head, strict=True))


@EVERY
@given(data=st.data())
def test_warm_up_is_as_declared(name: str, data: st.DataObject) -> None:
    """On clean bars that keep moving, exactly the declared number of leading outputs is NaN."""
    params = data.draw(cases(name, ordinary))[1]
    t = np.arange(40.0)
    low = 1.0 + t * t
    columns = {"low": low, "close": low + 1.0, "high": low + 2.0, "x": low, "y": t, "volume": 1.0 + t}
    columns["day"] = np.ones(40)
    warmup = INDICATORS[name].warmup(params)
    for series in evaluate(name, [columns[key] for key in INDICATORS[name].inputs], params, jit=True):
        assert np.isnan(series[:warmup]).all()
        assert np.isfinite(series[warmup:]).all()


@EVERY
@given(data=st.data())
def test_restarts_behind_a_missing_value(name: str, data: st.DataObject) -> None:
    """Behind a bar that is missing (NaN or infinite) follows what a series starting there would give."""
    inputs, params = data.draw(cases(name, ordinary, least=2))
    bars = len(inputs[0])
    hole = data.draw(st.integers(0, bars - 1))
    for series in inputs:
        series[hole] = data.draw(st.sampled_from([math.nan, math.inf, -math.inf]))
    if name == "session_vwap":  # its window is the session: clean again with the next one
        inputs[-1][hole + 1 :] += 1e13
    after = hole + 1
    if name == "roc":  # looks at two bars only: the hole is felt at a distance of n, too
        after = hole + 1 + params["n"]
    whole = evaluate(name, inputs, params, jit=True)
    anew = evaluate(name, [series[hole + 1 :] for series in inputs], params, jit=True)
    assert all(np.isnan(series[hole]) for series in whole)
    assert all(same(a[after:], b[after - hole - 1 :]) for a, b in zip(whole, anew, strict=True))


@pytest.mark.parametrize("name", WINDOWED)
@given(data=st.data())
def test_only_the_window_counts(name: str, data: st.DataObject) -> None:
    """A windowed indicator gives, bit for bit, what it gives on a series that starts with its window."""
    prices = st.one_of(st.sampled_from([0.1, 1.0, 100.0]), st.floats(1e-3, 1e6))
    inputs, params = data.draw(cases(name, prices, least=1))
    bars = len(inputs[0])
    window = INDICATORS[name].warmup(params) + 1
    last = data.draw(st.integers(0, bars - 1))
    part = [series[max(0, last + 1 - window) : last + 1] for series in inputs]
    whole = evaluate(name, inputs, params, jit=True)
    alone = evaluate(name, part, params, jit=True)
    assert all(same(a[last : last + 1], b[-1:]) for a, b in zip(whole, alone, strict=True))
