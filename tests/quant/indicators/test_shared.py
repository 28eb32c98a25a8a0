"""What windows share, and bars abreast, have the bits of window by window and bar by bar."""

from __future__ import annotations

import numpy as np
import pytest

from grn.quant.indicators.registry import evaluate, share
from grn.quant.indicators.shared import exact_sums


def series(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Prices and worse."""
    walk = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    return {
        "walk": walk,
        "cents": np.round(walk, 2),
        "around zero": rng.normal(0.0, 1.0, n),
        "three scales": walk * rng.choice([1e-3, 1.0, 1e3], n),
        "constant": np.full(n, 0.1),
        "zeros between": np.where(rng.random(n) < 0.5, 0.0, walk),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["walk", "cents", "around zero", "three scales", "constant", "zeros between"]
)
def test_a_shared_average_has_the_same_bits(kind: str) -> None:
    """For every window from one bar to more bars than there are."""
    rng = np.random.default_rng(3)
    for n in (1, 2, 9, 250):
        x = series(kind, n, rng)
        shared = share("sma", [x])
        assert shared is not None or not x.any()
        for window in (1, 2, 3, 8, 50, n, n + 1):
            (want,) = evaluate("sma", [x], {"n": window}, jit=True)
            if shared is not None:
                (got,) = shared(n=window)
                assert np.array_equal(got.view(np.int64)[window - 1 :], want.view(np.int64)[window - 1 :])
                assert np.isnan(got[: window - 1]).all()


@pytest.mark.parametrize(
    "x",
    [
        np.array([1.0, np.nan, 2.0]),
        np.array([1.0, np.inf]),
        np.array([1e300, 1e300]),
        np.array([1.0, 1e-200]),
        np.array([0.0, 0.0]),
        np.array([5e-324, 1.0]),
    ],
    ids=["missing", "infinite", "huge", "too far apart", "nothing", "denormal"],
)
def test_sums_that_might_round_are_not_shared(x: np.ndarray) -> None:
    """Where a sum may need more bits than a pair has, or values are missing, each window goes its own way."""
    assert exact_sums(x) is None


@pytest.mark.parametrize(
    "kind", ["walk", "cents", "around zero", "three scales", "constant", "zeros between"]
)
def test_a_deviation_of_bars_abreast_has_the_same_bits(kind: str) -> None:
    """For every window up to more bars than there are, before and after the first value, by both divisors."""
    rng = np.random.default_rng(4)
    for n in (1, 2, 9, 63, 64, 65, 250):
        for missing in {0, min(1, n - 1), min(7, n - 1)}:
            x = series(kind, n, rng)
            x[:missing] = np.nan
            shared = share("rolling_std", [x])
            assert shared is not None
            for window in (2, 3, 8, 50, max(2, n), n + 1):
                for ddof in (0, 1):
                    (want,) = evaluate("rolling_std", [x], {"n": window, "ddof": ddof}, jit=True)
                    (got,) = shared(n=window, ddof=ddof)
                    assert np.array_equal(np.isnan(got), np.isnan(want))
                    assert np.array_equal(
                        got[~np.isnan(got)].view(np.int64), want[~np.isnan(want)].view(np.int64)
                    )


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_a_series_with_a_hole_goes_its_own_way(hole: float) -> None:
    """The count of bars since the last missing value is kept bar by bar."""
    assert share("rolling_std", [np.array([1.0, 2.0, hole, 3.0, 4.0])]) is None


def test_most_indicators_share_nothing() -> None:
    """Others are computed for each window."""
    assert share("ema", [np.ones(5)]) is None
