"""Choosing, drawn: overfitting over all splits, the luck of trials, walks forward, paths never chosen on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from grn.quant.report.figures.histogram import add_bars, cut
from grn.quant.report.figures.style import Array, axis, milliseconds, new_figure, thin, time_axis
from grn.quant.report.palette import LIGHT as C

if TYPE_CHECKING:
    from grn.quant.examination import Examination
    from grn.quant.validate.overfitting import Overfitting
    from grn.quant.validate.superiority import Superiority

HEIGHT: Final = 360
_POINTS: Final = 1_500
"""Points of a line in a figure of half a page's width, of which there may be a dozen."""


def logits(cscv: Overfitting) -> go.Figure:
    """Histogram of the logits of all splits.

    Orange are those where the best of one half of the bars is below the median of the other.
    """
    figure = new_figure("Overfitting", height=HEIGHT, bargap=0.04, hovermode="closest")
    values = cscv.logits[np.isfinite(cscv.logits)]
    if len(values):
        edges = cut(values, breaks=0.0)
        numbers, _ = np.histogram(values, edges)
        hover = "%{y:,} splits<br>logit %{customdata}<extra></extra>"
        add_bars(figure, edges, numbers, edges[1:] <= 1e-12, hover)
    _line(figure, 0.0, "median of the other half", C["muted"], "dash")
    figure.update_layout(
        xaxis=_ticked("Logit of the rank in the other half"),
        yaxis=axis("Splits", rangemode="tozero", tickformat=",d", nticks=6),
        margin={"t": 84},
    )
    return figure


def no_skill(spa: Superiority, score: float) -> go.Figure:
    """Histogram of the best trial in bars resampled without skill, and the winner's `score`."""
    figure = new_figure("The best without skill", height=HEIGHT, bargap=0.04, hovermode="closest")
    peaks = spa.peaks[:, 1] if spa.peaks.size else np.empty(0)
    if len(peaks):
        edges = cut(peaks, breaks=score)
        numbers, _ = np.histogram(peaks, edges)
        hover = "%{y:,} resamples<br>statistic %{customdata}<extra></extra>"
        add_bars(figure, edges, numbers, edges[:-1] >= score, hover)
        _line(figure, score, f"<b>winner: {score:.2f}</b>", C["accent"], "solid")
        low, high = min(float(edges[0]), score), max(float(edges[-1]), score)
        figure.update_xaxes(range=[low - 0.06 * (high - low), high + 0.06 * (high - low)])
    figure.update_layout(
        xaxis=_ticked("Largest mean over its standard error"),
        yaxis=axis("Resamples", rangemode="tozero", tickformat=",d", nticks=6),
        margin={"t": 84},
    )
    return figure


def walks(found: Examination) -> go.Figure:
    """Growth of 1 along both walks forward, and of the winner, chosen with hindsight, on the same bars."""
    rolling, anchored = found.rolling, found.anchored
    assert rolling is not None
    assert anchored is not None
    figure = new_figure("Walk forward", height=HEIGHT, hovermode="x unified", showlegend=True)
    first = rolling.windows[0].test[0]
    lines = (
        ("The winner, with hindsight", C["grey"], found.winner[first:]),
        ("Chosen by all before", C["warm"], anchored.returns),
        ("Chosen by the windows before", C["accent"], rolling.returns),
    )
    grown = [_grow(returns) for _, _, returns in lines]
    keep = thin(grown, _POINTS)
    x = milliseconds(found.ts_ns[first:][keep])
    for (name, colour, _), values in zip(lines, grown, strict=True):
        figure.add_scatter(
            x=x, y=values[keep], name=name, line={"color": colour, "width": 1.5},
            hovertemplate="%{y:.2f}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_layout(xaxis=time_axis(), yaxis=_growth(grown))
    figure.update_layout(margin={"t": 112}, legend={"orientation": "v"})
    return figure


def fan(found: Examination) -> go.Figure:
    """Growth of 1 along every path of the cross-validation, its median path in front."""
    assert found.paths is not None
    figure = new_figure("Paths never chosen on", height=HEIGHT, hovermode="closest")
    grown = np.cumprod(1.0 + found.paths.returns, axis=1)
    order = np.argsort(grown[:, -1], kind="stable")
    middle = int(order[len(order) // 2])
    keep = thin(list(grown), 4 * _POINTS)
    x = milliseconds(found.ts_ns[keep])
    for k in [*(i for i in range(len(grown)) if i != middle), middle]:
        front = k == middle
        sharpe = found.annual(float(found.paths.sharpes[k]))
        figure.add_scatter(
            x=x, y=grown[k][keep], mode="lines",
            line={"color": C["accent"] if front else C["grey-soft"], "width": 2.0 if front else 1.2},
            hovertemplate=f"%{{y:.2f}}<extra>path {k + 1}, Sharpe {sharpe:.2f}</extra>",
        )  # fmt: skip
    figure.update_layout(xaxis=time_axis(), yaxis=_growth(list(grown)))
    return figure


def _grow(returns: Array) -> Array:
    grown: Array = np.multiply.accumulate(1.0 + returns)
    return grown


def _ticked(name: str) -> dict[str, object]:
    return axis(name, showgrid=False, showline=True, ticks="outside", ticklen=4)


def _growth(lines: list[Array]) -> dict[str, object]:
    """The axis of growth, logarithmic where lines span a factor of three and stay above zero."""
    low, high = min(float(line.min()) for line in lines), max(float(line.max()) for line in lines)
    kind = "log" if low > 0.0 and high >= 3.0 * low else "linear"
    return axis("Growth of 1", type=kind, tickformat="~g", nticks=6)


def _line(figure: go.Figure, x: float, text: str, colour: str, dash: str) -> None:
    if not math.isfinite(x):
        return
    figure.add_shape(
        type="line", x0=x, x1=x, y0=0, y1=1.08, yref="paper", line={"color": colour, "width": 2, "dash": dash}
    )
    figure.add_annotation(
        x=x, y=1.08, yref="paper", text=text, showarrow=False, yanchor="bottom", xanchor="center",
        font={"color": colour, "size": 13.5},
    )  # fmt: skip
