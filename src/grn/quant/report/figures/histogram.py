"""Histograms: edges at round numbers, and bars of which some are orange."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from grn.quant.report.figures.style import Array
from grn.quant.report.palette import LIGHT as C


def cut(values: Array, *, breaks: float) -> Array:
    """Edges of a histogram: a round width near half of Freedman and Diaconis' (1981), an edge at `breaks`.

    The edge keeps values on both sides of it out of one bar; NaN asks for none.
    """
    low, high = float(values.min()), float(values.max())
    quartiles = np.percentile(values, [25, 75])
    width = float(quartiles[1] - quartiles[0]) / len(values) ** (1 / 3)
    width = max(width, (high - low) / 80, 1e-9 * max(1.0, abs(high)))
    if not high > low:
        width = 0.05
    step = 10.0 ** math.floor(math.log10(width))
    width = step * next(k for k in (1.0, 2.0, 2.5, 5.0, 10.0) if k * step >= width * 0.999)
    origin = breaks if math.isfinite(breaks) and low <= breaks <= high else math.floor(low / width) * width
    first = origin - width * math.ceil((origin - low) / width - 1e-9)
    number = math.floor((high - first) / width + 1e-9) + 1
    edges: Array = origin + width * (
        np.arange(number + 1, dtype=np.float64) + round((first - origin) / width)
    )
    # Rounding must not push the extremes over the outermost edges.
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges


def add_bars(
    figure: go.Figure,
    edges: Array,
    numbers: npt.NDArray[np.int64],
    reached: npt.NDArray[np.bool_],
    hover: str,
) -> None:
    """Draw numbers between edges, those `reached` in orange; `hover` may name %{y} and %{customdata}."""
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2.0,
        y=numbers.astype(np.float64),
        width=np.diff(edges) * 0.94,
        marker={"color": [C["warm"] if r else C["grey-soft"] for r in reached], "line": {"width": 0}},
        customdata=[
            f"{a:.2f} to {b:.2f}" for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        ],
        hovertemplate=hover,
    )
