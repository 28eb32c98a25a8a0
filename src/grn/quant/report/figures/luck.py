"""The winner against luck: the best of each shuffled sweep, and every row of the real one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from grn.quant.report.figures.histogram import add_bars, cut
from grn.quant.report.figures.style import axis, new_figure
from grn.quant.report.palette import LIGHT as C

if TYPE_CHECKING:
    from grn.quant.result import SweepResult
    from grn.quant.validate.verdict import Assessment
    from grn.quant.validation import Validation


def null_distribution(validation: Validation) -> go.Figure:
    """Histogram of the best Sharpe ratio that the sweep found in each shuffled market, the winner over it.

    Bars at or beyond the winner are orange: shuffled markets that reached it.
    """
    verdict = validation.verdict
    best = validation.null_best[np.isfinite(validation.null_best)]
    figure = new_figure("The winner against luck", height=420, bargap=0.08, hovermode="closest")
    lines = [value for value in (verdict.sharpe, verdict.effective_luck) if math.isfinite(value)]
    if len(best):
        edges = cut(best, breaks=verdict.sharpe)
        numbers, _ = np.histogram(best, edges)
        lines += [float(edges[0]), float(edges[-1])]
        reached = edges[:-1] >= verdict.sharpe
        add_bars(
            figure,
            edges,
            numbers,
            reached,
            "%{y} of the shuffled sweeps<br>best Sharpe %{customdata}<extra></extra>",
        )
    _mark(
        figure,
        verdict.sharpe,
        verdict.effective_luck,
        _name_luck(verdict),
        lines,
    )
    figure.update_layout(
        xaxis=axis("Best annualised Sharpe ratio of a sweep", showgrid=False,
                   showline=True, ticks="outside", ticklen=4),
        yaxis=axis("Shuffled sweeps", rangemode="tozero", tickformat="d", nticks=6),
    )  # fmt: skip
    return figure


def trials(result: SweepResult, validation: Validation | None = None) -> go.Figure:
    """Histogram of the annualised Sharpe ratio of every row of the sweep, the best one marked."""
    year = math.sqrt(result.ppy)
    every = np.concatenate(result.trial_sharpes) * year
    every = every[np.isfinite(every)]
    figure = new_figure("Every row of the sweep", height=420, bargap=0.02, hovermode="closest")
    best = float(every.max()) if len(every) else math.nan
    luck = validation.verdict.effective_luck if validation is not None else math.nan
    lines = [luck] if math.isfinite(luck) else []
    if len(every):
        edges = cut(every, breaks=math.nan)
        numbers, _ = np.histogram(every, edges)
        lines += [float(edges[0]), float(edges[-1])]
        add_bars(figure, edges, numbers, np.zeros(len(numbers), dtype=np.bool_),
                  "%{y:,} rows<br>Sharpe %{customdata}<extra></extra>")  # fmt: skip
    name = "" if validation is None else _name_luck(validation.verdict)
    _mark(figure, best, luck, name, lines)
    figure.update_layout(
        xaxis=axis("Annualised Sharpe ratio", showgrid=False, showline=True,
                   ticks="outside", ticklen=4),
        yaxis=axis("Rows", rangemode="tozero", tickformat=",d", nticks=6),
    )  # fmt: skip
    return figure


def _name_luck(verdict: Assessment) -> str:
    return f"luck of {verdict.effective:,.0f} independent trials: {verdict.effective_luck:.2f}"


_LETTER: Final = 0.0145
"""Width of a letter of a label, as a share of the axis of a figure beside the verdict."""


def _mark(figure: go.Figure, winner: float, luck: float, luck_name: str, values: list[float]) -> None:
    """Draw the two lines and their labels, which meet neither each other nor the other line."""
    marks = []
    if math.isfinite(luck):
        marks.append((luck, luck_name, C["muted"], "dash", 1.5))
    if math.isfinite(winner):
        marks.append((winner, f"<b>winner: {winner:.2f}</b>", C["accent"], "solid", 2.5))
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 0.2
    marks.sort(key=lambda mark: mark[0])
    # A label stands on the outer side of its line.  Where that side has no room for it, it passes over the
    # other line, which therefore is the shorter one; of two such labels the longer one is on top.
    inward = [
        (x - low if k == 0 and len(marks) == 2 else high - x) < _LETTER * len(text) * span
        for k, (x, text, *_) in enumerate(marks)
    ]
    tall = [inside and (not all(inward) or text == max((m[1] for m in marks), key=len))
            for inside, (_, text, *_) in zip(inward, marks, strict=True)]  # fmt: skip
    for k, (x, text, colour, dash, width) in enumerate(marks):
        right = inward[k] if k == 0 and len(marks) == 2 else not inward[k]
        top = 1.1 + 0.075 * tall[k]
        figure.add_shape(
            type="line", x0=x, x1=x, y0=0, y1=top, yref="paper",
            line={"color": colour, "width": width, "dash": dash},
        )  # fmt: skip
        figure.add_annotation(
            x=x, y=top, yref="paper", text=text, showarrow=False, yanchor="middle",
            xanchor="left" if right else "right", xshift=7 if right else -7,
            font={"color": colour, "size": 13.5},
        )  # fmt: skip
    figure.update_xaxes(range=[low - 0.06 * span, high + 0.06 * span])
    figure.update_layout(margin={"t": 96})
