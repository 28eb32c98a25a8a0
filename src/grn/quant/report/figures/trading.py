"""Trades on the price: where each began and ended, and whether it won."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from grn.quant.report.figures.style import Array, axis, milliseconds, new_figure, safe, thin, time_axis
from grn.quant.report.palette import LIGHT as C
from grn.quant.report.subject import Subject

if TYPE_CHECKING:
    import polars as pl

    from grn.quant.result import SweepResult

MOST_TRADES: Final = 500
"""Trades that are drawn: beyond that marks cover each other."""


def trades(result: SweepResult, row: int) -> go.Figure:
    """Trades of a row on the price of its symbol."""
    return draw_trades(Subject(result, row))


def choose_trades(frame: pl.DataFrame) -> pl.DataFrame:
    """The trades to draw, in time: all, or those that won and lost the most."""
    if len(frame) <= MOST_TRADES:
        return frame
    import polars as pl

    largest = frame.sort(pl.col("pnl").abs(), descending=True, maintain_order=True).head(MOST_TRADES)
    return largest.sort("trade")


def draw_trades(one: Subject) -> go.Figure:
    """Price, a line from entry to exit of each trade, and marks: up is long, down is short, a ring exit."""
    path = one.path
    keep = thin([path.close])
    figure = new_figure(f"Trades of {safe(one.label)}", height=460, hovermode="closest", showlegend=True)
    figure.add_scatter(
        x=milliseconds(path.ts_ns[keep]), y=path.close[keep], name="Close", hoverinfo="skip",
        line={"color": C["grey-soft"], "width": 1.1},
    )  # fmt: skip
    shown = choose_trades(one.trades)
    if len(shown):
        _add_trades(figure, shown, end_ms=float(milliseconds(path.ts_ns[-1:])[0]), last=float(path.close[-1]))
    wide = float(path.close.max()) >= 3.0 * float(path.close.min())
    figure.update_layout(
        xaxis=time_axis(),
        yaxis=axis("Price", tickformat="~s", type="log" if wide else "linear", nticks=7),
    )
    return figure


def _add_trades(figure: go.Figure, shown: pl.DataFrame, *, end_ms: float, last: float) -> None:
    entry = milliseconds(shown["entry_ts"].to_physical().to_numpy())
    is_open = shown["status"].to_numpy() == "open"
    leave = np.where(
        is_open, end_ms, shown["exit_ts"].to_physical().fill_null(0).to_numpy().astype(np.float64) / 1e6
    )
    entry_price = shown["entry_price"].to_numpy()
    exit_price = np.where(is_open, last, shown["exit_price"].fill_null(last).to_numpy())
    won = shown["pnl"].to_numpy() > 0.0
    long = shown["direction"].to_numpy() == "long"
    words = [
        f"{d}, {f'return {r:+.1%}'.replace('-', '−')}, {b:,} bars{', still open' if s == 'open' else ''}"
        for d, r, b, s in shown.select("direction", "return", "bars", "status").iter_rows()
    ]
    for name, mask, colour in (("Gain", won, C["accent"]), ("Loss", ~won, C["warm"])):
        if mask.any():
            figure.add_scatter(
                x=_gaps(entry[mask], leave[mask]), y=_gaps(entry_price[mask], exit_price[mask]), mode="lines",
                name=name, line={"color": colour, "width": 2.2},
                hoverinfo="skip",
            )  # fmt: skip
    few = len(shown) <= 120
    for name, mask, symbol in (
        ("Long entry", long, "triangle-up"),
        ("Short entry", ~long, "triangle-down"),
    ):
        if mask.any():
            figure.add_scatter(
                x=entry[mask], y=entry_price[mask], mode="markers", name=name,
                marker={"symbol": symbol, "size": 9 if few else 7, "color": C["ink"],
                        "line": {"width": 1, "color": C["paper"]}},
                text=_pick(words, mask),
                hovertemplate="Entry %{x|%Y-%m-%d %H:%M} at %{y:,.2f}<br>%{text}<extra></extra>",
            )  # fmt: skip
    for name, mask, symbol, size in (
        ("Exit", ~is_open, "circle", 6 if few else 5),
        ("Still open", is_open, "diamond-open", 12),
    ):
        if mask.any():
            verb = "Exit" if name == "Exit" else "Marked"
            figure.add_scatter(
                x=leave[mask], y=exit_price[mask], mode="markers", name=name,
                marker={"symbol": symbol, "size": size, "color": C["paper"] if name == "Exit" else C["ink"],
                        "line": {"width": 1.5, "color": C["ink"]}},
                text=_pick(words, mask),
                hovertemplate=verb + " %{x|%Y-%m-%d %H:%M} at %{y:,.2f}<br>%{text}<extra></extra>",
            )  # fmt: skip


def _gaps(a: Array, b: Array) -> Array:
    """Pairs with a gap after each: one line per trade in a single trace."""
    out: Array = np.stack([a, b, np.full(len(a), np.nan)], axis=1).ravel()
    return out


def _pick(words: list[str], mask: npt.NDArray[np.bool_]) -> list[str]:
    return [word for word, wanted in zip(words, mask.tolist(), strict=True) if wanted]
