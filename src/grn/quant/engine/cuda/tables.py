"""What a kernel reads and writes, laid out for a card (see `prelude`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.quant.engine.cuda.prelude import Real
from grn.quant.engine.market import build_market
from grn.quant.engine.plan import Grid, Layout, Plan, build_table
from grn.quant.engine.terms import write_terms
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Tables:
    """What all combinations of a symbol share.

    Attributes
    ----------
    series
        [pad + T, rows]: every series once, one bar's values side by side.
    market
        [10, T]: the columns of `engine.market`.
    form, terms
        Form and rules as numbers.
    initial
        Initial cash.
    """

    series: Floats
    market: Floats
    form: Floats
    terms: Floats
    initial: float

    @property
    def n_bytes(self) -> int:
        """Memory of the arrays."""
        return self.series.nbytes + self.market.nbytes + self.form.nbytes + self.terms.nbytes


@dataclass(frozen=True)
class Batch:
    """A range of combinations, and what they read.

    Attributes
    ----------
    first, last
        The half-open range.
    places
        int32 [leaves, last - first]: row of the table per leaf and combination.
    params
        [parameters, last - first].
    """

    first: int
    last: int
    places: npt.NDArray[np.int32]
    params: Floats

    def __len__(self) -> int:
        return self.last - self.first


def dtype_of(real: Real) -> np.dtype[Any]:
    """The array type of a C++ type; NumPy's own ``float`` is a double."""
    return np.dtype(np.float32 if real == "float" else np.float64)


def build_tables(plan: Plan, layout: Layout, bars: Bars, rules: Rules, real: Real = "double") -> Tables:
    """Compute every series of a symbol once, as the cpu engine does, and lay it out for a card."""
    return Tables(
        series=np.ascontiguousarray(build_table(plan, layout, bars).T, dtype=dtype_of(real)),
        market=np.array(build_market(bars, rules), dtype=dtype_of(real)),
        form=np.array(plan.form.numbers, dtype=dtype_of(real)),
        terms=np.array(write_terms(rules), dtype=dtype_of(real)),
        initial=rules.cash,
    )


def cut_batch(grid: Grid, layout: Layout, first: int, last: int, real: Real = "double") -> Batch:
    """The combinations from `first` up to `last`."""
    return Batch(
        first,
        last,
        np.ascontiguousarray(layout.rows[first:last].T),
        np.ascontiguousarray(grid.values[first:last].T, dtype=dtype_of(real)),
    )


def count_sums(groups: Sequence[str], real: Real) -> int:
    """Rows that a kernel writes: the accumulators, and in float32 whether a decision is in doubt."""
    return len(accumulator_names(groups)) + (real == "float")


def row_bytes(layout: Layout, grid: Grid, groups: Sequence[str], real: Real = "double") -> int:
    """Memory that one combination takes on a card."""
    sums = count_sums(groups, real)
    width = int(dtype_of(real).itemsize)
    return 4 * int(layout.rows.shape[1]) + width * (len(grid.params) + sums)
