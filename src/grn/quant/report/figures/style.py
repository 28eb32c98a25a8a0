"""How figures look: one layout, one set of axes, and thinning of long series."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from grn.quant.report.palette import LIGHT as C

Array = npt.NDArray[np.float64]

FONT: Final = '"Inter", "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif'
MOST_POINTS: Final = 6_000
"""Points that a line keeps: several per pixel of a wide screen, and 23 years of daily bars whole."""


def new_figure(title: str, *, height: int, **layout: Any) -> go.Figure:
    """An empty figure in the house's style."""
    figure = go.Figure(layout={"template": go.layout.Template()})
    figure.update_layout(
        title={"text": title, "x": 0.0, "xref": "paper", "font": {"size": 16, "color": C["ink"]}},
        font={"family": FONT, "size": 13, "color": C["muted"]},
        paper_bgcolor=C["paper"],
        plot_bgcolor=C["paper"],
        height=height,
        margin={"l": 56, "r": 16, "t": 52, "b": 40},
        hoverlabel={
            "bgcolor": C["paper"], "bordercolor": C["grey"], "align": "left",
            "font": {"family": FONT, "size": 13, "color": C["ink"]},
        },
        showlegend=False,
        # A click on a legend's entry hides a line, and nothing says so: not on a page that is read.
        legend={
            "orientation": "h", "x": 0.0, "y": 1.0, "xanchor": "left", "yanchor": "bottom",
            "itemclick": False, "itemdoubleclick": False,
            "bgcolor": C["paper"], "font": {"size": 13, "color": C["ink"]},
        },
    )  # fmt: skip
    figure.update_layout(**layout)
    return figure


def axis(name: str = "", **further: Any) -> dict[str, Any]:
    """An axis: its name, a quiet grid, no zero line, muted labels."""
    title = (
        {"title": {"text": name, "standoff": 10, "font": {"size": 13, "color": C["muted"]}}} if name else {}
    )
    return {
        "gridcolor": C["grid"], "linecolor": C["grey-soft"], "tickcolor": C["grey-soft"], "zeroline": False,
        "tickfont": {"color": C["muted"]}, "automargin": True, "showline": False, **title, **further,
    }  # fmt: skip


def time_axis(**further: Any) -> dict[str, Any]:
    """The axis of time.

    Labels by year, month and day adapt to the zoom.
    """
    return axis(type="date", showgrid=False, showline=True, ticks="outside", ticklen=4, **further)


def safe(text: str) -> str:
    """User's text for a figure, whose labels read a kind of HTML."""
    return escape(text)


def milliseconds(ts_ns: npt.NDArray[np.int64]) -> Array:
    """Timestamps as Plotly takes them: milliseconds since 1970 UTC, float64 [T]."""
    return ts_ns.astype(np.float64) / 1e6


def thin(lines: Sequence[Array], most: int = MOST_POINTS) -> npt.NDArray[np.int64]:
    """Choose which points of long lines to draw: int64 indices, ascending, at most `most`.

    The points fall into equal buckets; of each, the lowest and the highest point of every line stay, and so
    do the first and the last of all. What a line looks like at a bucket per pixel does not change, and lines
    that share an axis share their points.

    Parameters
    ----------
    lines : float64 [T] each; NaN never is an extreme unless a bucket holds nothing else.
    most : points to keep.
    """
    n = len(lines[0])
    if n <= most:
        return np.arange(n, dtype=np.int64)
    buckets = max(1, (most - 2) // (2 * len(lines)))
    edges = np.linspace(0, n, buckets + 1).astype(np.int64)
    kept = [np.array([0, n - 1], dtype=np.int64)]
    for line in lines:
        low, high = np.where(np.isnan(line), np.inf, line), np.where(np.isnan(line), -np.inf, line)
        for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            kept.append(
                np.array([a + int(np.argmin(low[a:b])), a + int(np.argmax(high[a:b]))], dtype=np.int64)
            )
    return np.unique(np.concatenate(kept))
