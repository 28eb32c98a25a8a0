from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import DataError, UsageError
from grn.quant.features import as_of as as_of_module
from grn.quant.features import stream
from grn.quant.features.as_of import join_as_of
from grn.quant.features.bars import time_bars
from tests.quant.features.markets import TS, published_trades, tape

ROWS = st.lists(st.tuples(st.integers(0, 20), st.sampled_from("AB"), st.integers(0, 99)), max_size=25)


def frame_of(rows: list[tuple[int, str, int]], time: str, value: str) -> pl.LazyFrame:
    """Rows in order of time, in microseconds."""
    types = {time: pl.Int64, "symbol": pl.String, value: pl.Int64}
    ordered = sorted(rows, key=lambda row: row[0])
    return pl.LazyFrame(ordered, schema=types, orient="row").with_columns((pl.col(time) * 1000).cast(TS))


@given(
    left=ROWS,
    right=ROWS,
    strict=st.booleans(),
    keyed=st.booleans(),
    age_us=st.sampled_from([None, 0, 1, 5]),
    size=st.integers(1, 9),
)
def test_equal_to_the_reference(
    left: list[tuple[int, str, int]],
    right: list[tuple[int, str, int]],
    strict: bool,
    keyed: bool,
    age_us: int | None,
    size: int,
) -> None:
    """Each row gets the last row known before its moment (or at it), found by looking at all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "STAGE_ROWS", size)
        patch.setattr(as_of_module, "BATCH_ROWS", size)
        made = join_as_of(
            frame_of(left, "ts", "x"),
            frame_of(right, "known_ts", "y"),
            by=("symbol",) if keyed else (),
            strict=strict,
            max_age=None if age_us is None else dt.timedelta(microseconds=age_us),
        ).collect()
    assert made.select("ts", "symbol", "x").equals(frame_of(left, "ts", "x").collect())
    for (now, symbol, _), seen in zip(sorted(left, key=lambda r: r[0]), made["y"], strict=True):
        expected = None
        for then, other, y in sorted(right, key=lambda r: r[0]):
            known = then < now if strict else then <= now
            fresh = age_us is None or now - then <= age_us
            if known and (other == symbol or not keyed):
                expected = y if fresh else None
        assert seen == expected


def test_bars_are_joined_when_they_are_known() -> None:
    """A trade never sees the bar that it is in, nor one that ends later; schema and order are kept."""
    trades = tape(published_trades())
    bars = time_bars(trades, "1m", unfinished=True)
    made = join_as_of(trades, bars).collect()
    assert made.height == 300
    assert made.columns[:6] == trades.collect_schema().names()
    assert {"ts_right", "open", "known_ts"} <= set(made.columns)
    seen = made.drop_nulls("known_ts")
    assert (seen["known_ts"] < seen["ts"]).all()
    assert seen.height > 250
    newest = bars.collect()
    for row in seen.iter_rows(named=True):
        assert row["known_ts"] == newest.filter(pl.col("known_ts") < row["ts"])["known_ts"].max()


def test_equal_to_polars() -> None:
    """On frames that fit into memory Polars' own join gives the same rows."""
    trades = tape(published_trades())
    bars = time_bars(trades, "5m")
    theirs = trades.join_asof(
        bars.select("symbol", "close", "known_ts"),
        left_on="ts",
        right_on="known_ts",
        by="symbol",
        allow_exact_matches=False,
        coalesce=False,
        check_sortedness=False,
    )
    ours = join_as_of(trades, bars.select("symbol", "close", "known_ts"))
    assert ours.collect().equals(theirs.collect())


def test_what_is_refused() -> None:
    """Missing columns, keys of two types and negative ages at once; unsorted times when collected."""
    good = frame_of([(1, "A", 1), (2, "A", 2)], "ts", "x")
    known = frame_of([(1, "A", 1), (2, "A", 2)], "known_ts", "y")
    with pytest.raises(DataError, match="no column 'known_ts'"):
        join_as_of(good, good)
    with pytest.raises(DataError, match="two types"):
        join_as_of(good, known.with_columns(pl.col("symbol").cast(pl.Categorical)))
    with pytest.raises(UsageError, match="max_age"):
        join_as_of(good, known, max_age=dt.timedelta(-1))
    with pytest.raises(UsageError, match="collide"):
        join_as_of(good.with_columns(y=1), known.with_columns(y_right=1))
    frames: list[tuple[Any, Any, str]] = [
        (good.reverse(), known, "left"),
        (good, known.reverse(), "right"),
        (good.with_columns(ts=pl.lit(None, dtype=TS)), known, "left"),
    ]
    for left, right, side in frames:
        with pytest.raises(DataError, match=side):
            join_as_of(left, right).collect()
