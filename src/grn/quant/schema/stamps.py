"""Timestamps: whatever a source writes, as nanoseconds UTC.

The rules, in one place:

- Date and Datetime (any unit) are taken as they are; text must be ISO 8601, ``2020-01-31`` or
  ``2020-01-31T15:30:00`` with an optional fraction and an optional ``Z`` or ``+01:00``.
- A timestamp without a time zone is UTC. Nothing is assumed about the exchange.
- One source, one zone. Text with two different offsets is refused even though each instant is known: it may
  be one exchange's summer and winter or two sources pasted together, and text cannot tell which.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_ISO: Final = (
    r"^(?<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?<time>\d{2}:\d{2})(?::(?<seconds>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?"
    r"\s?(?:(?<utc>[Zz])|(?<sign>[+-])(?<hours>\d{2})(?::?(?<minutes>\d{2}))?)?)?$"
)
_LOWEST_NS: Final = -(2**63) + 1  # the most negative int64 stands for "not a time" in NumPy
_PER_SECOND: Final = {"ms": 10**3, "us": 10**6, "ns": 10**9}


def stamp(ts_ns: int) -> str:
    """Write a timestamp in ISO form, as short as it can be without losing anything."""
    text = str(np.datetime64(ts_ns, "ns"))
    return text.removesuffix("T00:00:00.000000000").removesuffix(".000000000")


def read_stamps(column: pl.Series) -> tuple[npt.NDArray[np.int64], str | None]:
    """Read a timestamp column.

    Returns
    -------
    ts_ns
        Shape (N,), int64, nanoseconds since 1970-01-01 UTC.
    timezone
        The column's zone; "UTC" for text with an offset, None where there was none.

    Raises
    ------
    DataError
        For a missing timestamp, text that is not ISO 8601, mixed zones, a number, or a time outside the years
        that nanoseconds in 64 bits reach (1677 to 2262). Row and value are named.
    """
    import polars as pl

    missing = column.null_count()
    if missing:
        row = int(column.is_null().arg_max() or 0)
        raise DataError(
            f"ts is missing in row {row} ({missing} in all)",
            seen="null",
            hint="every bar needs its time: drop such rows",
        )
    if column.dtype == pl.String:
        return _read_text(column)
    if column.dtype == pl.Date:
        return _to_ns(column.cast(pl.Datetime("ms")), column), None
    if isinstance(column.dtype, pl.Datetime):
        return _to_ns(column, column), column.dtype.time_zone
    raise DataError(
        f"ts has type {column.dtype}: row 0 is no date or time",
        seen=column[0],
        hint=_hint_for_number(column[0], "'ts'")
        if column.dtype.is_integer()
        else "give Date, Datetime or text in ISO 8601, such as 2020-01-31T15:30:00Z",
    )


def _hint_for_number(number: int, column: str) -> str:
    """Say how to read a timestamp that is a number; `column` is the column in Polars, as an integer."""
    digits = len(str(abs(number)))
    if digits == 8:  # 20240131; as seconds it would lie in 1970
        return "a date? parse it: .with_columns(pl.col('ts').cast(pl.String).str.to_date('%Y%m%d'))"
    # Of the years 2001 to 2286 the count of digits tells the unit.
    unit = next((u for u, most in (("s", 11), ("ms", 14), ("us", 17)) if digits <= most), "ns")
    return f"a count since 1970? say its unit: .with_columns(pl.from_epoch({column}, time_unit={unit!r}))"


def _to_ns(column: pl.Series, shown: pl.Series) -> npt.NDArray[np.int64]:
    """Widen a Datetime column to nanoseconds, or refuse. `shown` is what the error quotes."""
    import polars as pl

    assert isinstance(column.dtype, pl.Datetime)
    scale = 10**9 // _PER_SECOND[column.dtype.time_unit]
    ticks = column.to_physical().to_numpy()
    outside = (ticks < _LOWEST_NS // scale + 1) | (ticks > (2**63 - 1) // scale)
    if scale > 1 and outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"ts in row {row} lies outside the years 1677 to 2262",
            seen=str(shown[row]),
            hint="times are nanoseconds in 64 bits: drop placeholders such as 9999-12-31",
        )
    return np.asarray(ticks * scale, dtype=np.int64)


def _read_text(column: pl.Series) -> tuple[npt.NDArray[np.int64], str | None]:
    import polars as pl

    parts = column.str.strip_chars().str.extract_groups(_ISO).struct.unnest()
    # What a row leaves out is filled in, and the fraction read apart, so that one format fits every row.
    whole = pl.format(
        "{}T{}:{}", "date", *(pl.col(n).fill_null(v) for n, v in (("time", "00:00"), ("seconds", "00")))
    )
    fields = parts.select(
        whole=whole.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ms", strict=False),
        fraction_ns=pl.col("fraction").fill_null("0").str.pad_end(9, "0").cast(pl.Int64),
        offset_min=pl.when(pl.col("sign") == "-").then(-1).otherwise(1)
        * (pl.col("hours").cast(pl.Int64) * 60 + pl.col("minutes").fill_null("0").cast(pl.Int64)),
        zoned=pl.col("utc").is_not_null() | pl.col("sign").is_not_null(),
    )
    unread = fields["whole"].is_null()
    if unread.any():
        row = int(unread.arg_max() or 0)
        text = column[row].strip()
        raise DataError(
            f"ts in row {row} is not an ISO 8601 date or time",
            seen=column[row],
            hint=_hint_for_number(int(text), "pl.col('ts').cast(pl.Int64)")
            if re.fullmatch(r"[+-]?[0-9]{1,19}", text)
            else "write 2020-01-31 or 2020-01-31T15:30:00Z, or parse it first, e.g. .str.to_date('%m/%d/%Y')",
        )
    offset_min = fields["offset_min"].fill_null(0).to_numpy()
    zoned = fields["zoned"].to_numpy()
    _refuse_mixed(column, zoned, offset_min)
    ticks = _to_ns(fields["whole"], column) + fields["fraction_ns"].to_numpy()
    return np.asarray(ticks - offset_min * 60 * 10**9, dtype=np.int64), "UTC" if zoned[0] else None


def _refuse_mixed(column: pl.Series, zoned: npt.NDArray[np.bool_], offset_min: npt.NDArray[np.int64]) -> None:
    other = (zoned != zoned[0]) | (offset_min != offset_min[0])
    if not other.any():
        return
    row = int(np.argmax(other))
    raise DataError(
        f"mixed time zones: ts in row {row} is not in the zone of row 0 ({column[0]})",
        seen=column[row],
        hint="write all timestamps in UTC; local times whose offset changes with daylight saving need it too",
    )
