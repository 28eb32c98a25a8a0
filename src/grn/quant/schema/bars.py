"""The bars of one symbol."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError
from grn.kit.files import sha256_hex
from grn.quant.schema.stamps import stamp

NS_PER_YEAR: Final = 365.25 * 86_400 * 1e9
"""Nanoseconds in a Julian year: leap years averaged, so that a span has no seam in February."""

Scalar = TypeVar("Scalar", np.int64, np.float64)

_NAN_BITS: Final = np.float64("nan").view(np.int64)
_DIGEST_TAG: Final = b"grn.bars.1\0"


@dataclass(frozen=True, eq=False)
class Bars:
    """The bars of one symbol, immutable.

    Built by `grn.quant.schema.load_bars`, which checks the values; the constructor checks shapes and types
    only. Writeable arrays are copied, so nobody who holds the original can change the bars later.

    Parameters
    ----------
    symbol
        Name of the instrument. Not part of any digest: the same series under two names is the same data.
    ts_ns
        Shape (T,), int64: the label of each bar, nanoseconds since 1970-01-01 UTC, strictly increasing.
    columns
        Name to float64 array of shape (T,). Every NaN has the same bits.
    timezone
        Zone that the source's timestamps were in, None when they carried none. Labels are UTC either way.

    Raises
    ------
    DataError
        When a column's length differs from that of `ts_ns`, or an array is not one-dimensional.
    """

    symbol: str
    ts_ns: npt.NDArray[np.int64]
    columns: Mapping[str, npt.NDArray[np.float64]]
    timezone: str | None = None

    def __post_init__(self) -> None:
        ts_ns = np.asarray(self.ts_ns)
        if ts_ns.ndim != 1 or ts_ns.dtype != np.int64:
            raise DataError(
                f"the timestamps of {self.symbol!r} are not a one-dimensional int64 array",
                seen=f"{ts_ns.dtype}, shape {ts_ns.shape}",
                hint="pass nanoseconds since 1970 (UTC) as int64, or let load_bars read the source",
            )
        columns = {
            name: _frozen(np.asarray(values, dtype=np.float64)) for name, values in self.columns.items()
        }
        for name, values in columns.items():
            if values.shape != ts_ns.shape:
                raise DataError(
                    f"column {name!r} of {self.symbol!r} does not have one value per bar",
                    seen=f"shape {values.shape} beside {len(ts_ns)} timestamps",
                )
        object.__setattr__(self, "ts_ns", _frozen(ts_ns))
        object.__setattr__(self, "columns", MappingProxyType(columns))

    def __len__(self) -> int:
        return len(self.ts_ns)

    def __repr__(self) -> str:
        names = ", ".join(self.columns)
        if not len(self):
            return f"Bars({self.symbol!r}, no bars, columns: {names})"
        first, last = stamp(int(self.ts_ns[0])), stamp(int(self.ts_ns[-1]))
        return f"Bars({self.symbol!r}, {len(self)} bars from {first} to {last}, columns: {names})"

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy does not pickle, and worker processes need the bars.
        return type(self), (self.symbol, self.ts_ns, dict(self.columns), self.timezone)

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Return the column `name`, shape (T,), read-only.

        Raises
        ------
        DataError
            When the bars carry no such column.
        """
        try:
            return self.columns[name]
        except KeyError:
            raise DataError(
                f"the bars of {self.symbol!r} have no column {name!r}",
                hint=f"columns at hand: {', '.join(self.columns)}; name it in load_bars(source, needs=[...])",
            ) from None

    @cached_property
    def identity(self) -> str:
        """SHA-256 (hex) of timestamps and closes: runs that share it have their trials counted together.

        Only the close counts. The same history with one more column, or under another symbol, is the same
        data: a second look at it is a second trial.
        """
        return self.digest(("close",))

    def digest(self, names: Collection[str]) -> str:
        """Return the SHA-256 (hex) of the timestamps and the columns `names`.

        The order of `names` does not matter. Values enter as little-endian bytes, so that the digest is the
        same on every machine.

        Raises
        ------
        DataError
            When a name is not among the columns.
        """
        wanted = tuple(sorted(set(names)))
        if wanted not in self._digests:
            self._digests[wanted] = sha256_hex(_DIGEST_TAG, *self._chunks(wanted))
        return self._digests[wanted]

    @cached_property
    def _digests(self) -> dict[tuple[str, ...], str]:
        return {}

    def _chunks(self, names: Iterable[str]) -> Iterable[bytes | memoryview]:
        yield len(self).to_bytes(8, "little")
        yield self.ts_ns.astype("<i8", copy=False).data
        for name in names:
            encoded = name.encode()
            yield len(encoded).to_bytes(8, "little") + encoded
            yield self.column(name).astype("<f8", copy=False).data

    def head(self, n: int) -> Bars:
        """Return the first `n` bars (all of them when there are fewer), sharing memory with these.

        Raises
        ------
        DataError
            When `n` is less than one.
        """
        if n < 1:
            raise DataError("bars cannot be cut to less than one bar", seen=n)
        return Bars(
            symbol=self.symbol,
            ts_ns=self.ts_ns[:n],
            columns={name: values[:n] for name, values in self.columns.items()},
            timezone=self.timezone,
        )

    @property
    def span_years(self) -> float:
        """Time from the first label to the last, in years of 365.25 days; 0.0 for fewer than two bars."""
        return float(self.ts_ns[-1] - self.ts_ns[0]) / NS_PER_YEAR if len(self) > 1 else 0.0


def _frozen(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Return `values` contiguous, read-only, with one bit pattern for NaN; copied only where it has to be."""
    nan = np.isnan(values)
    # Slices of arrays frozen here come back as they are, whatever NaN they hold: `head` shares memory.
    odd_nan = bool(nan.any()) and bool((values[nan].view(np.int64) != _NAN_BITS).any())
    # A read-only view of an array that somebody can still write to is no frozen array.
    lent = isinstance(values.base, np.ndarray) and values.base.flags.writeable
    if values.flags.c_contiguous and not values.flags.writeable and not odd_nan and not lent:
        return values
    values = values.copy(order="C")
    if odd_nan:
        values[nan] = np.nan
    values.flags.writeable = False
    return values
