from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import DataError, UsageError
from grn.quant.features import returns as returns_module
from grn.quant.features import stream
from grn.quant.features.returns import with_returns

PRICES = st.sampled_from([1.0, 1.5, 2.0, 3.0, 0.0, -1.0, None, math.nan])


def reference(rows: list[tuple[str, float | None]], i: int, periods: int, kind: str) -> float:
    """One return, by looking through the rows of the symbol."""
    own = [price for symbol, price in rows[: i + 1] if symbol == rows[i][0]]
    if len(own) <= periods:
        return math.nan
    now, before = own[-1], own[-1 - periods]
    if now is None or before is None or not now > 0 or not before > 0:
        return math.nan
    return math.log(now / before) if kind == "log" else now / before - 1


@pytest.mark.parametrize("kind", ["log", "simple"])
@given(
    rows=st.lists(st.tuples(st.sampled_from("AB"), PRICES), max_size=30),
    periods=st.integers(1, 4),
    size=st.integers(1, 9),
)
def test_equal_to_the_reference(
    kind: Any, rows: list[tuple[str, float | None]], periods: int, size: int
) -> None:
    """Each return is that over the symbol's own rows, interleaved or not, in batches of any size."""
    frame = pl.LazyFrame(rows, schema={"symbol": pl.String, "close": pl.Float64}, orient="row")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "STAGE_ROWS", size)
        made = with_returns(frame, periods, kind=kind).collect()[f"return_{periods}"].to_list()
    expected = [reference(rows, i, periods, kind) for i in range(len(rows))]
    assert made == pytest.approx(expected, rel=1e-14, abs=1e-15, nan_ok=True)


def test_compiled_is_the_same_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel run as plain Python and compiled gives the same bits."""
    frame = pl.LazyFrame({"symbol": list("ABABA"), "mid": [1.0, 2.0, 3.0, 5.0, 7.0]})
    compiled = with_returns(frame, price="mid", name="r").collect()
    monkeypatch.setattr(returns_module, "compiled", lambda kernel, signature: kernel)
    assert with_returns(frame, price="mid", name="r").collect().equals(compiled)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"periods": 0}, UsageError),
        ({"kind": "percent"}, UsageError),
        ({"name": "close"}, UsageError),
        ({"price": "closing"}, DataError),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], kind: type[Exception]) -> None:
    """Wrong settings are refused when the pipeline is built."""
    with pytest.raises(kind):
        with_returns(pl.LazyFrame({"symbol": ["A"], "close": [1.0]}), **settings)
