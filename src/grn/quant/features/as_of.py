"""Joining what was known at a moment: the last row of the other frame, and nothing later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from grn.kit.errors import DataError, UsageError
from grn.quant.features.stream import BATCH_ROWS, batches, from_batches
from grn.quant.features.trades import check_columns, utc_ns
from grn.quant.schema.stamps import stamp

_MOMENT: Final = "grn moment"


def join_as_of(
    left: pl.LazyFrame,
    right: pl.LazyFrame,
    *,
    on: str = "ts",
    known: str = "known_ts",
    by: Sequence[str] = ("symbol",),
    strict: bool = True,
    max_age: dt.timedelta | None = None,
    suffix: str = "_right",
) -> pl.LazyFrame:
    """Add to each row of `left` the last row of `right` that was known by then.

    Both frames are read once, side by side, in order of time over all symbols; memory is one batch of each
    and the last row of each key. Polars' own ``join_asof`` gives the same rows and holds both frames.

    Parameters
    ----------
    left, right
        Frames in order of `on` and of `known`: ``.sort("ts")`` if symbols follow each other.
    on
        Time of the rows of `left`.
    known
        Time from which a row of `right` is known. For bars that is ``known_ts``: their label `ts` is the
        start of the window, and joining on it would look ahead.
    by
        Columns that must be equal, of the same type in both; empty joins everything with everything.
    strict
        Take only what was known before the moment, not at it: events of one time stamp have no order between
        two feeds. Among rows of `right` with equal times the last one counts.
    max_age
        How old a row of `right` may be; None is any age.
    suffix
        For columns of `right` whose names `left` has too.

    Returns
    -------
    LazyFrame with the rows of `left`, in their order, and the columns of `right` other than `by`; null where
    nothing was known.

    Raises
    ------
    DataError
        A column is missing or of two types; or, when collected, times that go back or are missing.
    UsageError
        `max_age` is negative.
    """
    if max_age is not None and max_age < dt.timedelta(0):
        raise UsageError("max_age must not be negative", seen=max_age)
    keys = list(by)
    mine, other = check_columns(left, (on, *keys)), check_columns(right, (known, *keys))
    for key in keys:
        if mine[key] != other[key]:
            raise DataError(
                f"column {key!r} has two types", seen=f"{mine[key]} and {other[key]}", hint="cast one of them"
            )
    names = {name: name + suffix if name in mine else name for name in other if name not in keys}
    schema = pl.Schema({**mine, **{names[name]: other[name] for name in names}})
    if len(schema) != len(mine) + len(names):
        raise UsageError("column names collide", seen=suffix, hint="give another suffix=")
    lefts = left.with_columns(utc_ns(mine, on).to_physical().alias(_MOMENT))
    rights = right.select(
        *(pl.col(key) for key in keys),
        *(pl.col(name).alias(new) for name, new in names.items()),
        utc_ns(other, known).to_physical().alias(_MOMENT),
    )
    age_ns = None if max_age is None else (max_age // dt.timedelta(microseconds=1)) * 1_000

    def run() -> Iterator[pl.DataFrame]:
        feed = _Feed(rights, keys)
        last: int | None = None
        for rows in batches(lefts, BATCH_ROWS):
            last = _check_order(rows, last, "left")
            seen = feed.between(int(rows[_MOMENT][0]), last)
            made = rows.join_asof(
                seen,
                on=_MOMENT,
                by=keys or None,
                strategy="backward",
                tolerance=age_ns,
                allow_exact_matches=not strict,
                check_sortedness=False,
            )
            yield made.select(schema.names())

    return from_batches(run, schema, "join as of", (*keys, strict, age_ns), lefts, rights)


class _Feed:
    """The rows of the right frame that may still matter."""

    def __init__(self, frame: pl.LazyFrame, keys: list[str]) -> None:
        self._batches = batches(frame, BATCH_ROWS)
        self._keys = keys
        self._rows = frame.clear().collect()
        self._last: int | None = None
        self._ended = False

    def between(self, first: int, last: int) -> pl.DataFrame:
        """Return all rows that rows of the left frame from `first` to `last` may be joined with."""
        held = [self._newest(self._rows, first)]
        waiting = 0
        while not self._ended and (self._last is None or self._last <= last):
            rows = next(self._batches, None)
            if rows is None:
                self._ended = True
                break
            if rows.height:
                self._last = _check_order(rows, self._last, "right")
                held.append(rows)
                waiting += rows.height
            if waiting > BATCH_ROWS:
                # The right frame may begin long before the left one.
                held, waiting = [self._newest(pl.concat(held), first)], 0
        self._rows = pl.concat(held)
        return self._rows

    def _newest(self, rows: pl.DataFrame, first: int) -> pl.DataFrame:
        """Of the rows before `first` keep the last of each key: nothing to come can be joined with others."""
        past = int(rows[_MOMENT].search_sorted(first, side="left"))
        if past < BATCH_ROWS:
            return rows
        old = rows[:past]
        kept = old.unique(self._keys, keep="last", maintain_order=True) if self._keys else old.tail(1)
        return pl.concat([kept, rows[past:]])


def _check_order(rows: pl.DataFrame, last: int | None, side: str) -> int:
    moments = rows[_MOMENT]
    if moments.null_count():
        raise DataError(f"the {side} frame has a row without a time", seen="null", hint=".drop_nulls()")
    steps = moments.diff().fill_null(0 if last is None else int(moments[0]) - last)
    if (steps < 0).any():
        seen = stamp(int(moments[int((steps < 0).arg_max() or 0)]))
        hint = "sort over all symbols first, e.g. .sort('ts', maintain_order=True)"
        raise DataError(f"time goes back in the {side} frame", seen=seen, hint=hint)
    return int(moments[-1])
