"""A result in a notebook: what was run, the best rows, and how to look closer.  No script, no figure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from grn.quant.metrics.registry import METRICS
from grn.quant.report.numbers import count, percent, plain, short, show

if TYPE_CHECKING:
    from grn.quant.result import SweepResult

_SHOWN: Final = ("total_return", "cagr", "sharpe", "max_drawdown", "trades")
_BEST: Final = 5
# Colours come from the notebook's own theme: only opacity and the current colour are used.
_LINE: Final = "border-bottom:1px solid rgba(128,128,128,.3)"


def card(result: SweepResult) -> str:
    """A headline and the best rows by Sharpe ratio, as HTML."""
    sharpes = np.concatenate(result.trial_sharpes)
    order = np.argsort(np.where(np.isnan(sharpes), np.inf, -sharpes), kind="stable")[:_BEST]
    params = [p.name for p in result.grid.params]
    shown = [m for m in result.metrics if m.name in _SHOWN]
    head = "".join(
        f'<th style="{_cell(i)};font-weight:600;{_LINE}">{escape(h)}</th>'
        for i, h in enumerate(["symbol", *params, *(m.label for m in shown)])
    )
    rows = []
    for i in order.tolist():
        row = result.row(i)
        cells = [escape(str(row["symbol"])), *(short(float(row[p])) for p in params)]
        cells += [show(METRICS[m.name], float(row[m.name])) for m in shown]
        rows.append(
            "<tr>" + "".join(f'<td style="{_cell(k)}">{c}</td>' for k, c in enumerate(cells)) + "</tr>"
        )
    return (
        '<div style="font-variant-numeric:tabular-nums;line-height:1.45">'
        f'<p style="margin:0 0 2px;font-size:1.15em;font-weight:600">{escape(result.strategy.name)}</p>'
        f'<p style="margin:0 0 8px;opacity:.75">{_headline(result, sharpes)}</p>'
        f'<table style="border-collapse:collapse;margin:0"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
        '<p style="margin:8px 0 0;opacity:.75">The best by Sharpe ratio, before any deflation: '
        "<code>grn.validate(result)</code> judges, <code>result.plot()</code> and "
        "<code>result.heatmap()</code> draw, "
        "<code>result.frame</code> has every row.</p></div>"
    )


def _cell(column: int) -> str:
    return f"text-align:{'right' if column else 'left'};padding:4px 14px 4px 0"


def _headline(result: SweepResult, sharpes: np.typing.NDArray[np.float64]) -> str:
    names = [b.symbol for b in result.bars]
    where = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    text = f"{count(len(result.grid), 'setting')} on {escape(where)}"
    defined = sharpes[~np.isnan(sharpes)]
    if len(defined) > 1:
        year = float(np.sqrt(result.ppy))
        text += f"; Sharpe ratio {plain(float(defined.min()) * year)} to {plain(float(defined.max()) * year)}"
        text += f", {percent(float(np.mean(defined > 0.0)), 0)} above zero"
    if result.trials is not None:
        text += f"; {count(result.trials.n, 'trial')} counted on this data"
    return text
