from __future__ import annotations

import math
import statistics
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import DataError, UsageError
from grn.quant.features import stream
from grn.quant.features.cross_section import Measure, with_cross_section
from tests.quant.features.markets import TS

VALUES = st.sampled_from([1.0, 1.0, 2.0, 3.5, -4.0, None, math.nan, math.inf])


def reference(measure: str, value: float | None, others: list[float | None]) -> float:
    """Where a value stands among all values of its moment."""
    if value is None or not math.isfinite(value):
        return math.nan
    known = [v for v in others if v is not None and math.isfinite(v)]
    rank = sum(v < value for v in known) + (sum(v == value for v in known) + 1) / 2
    if measure == "rank":
        return rank
    if measure == "fraction":
        return (rank - 0.5) / len(known)
    if measure == "demeaned":
        return value - statistics.fmean(known)
    if len(set(known)) < 2:
        return math.nan
    return (value - statistics.fmean(known)) / statistics.stdev(known)


@pytest.mark.parametrize("measure", get_args(Measure))
@given(rows=st.lists(st.tuples(st.integers(0, 5), VALUES), max_size=40), size=st.integers(1, 11))
def test_equal_to_the_reference(measure: Any, rows: list[tuple[int, float | None]], size: int) -> None:
    """Each value is compared with those of its own moment, also where a batch ends within one."""
    rows = sorted(rows, key=lambda row: row[0])
    types = {"ts": pl.Int64, "x": pl.Float64}
    frame = pl.LazyFrame(rows, schema=types, orient="row").with_columns(pl.col("ts").cast(TS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "STAGE_ROWS", size)
        made = with_cross_section(frame, "x", measure).collect()
    assert made.drop(f"x_{measure}").equals(frame.collect())
    expected = [reference(measure, x, [v for u, v in rows if u == t]) for t, x in rows]
    assert made[f"x_{measure}"].to_list() == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


def test_later_moments_change_nothing() -> None:
    """The values of a moment are the same when later moments are cut off."""
    frame = pl.LazyFrame({"ts": [1, 1, 2, 2, 2, 3], "x": [5.0, 3.0, 1.0, 2.0, 9.0, 4.0]})
    frame = frame.with_columns(pl.col("ts").cast(TS))
    whole = with_cross_section(frame, "x").collect()
    assert with_cross_section(frame.head(5), "x").collect().equals(whole.head(5))
    assert whole["x_fraction"].to_list() == pytest.approx([0.75, 0.25, 1 / 6, 0.5, 5 / 6, 0.5])


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown measures, missing columns and taken names at once; unsorted or missing times when collected."""
    frame = pl.LazyFrame({"ts": [2, 1], "x": [1.0, 2.0]}).with_columns(pl.col("ts").cast(TS))
    with pytest.raises(UsageError):
        with_cross_section(frame, "x", "decile")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        with_cross_section(frame, "x", name="x")
    with pytest.raises(DataError, match="no column 'y'"):
        with_cross_section(frame, "y")
    for size in (1, 2):
        monkeypatch.setattr(stream, "STAGE_ROWS", size)
        with pytest.raises(DataError, match="time goes back"):
            with_cross_section(frame, "x").collect()
    with pytest.raises(DataError, match="no time"):
        with_cross_section(frame.with_columns(ts=pl.lit(None, dtype=TS)), "x").collect()
