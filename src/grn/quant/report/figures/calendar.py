"""Monthly returns as a map of years and months, for notebooks; the report prints the same as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from grn.quant.report.figures.style import axis, new_figure, safe
from grn.quant.report.months import by_month
from grn.quant.report.palette import LIGHT as C

if TYPE_CHECKING:
    from grn.quant.result import SweepResult

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

DIVERGING: Final = [
    [0.0, C["low"]], [0.25, C["low-mid"]], [0.5, C["mid"]], [0.75, C["high-mid"]], [1.0, C["high"]],
]  # fmt: skip
"""Orange below zero, blue above, the paper's grey at zero."""


def monthly(result: SweepResult, row: int) -> go.Figure:
    """Returns of a row by month, the latest year at the bottom."""
    path = result.path(row)
    found = by_month(path.ts_ns, path.returns)
    reach = float(np.nanmax(np.abs(found.months))) if not np.isnan(found.months).all() else 0.0
    figure = new_figure(f"Monthly returns of {safe(result.label(row))}", height=110 + 24 * len(found.years))
    figure.add_heatmap(
        x=list(MONTHS), y=[str(y) for y in found.years.tolist()], z=found.months, colorscale=DIVERGING,
        zmid=0.0, zmin=-(reach or 1.0), zmax=reach or 1.0, xgap=2, ygap=2, hoverongaps=False,
        colorbar={"tickformat": ",.0%", "thickness": 10, "outlinewidth": 0},
        hovertemplate="%{x} %{y}: %{z:.1%}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        xaxis=axis(type="category", side="top", showgrid=False),
        yaxis=axis(type="category", autorange="reversed", showgrid=False),
    )
    return figure
