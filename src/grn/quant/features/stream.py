"""One pass over a lazy frame, batch by batch, as a lazy frame again.

Polars runs filters, projections and aggregations in its streaming engine.  What depends on the rows before (a
bar that is being filled, a window, the last known quote) it either cannot express or computes with whole
groups in memory.  Here such a computation is a stage: it is handed batches in order and keeps its own small
state, so memory does not grow with the data, and values do not depend on where batches end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import polars as pl
from polars.io.plugins import register_io_source

from grn.kit.files import sha256_hex

BATCH_ROWS: Final = 262_144
"""Rows at once where each batch has a cost of its own, such as the table of keys of a join."""

STAGE_ROWS: int | None = None
"""Rows that a stage is handed at once; None takes the engine's own pieces, whose columns need no copy.
Values do not depend on it: tests set it to a few rows."""


class Stage(Protocol):
    """A computation over rows in order.  A new one is made for every collection of the lazy frame."""

    def take(self, rows: pl.DataFrame) -> pl.DataFrame | None:
        """Take the next rows and give what is certain now."""
        ...

    def finish(self) -> pl.DataFrame | None:
        """Give what is left when there are no more rows."""
        ...


def through(
    frame: pl.LazyFrame, start: Callable[[], Stage], schema: pl.Schema, name: str, *settings: object
) -> pl.LazyFrame:
    """Return the lazy frame of what a stage makes of `frame`.

    Parameters
    ----------
    frame
        The rows, in their order; columns that the stage does not need should be dropped from it.
    start
        Makes the stage.
    schema
        Columns of the result.
    name, settings
        What the query plan calls it, and everything that its values depend on beside the rows.
    """

    def run() -> Iterator[pl.DataFrame]:
        stage = start()
        for rows in batches(frame, STAGE_ROWS):
            made = stage.take(rows)
            if made is not None and made.height:
                yield made
        made = stage.finish()
        if made is not None and made.height:
            yield made

    return from_batches(run, schema, name, settings, frame)


def from_batches(
    run: Callable[[], Iterator[pl.DataFrame]],
    schema: pl.Schema,
    name: str,
    settings: tuple[object, ...],
    *inputs: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return a lazy frame whose rows come from a generator, begun anew at every collection.

    The plan names the settings and a digest of the plans of its inputs: two plans that read the same are the
    same computation, which a cache relies on.
    """
    below = sha256_hex(*(frame.explain(optimized=False).encode() for frame in inputs))[:12]
    detail = f"{', '.join(map(repr, settings))} on {below}"

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for rows in run():
            # Polars pushes a limit down together with a predicate only when the limit comes first.
            if left is not None:
                rows = rows.head(left)
                left -= rows.height
            if predicate is not None:
                rows = rows.filter(predicate)
            yield rows if with_columns is None else rows.select(with_columns)
            if left == 0:
                return

    return register_io_source(source, schema=schema, is_pure=True, explain_name=name, explain_detail=detail)


def batches(frame: pl.LazyFrame, rows: int | None = None) -> Iterator[pl.DataFrame]:
    """Collect a lazy frame in the streaming engine and hand it on in order, in batches of `rows`."""
    yield from frame.collect_batches(chunk_size=rows, maintain_order=True, engine="streaming")
