"""A metric over the parameters, and the same parameters on another symbol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from grn.kit.errors import UsageError
from grn.quant.metrics.registry import METRICS
from grn.quant.report.figures.calendar import DIVERGING
from grn.quant.report.figures.style import Array, axis, new_figure, safe
from grn.quant.report.landscape import Landscape, colour_reach, survey
from grn.quant.report.palette import LIGHT as C
from grn.quant.report.subject import best_row

if TYPE_CHECKING:
    from grn.quant.result import SweepResult

MOST_DOTS: Final = 2_500
"""Combinations in a scatter: evenly chosen ones beyond that."""


def heatmap(
    result: SweepResult, metric: str = "sharpe", symbol: str | None = None, *, row: int | None = None
) -> go.Figure:
    """A metric over the first two parameters that vary (a line for one), the others held at a row's values.

    Parameters
    ----------
    metric : a metric of the sweep.
    symbol : which symbol; default that of the row.
    row : row to mark; default the best Sharpe ratio.

    Raises
    ------
    UsageError : unknown metric or symbol, or no parameter varies.
    """
    row = best_row(result) if row is None else row
    names = [b.symbol for b in result.bars]
    if symbol is not None and symbol not in names:
        raise UsageError("no such symbol in this result", seen=symbol, hint=", ".join(names))
    market = row // len(result.grid) if symbol is None else names.index(symbol)
    found = survey(result, metric, market=market, row=row)
    return draw_landscape(found, reach=colour_reach([found]))


def draw_landscape(found: Landscape, *, reach: float) -> go.Figure:
    """Draw a map with colours from ``-reach`` to ``reach``, or the line of a single parameter."""
    meant = METRICS[found.metric]
    form = ",.1%" if meant.unit == "percent" else ",.2f" if meant.unit == "ratio" else ",.0f"
    fixed = ", ".join(f"{k} = {v:g}" for k, v in found.fixed.items())
    title = f"{meant.label} on {safe(found.symbol)}" + (f" ({safe(fixed)})" if fixed else "")
    if len(found.axes) == 1:
        return _line(found, title, meant.label, form)
    figure = new_figure(title, height=440, hovermode="closest")
    (x, x_type, x_here), (y, y_type, y_here) = (
        _ticks(values, here) for values, here in zip(found.axes, found.here, strict=True)
    )
    figure.add_heatmap(
        x=x, y=y, z=found.z, colorscale=DIVERGING, zmid=0.0, zmin=-reach, zmax=reach, hoverongaps=False,
        colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": form, "nticks": 6, "len": 1.0, "xpad": 8,
                  "tickfont": {"color": C["muted"]}},
        hovertemplate=f"{safe(found.names[0])} %{{x}}, {safe(found.names[1])} %{{y}}<br>"
                      f"{meant.label} %{{z:{form}}}<extra></extra>",
    )  # fmt: skip
    _ring(figure, x_here, y_here, "This setting")
    figure.update_layout(
        xaxis=axis(safe(found.names[0]), type=x_type, showgrid=False, nticks=12),
        yaxis=axis(safe(found.names[1]), type=y_type, showgrid=False, nticks=10),
        margin={"r": 8},
    )
    return figure


def scatter(result: SweepResult, row: int | None = None, *, other: str | None = None) -> go.Figure:
    """Sharpe ratio of every combination on the row's symbol against another symbol.

    Parameters
    ----------
    row : row to mark; default the best Sharpe ratio.
    other : the other symbol; default the mean of all others.

    Raises
    ------
    UsageError : the sweep has one symbol, or not this one.
    """
    row = best_row(result) if row is None else row
    size = len(result.grid)
    market, combination = row // size, row % size
    names = [b.symbol for b in result.bars]
    if len(names) < 2 or (other is not None and other not in names):
        raise UsageError("no other symbol to compare with", seen=other, hint=", ".join(names))
    year = math.sqrt(result.ppy)
    x = result.trial_sharpes[market] * year
    y = elsewhere(result, market) * year if other is None else result.trial_sharpes[names.index(other)] * year
    against = other or (names[1 - market] if len(names) == 2 else f"mean of {len(names) - 1} others")
    keep = np.unique(np.linspace(0, size - 1, min(size, MOST_DOTS)).astype(np.int64))
    figure = new_figure(f"{safe(names[market])} against {safe(against)}", height=440, hovermode="closest")
    figure.add_scatter(
        x=x[keep], y=y[keep], mode="markers", name="Combination",
        marker={"size": 4, "color": C["grey"], "opacity": 0.45},
        text=[safe(" ".join(f"{k}={v:g}" for k, v in result.grid.binding(i).items())) for i in keep.tolist()],
        hovertemplate="%{text}<br>%{x:.2f} and %{y:.2f}<extra></extra>",
    )  # fmt: skip
    _ring(figure, float(x[combination]), float(y[combination]), "This setting")
    figure.update_layout(
        xaxis=axis(f"Sharpe ratio on {safe(names[market])}", zeroline=True,
                   zerolinecolor=C["grey-soft"]),
        yaxis=axis(f"Sharpe ratio on {safe(against)}", zeroline=True,
                   zerolinecolor=C["grey-soft"]),
    )  # fmt: skip
    return figure


def elsewhere(result: SweepResult, market: int) -> Array:
    """Mean Sharpe ratio per period of each combination on the other symbols: float64 [C]; NaN if any is."""
    others = [s for k, s in enumerate(result.trial_sharpes) if k != market]
    mean: Array = np.stack(others).mean(axis=0)
    return mean


def _line(found: Landscape, title: str, label: str, form: str) -> go.Figure:
    figure = new_figure(title, height=340, hovermode="closest")
    x, x_type, here = _ticks(found.axes[0], found.here[0])
    figure.add_scatter(
        x=x, y=found.z, mode="lines+markers", line={"color": C["grey"], "width": 1.4},
        marker={"size": 5, "color": C["grey"]},
        hovertemplate=f"{safe(found.names[0])} %{{x}}<br>{label} %{{y:{form}}}<extra></extra>",
    )  # fmt: skip
    _ring(figure, here, found.value, "This setting")
    figure.update_layout(
        xaxis=axis(safe(found.names[0]), type=x_type, showgrid=False, showline=True),
        yaxis=axis(label, tickformat=form),
    )
    return figure


def _ring(figure: go.Figure, x: float | str, y: float | str, name: str) -> None:
    # A dark ring in a light one: seen on every colour of the map.
    for size, width, colour in ((17, 5, C["paper"]), (17, 2.5, C["ink"])):
        figure.add_scatter(
            x=[x], y=[y], mode="markers", name=name, hoverinfo="skip",
            marker={"symbol": "circle-open", "size": size, "color": colour,
                    "line": {"width": width, "color": colour}},
        )  # fmt: skip


def _ticks(values: Array, here: float) -> tuple[Array | list[str], str, float | str]:
    """Numbers where they are evenly spaced, names where they are not; and the row's own place among them."""
    gaps = np.diff(values)
    if len(gaps) and float(gaps.max() - gaps.min()) <= 1e-9 * max(1.0, float(np.abs(values).max())):
        return values, "linear", here
    names = [f"{v:g}" for v in values.tolist()]
    return names, "category", names[int(np.argmin(np.abs(values - here)))]
