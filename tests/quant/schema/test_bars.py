"""Bars do not change, and their digests say what they hold."""

from __future__ import annotations

import hashlib
import pickle
import struct

import numpy as np
import pytest

from grn.kit.errors import DataError
from grn.quant.schema import BAR_COLUMNS, Bars, load_bars
from tests.quant.schema.frames import daily

YEAR_NS = int(365.25 * 86_400 * 10**9)


def bars(symbol: str = "A", **columns: list[float]) -> Bars:
    columns = columns or {"close": [1.0, 2.0, 3.0]}
    n = len(next(iter(columns.values())))
    return Bars(symbol, np.arange(n, dtype=np.int64), {k: np.array(v) for k, v in columns.items()})


def test_nothing_can_be_changed() -> None:
    """Arrays are read-only, the mapping too, and the caller's own arrays are not shared."""
    closes = np.array([1.0, 2.0])
    b = Bars("A", np.array([0, 1]), {"close": closes})
    closes[0] = 9.0
    assert b.column("close")[0] == 1.0
    for values in (b.ts_ns, b.column("close")):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 5
    with pytest.raises(TypeError):
        b.columns["close"] = closes  # type: ignore[index]
    with pytest.raises(AttributeError):
        b.symbol = "B"  # type: ignore[misc]


def test_arrays_are_contiguous_float64() -> None:
    """Strided or float32 input becomes contiguous float64: kernels rely on it."""
    wide = np.arange(1.0, 7.0, dtype=np.float32).reshape(3, 2)
    b = Bars("A", np.arange(6, dtype=np.int64)[::2], {"close": wide[:, 0]})  # type: ignore[dict-item]
    assert b.column("close").flags.c_contiguous
    assert b.ts_ns.flags.c_contiguous
    assert b.column("close").dtype == np.float64


def test_all_nan_have_the_same_bits() -> None:
    """NaN carries no hidden payload into a digest."""
    odd = np.frombuffer(struct.pack("<qq", 0x7FF8000000000ABC, -(2**51)), dtype="<f8")
    assert np.isnan(odd).all()
    plain = bars(close=[1.0, 1.0], score=[np.nan, np.nan])
    other = Bars("A", plain.ts_ns, {"close": np.ones(2), "score": odd})
    assert plain.digest(["score"]) == other.digest(["score"])


@pytest.mark.parametrize("ts", [np.array([0.0, 1.0]), np.array([[0], [1]]), np.array([0, 1], dtype=np.int32)])
def test_timestamps_of_another_kind_are_refused(ts: np.ndarray) -> None:  # type: ignore[type-arg]
    """Anything but one-dimensional int64 is refused rather than converted."""
    with pytest.raises(DataError, match="one-dimensional int64"):
        Bars("A", ts, {})


def test_a_column_of_another_length_is_refused() -> None:
    """One value per bar."""
    with pytest.raises(DataError, match="'close' of 'A' does not have one value per bar"):
        Bars("A", np.array([0, 1]), {"close": np.ones(3)})


def test_digest_is_what_it_says() -> None:
    """The digest is SHA-256 over a tag, the length, the timestamps, then name and values of each column."""
    b = bars(close=[1.5, 2.5], alpha=[0.0, -1.0])
    raw = b"grn.bars.1\0" + struct.pack("<q", 2) + struct.pack("<qq", 0, 1)
    raw += struct.pack("<q", 5) + b"alpha" + struct.pack("<dd", 0.0, -1.0)
    raw += struct.pack("<q", 5) + b"close" + struct.pack("<dd", 1.5, 2.5)
    assert b.digest(["close", "alpha"]) == hashlib.sha256(raw).hexdigest()
    assert b.digest(["alpha", "close", "close"]) == b.digest(["close", "alpha"])


def test_identity_is_time_and_close() -> None:
    """Identity ignores symbol and further columns, and changes with any close or timestamp."""
    base = bars(close=[1.0, 2.0, 3.0])
    assert bars("B", close=[1.0, 2.0, 3.0], score=[7.0, 8.0, 9.0]).identity == base.identity
    assert bars(close=[1.0, 2.0, np.nextafter(3.0, 4.0)]).identity != base.identity
    assert Bars("A", base.ts_ns + 1, base.columns).identity != base.identity
    assert base.head(2).identity != base.identity
    assert base.identity == base.digest(["close"])


def test_identity_of_a_sample_is_stable() -> None:
    """The identity of shipped data is a constant: trials counted today must count next year.

    Recorded on 2026-11-23 from arch 8.0.0's sp500.csv.gz.
    """
    assert load_bars("SP500")[0].identity.startswith("a6448d8d1d5dcfba")


def test_head() -> None:
    """`head` cuts at the front, shares memory, and stops at the end; less than one bar is refused."""
    b = load_bars(daily(), BAR_COLUMNS)[0]
    assert b.head(2).ts_ns.tolist() == b.ts_ns[:2].tolist()
    assert np.shares_memory(b.head(2).column("high"), b.column("high"))
    assert len(b.head(99)) == 5
    with pytest.raises(DataError, match="less than one bar"):
        b.head(0)


def test_span_years() -> None:
    """The span is that between first and last label; one bar spans nothing."""
    assert Bars("A", np.array([0, YEAR_NS]), {}).span_years == 1.0
    assert Bars("A", np.array([5]), {}).span_years == 0.0
    # 1999-01-04 to 2018-12-31 are 7,301 days.
    assert load_bars("SP500")[0].span_years == pytest.approx(7301 / 365.25, rel=1e-15)


def test_a_column_that_is_not_there() -> None:
    """The error lists the columns at hand."""
    with pytest.raises(DataError, match="no column 'high'") as caught:
        bars().column("high")
    assert caught.value.hint is not None
    assert "close" in caught.value.hint


def test_pickle() -> None:
    """Bars reach worker processes whole, and still read-only."""
    b = load_bars(daily(), BAR_COLUMNS)[0]
    again = pickle.loads(pickle.dumps(b))
    assert again.digest(b.columns) == b.digest(b.columns)
    assert (again.symbol, again.timezone) == (b.symbol, b.timezone)
    assert not again.column("close").flags.writeable


def test_repr() -> None:
    """The repr says how much there is of what, not the numbers."""
    assert (
        repr(load_bars(daily())[0]) == "Bars('ASSET', 5 bars from 2020-01-01 to 2020-01-05, columns: close)"
    )
    assert repr(Bars("A", np.array([], dtype=np.int64), {})) == "Bars('A', no bars, columns: )"


def test_a_view_of_an_array_that_can_still_be_written_is_copied() -> None:
    """A read-only view is frozen only if what it looks at is: a digest is taken once."""
    prices = np.linspace(100.0, 120.0, 5)
    view = prices.view()
    view.flags.writeable = False
    bars = Bars(symbol="V", ts_ns=np.arange(5, dtype=np.int64), columns={"close": view})
    before = bars.digest(["close"])
    prices[3] = 1000.0
    assert bars.column("close")[3] == 115.0
    again = Bars(symbol="V", ts_ns=bars.ts_ns, columns={"close": bars.column("close")})
    assert again.digest(["close"]) == before
