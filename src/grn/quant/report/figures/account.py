"""The account over time: equity against buy-and-hold, and how far below its peak it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from grn.quant.report import subject as subjects
from grn.quant.report.figures.style import Array, axis, milliseconds, new_figure, safe, thin, time_axis
from grn.quant.report.palette import LIGHT as C
from grn.quant.report.subject import Subject

if TYPE_CHECKING:
    from grn.quant.result import SweepResult


def equity(result: SweepResult, row: int) -> go.Figure:
    """Equity of a row against buy-and-hold of the same symbol with the same cash, drawdowns below."""
    return draw_account(Subject(result, row))


def drawdown(result: SweepResult, row: int) -> go.Figure:
    """How far the equity of a row was below its highest, beside buy-and-hold."""
    one = Subject(result, row)
    x, (_, _, fall, hold_fall) = _lines(one)
    figure = new_figure(f"Drawdown of {safe(one.label)}", height=280, hovermode="x unified", showlegend=True)
    _add_falls(figure, x, fall, hold_fall, axis="y", legend=True)
    figure.update_layout(xaxis=time_axis(), yaxis=axis(tickformat=",.0%"))
    return figure


def draw_account(one: Subject) -> go.Figure:
    """Equity above, drawdown below, one axis of time; logarithmic where growth spans a factor of three."""
    x, (own, hold, fall, hold_fall) = _lines(one)
    figure = new_figure(
        f"Equity of {safe(one.label)}",
        height=560,
        hovermode="x unified",
        showlegend=True,
        hoversubplots="axis",
    )
    figure.add_scatter(
        x=x, y=hold, name="Buy and hold", legendrank=1001, line={"color": C["grey"], "width": 1.4},
        hovertemplate="%{y:,.0f}<extra>Buy and hold</extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=x, y=own, name="This strategy", line={"color": C["accent"], "width": 1.8},
        hovertemplate="%{y:,.0f}<extra>This strategy</extra>",
    )  # fmt: skip
    _add_falls(figure, x, fall, hold_fall, axis="y2", legend=False)
    figure.update_layout(
        xaxis=time_axis(anchor="y2", domain=[0, 1]),
        yaxis=axis(
            "Equity",
            domain=[0.36, 1],
            tickformat="~s",
            type="log" if is_wide(own, hold) else "linear",
            nticks=6,
        ),
        yaxis2=axis("Drawdown", domain=[0, 0.27], tickformat=",.0%", nticks=5),
    )  # fmt: skip
    return figure


def is_wide(*lines: Array) -> bool:
    """Whether lines span a factor of three and are all above zero, so that a logarithmic axis serves them."""
    everything = np.concatenate(lines)
    return bool(np.nanmin(everything) > 0.0 and np.nanmax(everything) >= 3.0 * np.nanmin(everything))


def _lines(one: Subject) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    path = one.path
    lines = (
        path.equity,
        one.hold,
        subjects.drawdown(path.equity, path.initial),
        subjects.drawdown(one.hold, path.initial),
    )
    keep = thin(lines)
    own, hold, fall, hold_fall = (line[keep] for line in lines)
    return milliseconds(path.ts_ns[keep]), (own, hold, fall, hold_fall)


def _add_falls(
    figure: go.Figure, x: Array, fall: Array, hold_fall: Array, *, axis: str, legend: bool
) -> None:
    figure.add_scatter(
        x=x, y=fall, yaxis=axis, name="This strategy", fill="tozeroy", fillcolor=C["accent-soft"],
        line={"color": C["accent"], "width": 1.2}, showlegend=legend,
        hovertemplate="%{y:.1%}<extra>Drawdown</extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=x, y=hold_fall, yaxis=axis, name="Buy and hold", line={"color": C["grey"], "width": 1.1},
        showlegend=legend, hovertemplate="%{y:.1%}<extra>Drawdown, buy and hold</extra>",
    )  # fmt: skip
