from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.quant.stream.order import quantiles, select

NUMBERS = st.lists(st.floats(width=64), max_size=60)


@given(numbers=NUMBERS, cut=st.integers(1, 20), shares=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_quantiles_are_those_of_all_numbers_at_once(
    numbers: list[float], cut: int, shares: list[float]
) -> None:
    """Whatever the batches, infinities and ties: NumPy's inverted_cdf of the numbers that are none NaN."""
    whole = np.array(numbers, dtype=np.float64)
    batches = [whole[k : k + cut] for k in range(0, len(whole), cut)]
    total, found = quantiles(lambda: batches, shares)
    finite = whole[~np.isnan(whole)]
    assert total == len(finite)
    if total:
        expected = np.quantile(finite, shares, method="inverted_cdf")
        assert (found == expected).all()
    else:
        assert np.isnan(found).all()


def test_every_rank_is_the_sorted_number() -> None:
    """Ten thousand numbers of every magnitude, each rank asked for: the sorted numbers, bit for bit."""
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=10_000) * 10.0 ** rng.integers(-300, 300, 10_000)
    ranks = rng.permutation(10_000)[:50]
    batches = np.array_split(numbers, 7)
    assert select(lambda: batches, ranks.tolist()).tolist() == np.sort(numbers)[ranks].tolist()


def test_negative_zero_is_zero() -> None:
    """-0.0 and 0.0 are one number: neither lies before the other."""
    found = select(lambda: [np.array([0.0, -0.0, -1.0])], [1, 2])
    assert found.tolist() == [0.0, 0.0]
    assert [math.copysign(1, x) for x in found] == [1, 1]


@pytest.mark.parametrize("share", [0.1 * k for k in range(11)])
def test_shares_that_are_no_binary_fractions_follow_numpy(share: float) -> None:
    """0.1, 0.3 ... of 10 and of 30 numbers: the same rank as NumPy, whose rounding is copied."""
    for n in (10, 30):
        numbers = np.arange(n, dtype=np.float64)
        found = quantiles(lambda numbers=numbers: [numbers], [share])[1]  # type: ignore[misc]
        assert found[0] == np.quantile(numbers, share, method="inverted_cdf")
