from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import DataError, UsageError
from grn.quant.features import stream
from grn.quant.features import volatility as volatility_module
from grn.quant.features.volatility import Estimator, with_volatility
from grn.quant.samples import sample

ESTIMATORS = get_args(Estimator)
Bar = tuple[str, float, float, float, float]


def variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def estimate(estimator: str, bars: list[Bar], n: int) -> float:
    """The published formula over the last `n` of the bars of one symbol, NaN when there are too few.

    The formulas are those of the papers that the module names.
    """
    if len(bars) < n + (estimator in ("close", "yang_zhang")):
        return math.nan
    window = bars[-n:]
    before = [bar[4] for bar in bars[-n - 1 : -1]]
    u = [math.log(h / o) for _, o, h, _, _ in window]
    d = [math.log(low / o) for _, o, _, low, _ in window]
    c = [math.log(close / o) for _, o, _, _, close in window]
    rs = sum(ui * (ui - ci) + di * (di - ci) for ui, di, ci in zip(u, d, c, strict=True)) / n
    if estimator == "close":
        return math.sqrt(variance([math.log(bar[4] / b) for bar, b in zip(window, before, strict=True)]))
    if estimator == "parkinson":
        return math.sqrt(sum((a - b) ** 2 for a, b in zip(u, d, strict=True)) / (4 * n * math.log(2)))
    if estimator == "garman_klass":
        terms = [(a - b) ** 2 / 2 - (2 * math.log(2) - 1) * e**2 for a, b, e in zip(u, d, c, strict=True)]
        return math.sqrt(sum(terms) / n)
    if estimator == "rogers_satchell":
        return math.sqrt(rs)
    overnight = [math.log(bar[1] / b) for bar, b in zip(window, before, strict=True)]
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    return math.sqrt(variance(overnight) + k * variance(c) + (1 - k) * rs)


@st.composite
def bars_of(draw: st.DrawFn) -> list[Bar]:
    """Bars of up to two symbols, prices between 1 and 4."""
    price = st.integers(100, 400)
    made = []
    for _ in range(draw(st.integers(0, 25))):
        four = sorted(draw(st.tuples(price, price, price, price)))
        first, last = draw(st.permutations(four[1:3]))
        prices = (first / 100, four[3] / 100, four[0] / 100, last / 100)
        made.append((draw(st.sampled_from("AB")), *prices))
    return made


def frame_of(bars: list[Bar]) -> pl.LazyFrame:
    types = {"symbol": pl.String, **dict.fromkeys(("open", "high", "low", "close"), pl.Float64)}
    return pl.LazyFrame(bars, schema=types, orient="row")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(bars=bars_of(), window=st.integers(2, 6), size=st.integers(1, 9))
def test_equal_to_the_formula(estimator: Any, bars: list[Bar], window: int, size: int) -> None:
    """Each value is the published formula over the symbol's last bars, in batches of any size.

    The tolerance is rounding: the reference adds the same terms in the same order, but forms them otherwise.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "STAGE_ROWS", size)
        made = with_volatility(frame_of(bars), estimator, window, name="v").collect()
    assert made.drop("v").equals(frame_of(bars).collect())
    for i, value in enumerate(made["v"]):
        own = [bar for bar in bars[: i + 1] if bar[0] == bars[i][0]]
        assert value == pytest.approx(estimate(estimator, own, window), rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_compiled_and_truncated(estimator: Any) -> None:
    """On real bars: plain Python gives the same bits as compiled code, and later bars change none of them."""
    frame = sample("INDICES").collect().lazy()
    whole = with_volatility(frame, estimator, 21).collect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volatility_module, "compiled", lambda kernel, signature: kernel)
        part = with_volatility(frame.head(600), estimator, 21).collect()
    # NaN equals NaN in `equals`; the logarithms of both come from the same C library.
    assert part.equals(whole.head(600))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_only_the_window_counts(estimator: Any) -> None:
    """A value has the same bits whatever came before its window: no running sum drifts."""
    frame = sample("SP500").collect()
    whole = with_volatility(frame.lazy(), estimator, 10).collect().to_series(-1)
    after_a_jump = frame.with_columns(
        pl.when(pl.int_range(pl.len()) < 100).then(pl.col("open", "high", "low", "close") * 1e9)
        .otherwise(pl.col("open", "high", "low", "close"))
    )  # fmt: skip
    jumped = with_volatility(after_a_jump.lazy(), estimator, 10).collect().to_series(-1)
    assert jumped[111:].equals(whole[111:])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_they_estimate_volatility(estimator: Any) -> None:
    """On a simulated market of 2 % a bar without drift or jumps every estimator finds 2 %.

    Prices are watched 2,000 times a bar. Between two looks they go higher and lower unseen, which lowers a
    range by about 2 x 0.5826 / sqrt(2,000) of a standard deviation (Broadie, Glasserman and Kou, Mathematical
    Finance 7 (1997), 325-349); the tolerance is that and the sampling error of 1,500 bars.
    """
    rng = np.random.default_rng(20261123)
    steps = rng.normal(0.0, 0.02 / math.sqrt(2_000), (1_500, 2_000))
    path = 100.0 * np.exp(np.cumsum(steps.ravel())).reshape(steps.shape)
    first = np.concatenate([[100.0], path[:-1, -1]])
    bars = pl.LazyFrame(
        {
            "symbol": ["A"] * len(path),
            "open": first,
            "high": np.maximum(path.max(axis=1), first),
            "low": np.minimum(path.min(axis=1), first),
            "close": path[:, -1],
        }
    )
    found = with_volatility(bars, estimator, 1_499).collect().to_series(-1)[-1]
    assert found == pytest.approx(0.02, rel=0.04)


def test_missing_prices_and_annual_figures() -> None:
    """A price that is missing or zero hides its windows and no others; annual is per bar times a root."""
    frame = sample("SP500").collect().head(40).with_columns(
        pl.when(pl.int_range(pl.len()) == 20).then(None).otherwise("close").alias("close")
    )  # fmt: skip
    made = with_volatility(frame.lazy(), "yang_zhang", 5).collect()["yang_zhang_5"]
    # Bar 20 lacks a close: its own window terms and the jump to bar 21 are unknown until bar 26.
    hidden = [*range(5), *range(20, 26)]
    assert [i for i, value in enumerate(made) if math.isnan(value)] == hidden
    yearly = with_volatility(frame.lazy(), "yang_zhang", 5, periods_per_year=252.0).collect()["yang_zhang_5"]
    assert yearly.equals(made * math.sqrt(252.0))


def test_bars_that_cannot_be() -> None:
    """Where the high lies below the close a negative variance may come out: it is NaN, not an error."""
    odd = frame_of([("A", 1.0, 1.5, 1.0, 2.0)] * 3)
    assert math.isnan(with_volatility(odd, "rogers_satchell", 2).collect().to_series(-1)[-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "yangzhang"},
        {"window": 1},
        {"window": 2.0},
        {"periods_per_year": 0.0},
        {"name": "close"},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    """Wrong settings are refused when the pipeline is built; so is a frame without highs."""
    bars = frame_of([("A", 1.0, 1.0, 1.0, 1.0)])
    with pytest.raises(UsageError):
        with_volatility(bars, **settings)
    with pytest.raises(DataError, match="no column 'high'"):
        with_volatility(bars.drop("high"))
    assert with_volatility(bars.select("symbol", "close"), "close").collect().height == 1
