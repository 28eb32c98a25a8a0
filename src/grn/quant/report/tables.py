"""Tables of the report, in plain HTML: readable without a script, and every number under its own digit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from grn.quant.metrics.registry import METRICS
from grn.quant.report import mathml
from grn.quant.report.costs import name_scenario
from grn.quant.report.months import Months
from grn.quant.report.numbers import MISSING, money, percent, plain, show
from grn.quant.report.subject import Subject
from grn.quant.schema.stamps import stamp
from grn.quant.stress import Scenario

if TYPE_CHECKING:
    import datetime

    import polars as pl

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOST_TRADES: Final = 200
"""Trades listed one by one."""
_STRENGTHS: Final = (0.1, 0.3, 0.55, 0.8)
"""Where a month's shade gets stronger, as a share of the strongest month (its 95th percentile)."""


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    name: str,
    kind: str = "",
    text: Sequence[int] = (0,),
) -> str:
    """Wrap cells (HTML) in a table that scrolls by itself; columns are numbers unless listed in `text`."""

    def cell(tag: str, i: int, inner: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        align = "" if i in text else ' class="n"'
        return f"<{tag}{scope}{align}>{inner}</{tag}>"

    top = "".join(cell("th", i, h) for i, h in enumerate(head))
    body = "\n".join(
        "<tr>"
        + "".join(cell("td", i, c) if i else _row_head(c, 0 in text) for i, c in enumerate(r))
        + "</tr>"
        for r in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}"><table class="{kind}">'
        f'<caption class="unseen">{escape(name)}</caption>\n'
        f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row_head(inner: str, is_text: bool) -> str:
    align = "" if is_text else ' class="n"'
    return f'<th scope="row"{align}>{inner}</th>'


def metrics_table(one: Subject) -> str:
    """Every metric of the row beside buy-and-hold, with its definition."""
    rows = []
    for metric in METRICS.values():
        value = one.details.get(metric.name, math.nan)
        hold = one.hold_details.get(metric.name)
        why = f'<br><span class="why">{mathml.prose(metric.undefined)}</span>' if math.isnan(value) else ""
        rows.append(
            [
                f"{escape(metric.label)}{why}",
                show(metric, value),
                MISSING if hold is None else show(metric, hold),
                mathml.formula(metric.formula),
            ]
        )
    head = ["Metric", "This strategy", "Buy and hold", "Definition"]
    return table(head, rows, name="Metrics", kind="metrics", text=(0, 3))


def months_table(own: Months, hold: Months) -> str:
    """Returns by month and year, the cells shaded by size, buy-and-hold's year at the end."""
    known = np.abs(own.months[np.isfinite(own.months)])
    reach = float(np.percentile(known, 95)) if len(known) else 0.0
    rows = []
    for i, year in enumerate(own.years.tolist()):
        cells = "".join(_shade(float(v), reach) for v in own.months[i])
        totals = (
            f'<td class="n total">{_bare_percent(float(own.totals[i]))}</td>'
            f'<td class="n other">{_bare_percent(float(hold.totals[i]))}</td>'
        )
        rows.append(f'<tr><th scope="row" class="n">{year}</th>{cells}{totals}</tr>')
    head = "".join(f'<th scope="col" class="n">{m}</th>' for m in (*_MONTHS, "Year", "Hold"))
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Monthly returns"><table class="months">'
        '<caption class="unseen">Monthly returns in percent</caption>\n'
        f'<thead><tr><th scope="col" class="n">%</th>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


def _bare_percent(value: float) -> str:
    return plain(value * 100.0, 1)


def _shade(value: float, reach: float) -> str:
    if math.isnan(value):
        return '<td class="n"></td>'
    share = abs(value) / reach if reach > 0.0 else 0.0
    strength = sum(share >= s for s in _STRENGTHS)
    tone = "" if strength == 0 else f" {'gain' if value > 0.0 else 'loss'} s{strength}"
    return f'<td class="n{tone}">{_bare_percent(value)}</td>'


def drawdowns_table(frame: pl.DataFrame, *, daily: bool) -> str:
    """The deepest drawdowns."""
    rows = [
        [
            percent(float(r["depth"])),
            _day(r["peak_ts"], daily),
            _day(r["trough_ts"], daily),
            "not yet" if r["recovery_ts"] is None else _day(r["recovery_ts"], daily),
            f"{r['bars']:,}",
        ]
        for r in frame.iter_rows(named=True)
    ]
    return table(
        ["Depth", "Peak", "Trough", "Recovered", "Bars"], rows, name="Deepest drawdowns", text=(1, 2, 3)
    )


def trades_table(frame: pl.DataFrame, *, daily: bool) -> str:
    """Trades one by one."""
    rows = [
        [
            f"{r['trade'] + 1:,}",
            r["direction"],
            _day(r["entry_ts"], daily),
            plain(float(r["entry_price"])),
            "open" if r["exit_ts"] is None else _day(r["exit_ts"], daily),
            MISSING if r["exit_price"] is None else plain(float(r["exit_price"])),
            plain(float(r["units"])),
            money(float(r["fees"])),
            money(float(r["pnl"])),
            percent(float(r["return"]), 1),
            f"{r['bars']:,}",
        ]
        for r in frame.head(MOST_TRADES).iter_rows(named=True)
    ]
    head = ["#", "Side", "Entry", "Price", "Exit", "Price", "Units", "Fees", "Profit", "Return", "Bars"]
    return table(head, rows, name="Trades", text=(1, 2, 4))


def scenarios_table(scenarios: Sequence[Scenario], *, free: bool) -> str:
    """The row with other costs; `free` where the run had none."""
    rows = [
        [escape(name_scenario(s, free=free)), money(s.final), percent(s.total_return), plain(s.sharpe)]
        for s in scenarios
    ]
    return table(["", "Final equity", "Total return", "Sharpe ratio"], rows, name="The same with other costs")


def data_table(one: Subject) -> str:
    """Which data the sweep ran on."""
    needs = one.result.strategy.needs(one.result.rules)
    rows = [
        [
            escape(bars.symbol),
            f"{len(bars):,}",
            stamp(int(bars.ts_ns[0])),
            stamp(int(bars.ts_ns[-1])),
            escape(", ".join(needs)),
            f"<code>{bars.digest(needs)}</code>",
        ]
        for bars in one.result.bars
    ]
    return table(
        ["Symbol", "Bars", "First", "Last", "Columns", "SHA-256"],
        rows,
        name="Data",
        kind="data",
        text=(0, 2, 3, 4, 5),
    )


def strip(items: Sequence[tuple[str, str, str]]) -> str:
    """A row of large numbers: name, number, and what stands small below it (plain text)."""
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        + (f'<span class="beside">{escape(below)}</span>' if below else "")
        + "</dd></div>"
        for name, value, below in items
    )
    return f'<dl class="strip n{len(items)}">{cells}</dl>'


def pairs(items: Sequence[tuple[str, str]]) -> str:
    """A list of terms and what they are (HTML)."""
    return "<dl>" + "".join(f"<div><dt>{escape(k)}</dt><dd>{v}</dd></div>" for k, v in items) + "</dl>"


def _day(when: datetime.datetime, daily: bool) -> str:
    return when.strftime("%Y-%m-%d" if daily else "%Y-%m-%d %H:%M")
