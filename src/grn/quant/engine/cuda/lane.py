"""One stream of a card: copies in, the kernel, copies out, queued behind each other and waited for once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from grn.quant.engine.cuda.cards import Card, CuPy
from grn.quant.engine.cuda.prelude import THREADS, Real
from grn.quant.engine.cuda.tables import Batch, Tables, dtype_of


class Lane:
    """A stream of one card with its buffers: one batch at a time."""

    def __init__(
        self,
        cupy: CuPy,
        card: Card,
        kernel: Any,
        shared: tuple[Any, ...],
        rows: int,
        widths: tuple[int, int, int],
        real: Real,
    ) -> None:
        self.card, self.rows = card, rows
        self.batch: Batch | None = None
        self._cupy, self._kernel, self._shared = cupy, kernel, shared
        self._real = dtype_of(real)
        self._width = widths[2]
        leaves, params, sums = (max(1, width) * rows for width in widths)
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._places = Buffer(cupy, leaves, np.dtype(np.int32))
        self._params = Buffer(cupy, params, self._real)
        self._sums = Buffer(cupy, sums, self._real)

    def start(self, batch: Batch) -> None:
        """Queue the copies of a batch and its launch; nothing is waited for."""
        self.batch = batch
        series, market, form, terms, initial, n_series, n_bars = self._shared
        count = len(batch)
        with self._cupy.cuda.Device(self.card.number), self._stream:
            places = self._places.fill(batch.places, self._stream)
            params = self._params.fill(batch.params, self._stream)
            self._kernel(
                (-(-count // THREADS),),
                (THREADS,),
                (series, n_series, market, n_bars, places, params, np.int64(count), form, terms, initial,
                 self._sums.device),
            )  # fmt: skip
            self._sums.fetch(self._width * count, self._stream)

    def is_done(self) -> bool:
        """Whether everything queued has been carried out."""
        return bool(self._stream.done)

    def finish(self) -> tuple[Batch, npt.NDArray[Any]]:
        """Wait for the batch: the batch, and its sums [accumulators, combinations]."""
        batch = self.batch
        assert batch is not None
        self._stream.synchronize()
        self.batch = None
        return batch, self._sums.host[: self._width * len(batch)].reshape(self._width, len(batch))


class Buffer:
    """Memory of a card, and as much of the host's, which copies without waiting need pinned."""

    def __init__(self, cupy: CuPy, length: int, dtype: np.dtype[Any]) -> None:
        self.device = cupy.empty(length, dtype=dtype)
        pinned = cupy.cuda.alloc_pinned_memory(length * dtype.itemsize)
        self.host: npt.NDArray[Any] = np.frombuffer(pinned, dtype, length)

    def fill(self, values: npt.NDArray[Any], stream: Any) -> Any:
        """Copy to the card; returns the part of its memory that was filled."""
        flat = self.host[: values.size]
        flat[:] = values.ravel()
        part = self.device[: values.size]
        part.set(flat, stream=stream)
        return part

    def fetch(self, length: int, stream: Any) -> None:
        """Copy from the card."""
        self.device[:length].get(stream=stream, out=self.host[:length], blocking=False)


def put_tables(cupy: CuPy, tables: Tables) -> tuple[Any, ...]:
    """What all combinations share, on the current card, with the numbers that a launch passes beside it."""
    arrays = []
    for array in (tables.series, tables.market, tables.form, tables.terms):
        there = cupy.empty(array.size, dtype=array.dtype)
        there.set(array.ravel())
        arrays.append(there)
    sizes = np.int64(tables.series.shape[1]), np.int64(tables.market.shape[1])
    return (*arrays, tables.series.dtype.type(tables.initial), *sizes)
