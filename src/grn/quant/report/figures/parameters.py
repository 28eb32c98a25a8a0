"""A metric over the parameters, and the same parameters on another symbol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go

from grn.kit.errors import UsageError
from grn.quant.metrics.registry import METRICS
from grn.quant.report.figures.calendar import DIVERGING
from grn.quant.report.figures.style import Array, axis, new_figure, safe
from grn.quant.report.landscape import Landscape, colour_reach, survey
from grn.quant.report.palette import LIGHT as C

if TYPE_CHECKING:
    from grn.quant.result import SweepResult

MOST_DOTS: Final = 2_500
"""Settings in a scatter: evenly chosen ones beyond that."""
MOST_TICKS: Final = 12
"""Values named on an axis."""


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
    row = result.winner if row is None else row
    names = list(result.accounts)
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
    (x, x_axis, x_here), (y, y_axis, y_here) = (_scale(found, k) for k in (0, 1))
    figure.add_heatmap(
        x=x, y=y, z=found.z, colorscale=DIVERGING, zmid=0.0, zmin=-reach, zmax=reach, hoverongaps=False,
        colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": form, "nticks": 6, "len": 1.0, "xpad": 8,
                  "tickfont": {"color": C["muted"]}},
        hovertemplate=f"{safe(found.names[0])} %{{x}}, {safe(found.names[1])} %{{y}}<br>"
                      f"{meant.label} %{{z:{form}}}<extra></extra>",
    )  # fmt: skip
    _ring(figure, x_here, y_here, "This setting")
    figure.update_layout(
        xaxis=axis(safe(found.names[0]), showgrid=False, **x_axis),
        yaxis=axis(safe(found.names[1]), showgrid=False, **y_axis),
        margin={"r": 8},
    )
    if np.isnan(found.z).any():
        _hatch(figure)
    return figure


def scatter(result: SweepResult, row: int | None = None, *, other: str | None = None) -> go.Figure:
    """Sharpe ratio of every setting on the row's symbol against another symbol.

    Parameters
    ----------
    row : row to mark; default the best Sharpe ratio.
    other : the other symbol; default the mean of all others.

    Raises
    ------
    UsageError : the sweep has one symbol, or not this one.
    """
    row = result.winner if row is None else row
    size = len(result.grid)
    market, combination = row // size, row % size
    names = list(result.accounts)
    if len(names) < 2 or (other is not None and other not in names):
        raise UsageError("no other symbol to compare with", seen=other, hint=", ".join(names))
    year = math.sqrt(result.ppy)
    x = result.trial_sharpes[market] * year
    y = elsewhere(result, market) * year if other is None else result.trial_sharpes[names.index(other)] * year
    against = other or (names[1 - market] if len(names) == 2 else f"mean of {len(names) - 1} others")
    keep = np.unique(np.linspace(0, size - 1, min(size, MOST_DOTS)).astype(np.int64))
    figure = new_figure(f"{safe(names[market])} against {safe(against)}", height=440, hovermode="closest")
    figure.add_scatter(
        x=x[keep], y=y[keep], mode="markers", name="Setting",
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
    x, x_axis, here = _scale(found, 0)
    figure.add_scatter(
        x=x, y=found.z, mode="lines+markers", line={"color": C["grey"], "width": 1.4},
        marker={"size": 5, "color": C["grey"]},
        hovertemplate=f"{safe(found.names[0])} %{{x}}<br>{label} %{{y:{form}}}<extra></extra>",
    )  # fmt: skip
    _ring(figure, here, found.value, "This setting")
    figure.update_layout(
        xaxis=axis(safe(found.names[0]), showgrid=False, showline=True, **x_axis),
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


def _hatch(figure: go.Figure) -> None:
    """Lay a hatched ground under a map: seen where a cell has no value, whose colour else reads as zero.

    It has axes of its own, over which the map's lie.
    """
    figure.add_scatter(
        x=[0, 0, 1, 1, 0], y=[0, 1, 1, 0, 0], xaxis="x2", yaxis="y2", name="No value", mode="lines",
        line={"width": 0}, fill="toself", fillcolor=C["paper"], hoverinfo="skip",
        fillpattern={"shape": "/", "size": 7, "solidity": 0.22, "fillmode": "replace",
                     "fgcolor": C["grey"], "bgcolor": C["paper"]},
    )  # fmt: skip
    ground = {"range": [0, 1], "visible": False, "fixedrange": True}
    figure.update_layout(
        xaxis2={**ground, "anchor": "y2"}, yaxis2={**ground, "anchor": "x2"},
        xaxis={"overlaying": "x2"}, yaxis={"overlaying": "y2"},
    )  # fmt: skip


def _scale(found: Landscape, k: int) -> tuple[Array | list[str], dict[str, Any], float | str]:
    """Cells of an axis, how it is ticked, and the row's own place.

    Numbers where they are evenly spaced, else names; ticks stand on values that were tried.
    """
    values, tried, group, here = found.axes[k], found.tried[k], found.group[k], found.here[k]
    some = slice(None, None, _stride(len(tried)))
    gaps = np.diff(values)
    if len(gaps) and float(gaps.max() - gaps.min()) <= 1e-9 * max(1.0, float(np.abs(values).max())):
        ticks = tried[some].tolist()
        named = [f"{v:g}" for v in ticks]
        return values, {"type": "linear", "tickmode": "array", "tickvals": ticks, "ticktext": named}, here
    names = [f"{v:g}" for v in tried.tolist()]
    if group > 1:
        parts = [names[i : i + group] for i in range(0, len(names), group)]
        names = [f"{part[0]} to {part[-1]}" for part in parts]
        some = slice(None, None, _stride(len(names)))
    place = int(np.argmin(np.abs(tried - here))) // group
    return names, {"type": "category", "tickmode": "array", "tickvals": names[some]}, names[place]


def _stride(n: int) -> int:
    """Every how many values a tick stands: 1, 2, 5, 10, 20, ..."""
    step = 1
    while n > 10 * step * MOST_TICKS:
        step *= 10
    return next(k * step for k in (1, 2, 5, 10) if n <= k * step * MOST_TICKS)
