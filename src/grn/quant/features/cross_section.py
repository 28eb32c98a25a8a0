"""Comparing symbols with each other at one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

import polars as pl

from grn.kit.errors import DataError, UsageError
from grn.quant.features.stream import through
from grn.quant.features.trades import check_columns, utc_ns
from grn.quant.schema.stamps import stamp

Measure = Literal["rank", "fraction", "zscore", "demeaned"]

_MOMENT: Final = "grn moment"


def with_cross_section(
    frame: pl.LazyFrame, column: str, measure: Measure = "fraction", *, name: str | None = None
) -> pl.LazyFrame:
    """Add where each row stands among all rows of the same `ts`.

    Parameters
    ----------
    frame
        Columns ts and `column`, in order of time over all symbols: ``.sort("ts")`` if symbols follow each
        other.
    column
        What is compared. Missing values, NaN and infinities are not compared and get NaN.
    measure
        ``rank``: 1 is the smallest, ties share the mean of their ranks; ``fraction``: (rank - 1/2) / n,
        between 0 and 1 and 1/2 in the middle; ``zscore``: (x - mean) / standard deviation (n - 1), NaN if all
        are equal; ``demeaned``: x - mean.
    name
        Of the new column; by default ``<column>_<measure>``.

    Returns
    -------
    LazyFrame with one more column, float64. Memory for the rows of one moment.

    Raises
    ------
    UsageError
        An unknown measure, or a name that is taken.
    DataError
        A column is missing; or, when collected, times that go back.
    """
    if measure not in get_args(Measure):
        raise UsageError("unknown measure", seen=measure, hint=", ".join(get_args(Measure)))
    schema = check_columns(frame, ("ts", column))
    made = f"{column}_{measure}" if name is None else name
    if made in schema:
        raise UsageError("the frame has this column", seen=made, hint="give another name=")
    compare = _MEASURES[measure]("grn value").over(_MOMENT).fill_null(float("nan")).alias(made)
    value = pl.col(column).cast(pl.Float64)
    keyed = frame.with_columns(
        utc_ns(schema).to_physical().alias(_MOMENT),
        pl.when(value.is_finite()).then(value).alias("grn value"),
    )
    wide = pl.Schema({**schema, made: pl.Float64()})
    return through(keyed, lambda: _Moments(compare), wide, made, column, measure)


def _rank(value: str) -> pl.Expr:
    return pl.col(value).rank("average").cast(pl.Float64)


def _fraction(value: str) -> pl.Expr:
    return (pl.col(value).rank("average").cast(pl.Float64) - 0.5) / pl.col(value).count()


def _demeaned(value: str) -> pl.Expr:
    return pl.col(value) - pl.col(value).mean()


def _zscore(value: str) -> pl.Expr:
    spread = pl.col(value).std(ddof=1)
    # Equal values can leave a spread that is rounding only: the smallest and the largest tell.
    differ = pl.col(value).max() > pl.col(value).min()
    return pl.when(differ).then((pl.col(value) - pl.col(value).mean()) / spread)


_MEASURES: Final[dict[Measure, Callable[[str], pl.Expr]]] = {
    "rank": _rank,
    "fraction": _fraction,
    "zscore": _zscore,
    "demeaned": _demeaned,
}


class _Moments:
    """Holds back the last moment of a batch: its other rows may come with the next one."""

    def __init__(self, compare: pl.Expr) -> None:
        self._compare = compare
        self._held: list[pl.DataFrame] = []
        self._last: int | None = None

    def take(self, rows: pl.DataFrame) -> pl.DataFrame | None:
        moments = rows[_MOMENT]
        if moments.null_count():
            raise DataError("a row has no time", seen="null", hint="drop such rows: .drop_nulls('ts')")
        ends = moments.diff().fill_null(0 if self._last is None else int(moments[0]) - self._last)
        if (ends < 0).any():
            at = int((ends < 0).arg_max() or 0)
            seen = stamp(int(moments[at]))
            raise DataError("time goes back", seen=seen, hint="sort over all symbols first: .sort('ts')")
        self._last = int(moments[-1])
        cut = int(moments.search_sorted(self._last, side="left"))
        if not cut and (not self._held or self._held[0][_MOMENT][0] == self._last):
            self._held.append(rows)
            return None
        whole = pl.concat([*self._held, rows[:cut]])
        self._held = [rows[cut:]]
        return self._finished(whole)

    def finish(self) -> pl.DataFrame | None:
        return self._finished(pl.concat(self._held)) if self._held else None

    def _finished(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(self._compare).drop(_MOMENT, "grn value")
