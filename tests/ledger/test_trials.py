from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import LedgerError
from grn.kit.files import sha256_hex
from grn.ledger.trials import KeyUnion, decode_trials, encode_trials

# Few different keys, so that sweeps overlap; the largest key, so that nothing is read as signed.
keys_of_trials = st.integers(0, 30) | st.just((1 << 64) - 1)
ratios = st.floats(-5, 5) | st.just(math.nan)
sweeps = st.dictionaries(keys_of_trials, ratios, max_size=20)


def arrays(sweep: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(list(sweep), np.uint64), np.array(list(sweep.values()), np.float64)


@given(sweeps)
def test_trials_come_back_sorted_and_whole(sweep: dict[int, float]) -> None:
    """Keys ascend, and each keeps its own ratio."""
    keys, sharpes = decode_trials(encode_trials(*arrays(sweep)))
    assert keys.tolist() == sorted(sweep)
    np.testing.assert_array_equal(sharpes, [sweep[key] for key in sorted(sweep)])


@given(sweeps)
def test_the_order_of_trials_does_not_matter(sweep: dict[int, float]) -> None:
    """The same trials have the same bytes: a sweep that is repeated is stored once."""
    keys, sharpes = arrays(sweep)
    assert encode_trials(keys[::-1], sharpes[::-1]) == encode_trials(keys, sharpes)


def test_the_format_is_frozen() -> None:
    """Blobs are read for ever: magic, count, keys, ratios, all little-endian, whatever NaN came in."""
    odd_nan = np.array([0x7FF8_0000_0000_0001], np.uint64).view(np.float64)[0]
    data = encode_trials(np.array([2, 1], np.uint64), np.array([0.5, odd_nan]))
    assert data.hex() == (
        "67726e747269616c020000000000000001000000000000000200000000000000000000000000f87f000000000000e03f"
    )
    assert sha256_hex(data) == sha256_hex(
        encode_trials(np.array([1, 2], np.uint64), np.array([math.nan, 0.5]))
    )


def test_a_repeated_key_is_refused() -> None:
    """A grid that names a combination twice would count it twice."""
    with pytest.raises(LedgerError, match="more than once") as caught:
        encode_trials(np.array([7, 1, 7], np.uint64), np.zeros(3))
    assert caught.value.seen == "0x0000000000000007"


@pytest.mark.parametrize(
    ("keys", "sharpes"),
    [
        (np.zeros(2, np.int64), np.zeros(2)),
        (np.zeros(2, np.uint64), np.zeros(2, np.float32)),
        (np.zeros(2, np.uint64), np.zeros(3)),
        (np.zeros((1, 2), np.uint64), np.zeros((1, 2))),
    ],
)
def test_wrong_arrays_are_refused(keys: np.ndarray, sharpes: np.ndarray) -> None:
    """Nothing is converted in silence: a signed key would change its value."""
    with pytest.raises(LedgerError, match="trials need"):
        encode_trials(keys, sharpes)


@pytest.mark.parametrize("data", [b"", b"grntrial", b"grntrial" + bytes(8) + b"x", b"other..." + bytes(8)])
def test_other_bytes_are_refused(data: bytes) -> None:
    """A blob of something else is not read as trials."""
    with pytest.raises(LedgerError, match="does not hold trials"):
        decode_trials(data)


@given(st.lists(sweeps, max_size=8))
def test_a_union_is_a_dict_that_keeps_the_first(history: list[dict[int, float]]) -> None:
    """Size and moments are those of a plain dict; expected moments: Python's statistics (exact fractions)."""
    union, plain = KeyUnion(), dict[int, float]()
    for sweep in history:
        union.add(*decode_trials(encode_trials(*arrays(sweep))))
        plain = {**sweep, **plain}
    assert len(union) == len(plain)
    mean, variance = union.moments()
    known = [ratio for ratio in plain.values() if not math.isnan(ratio)]
    assert math.isnan(mean) if not known else math.isclose(mean, statistics.mean(known), abs_tol=1e-14)
    if len(known) < 2:
        assert math.isnan(variance)
    else:
        assert math.isclose(variance, statistics.variance(known), rel_tol=1e-12, abs_tol=1e-14)


@given(st.lists(sweeps, max_size=6, unique_by=lambda sweep: tuple(sorted(sweep))))
def test_moments_do_not_depend_on_the_order_of_sweeps(history: list[dict[int, float]]) -> None:
    """Sweeps without common keys: recorded in another order, they give the same bits."""
    apart = [
        {key // 2 + 100 * place: ratio for key, ratio in sweep.items()} for place, sweep in enumerate(history)
    ]
    forward, backward = KeyUnion(), KeyUnion()
    for sweep in apart:
        forward.add(*decode_trials(encode_trials(*arrays(sweep))))
    for sweep in reversed(apart):
        backward.add(*decode_trials(encode_trials(*arrays(sweep))))
    assert repr(forward.moments()) == repr(backward.moments())


def test_infinite_ratios_count_but_do_not_move_the_moments() -> None:
    """A path without variance has no finite Sharpe ratio; it was a trial all the same."""
    union = KeyUnion()
    union.add(*decode_trials(encode_trials(np.arange(3, dtype=np.uint64), np.array([1.0, math.inf, 2.0]))))
    assert len(union) == 3
    assert union.moments() == (1.5, 0.5)
