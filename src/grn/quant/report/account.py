"""The sections on the account: equity, months, trades, metrics, costs.  Each gives HTML."""

from __future__ import annotations

import math
from html import escape
from typing import Final

import numpy as np
import polars as pl

from grn.quant.report import costs, mathml, tables
from grn.quant.report.figures.account import draw_account
from grn.quant.report.figures.trading import MOST_TRADES, choose_trades, draw_trades
from grn.quant.report.months import by_month
from grn.quant.report.numbers import count, money, percent, plain
from grn.quant.report.slots import place
from grn.quant.report.subject import Subject
from grn.quant.strategy.costs import Costs

_YEAR_MS: Final = 365.25 * 86_400_000.0
_PERIODS: Final = (
    ("10 years", 10 * _YEAR_MS),
    ("5 years", 5 * _YEAR_MS),
    ("1 year", _YEAR_MS),
    ("1 month", _YEAR_MS / 12),
    ("1 week", _YEAR_MS / 52),
    ("1 day", _YEAR_MS / 365.25),
)
_DEEPEST: Final = 5
"""Drawdowns listed."""
_LOG_BUTTON: Final = '<button type="button" data-log="yaxis" aria-pressed="false">Log scale</button>'
_CONVENTIONS: Final = (
    "Percentages are of equity; amounts are in account currency. No risk-free rate; {ppy} bars a "
    "year. Here $n$ "
    "counts bars, $E_t$ is the equity at the close of bar $t$ (the initial cash at 0), $\\mu$, "
    "$\\sigma$ and $m_k$ are "
    "mean, standard deviation and central moments of the returns $r$, $D_2$ is the sum of squared "
    "losses, $p$ bars "
    "a year, $N$ trades opened and $N_c$ closed, $\\pi_i$ the profit of a trade after fees, $q$, $P$, "
    "$f$ quantity, "
    "price and fee of an order. A dash is a number that is not defined, or that buy and hold does not have."
)


def equity(one: Subject) -> str:
    """Equity against buy-and-hold, drawdown below it, the deepest drawdowns as a table."""
    path, own, hold = one.path, one.details, one.hold_details
    text = (
        f"{money(path.initial)} became {money(float(path.equity[-1]))}; bought at the first close and "
        "held, without "
        f"costs, {escape(one.bars.symbol)} would have made it {money(float(one.hold[-1]))}. The "
        "deepest fall was "
        f"{percent(own['max_drawdown'])} against {percent(hold['max_drawdown'])}."
    )
    positive = min(float(path.equity.min()), float(one.hold.min())) > 0.0
    tools = _periods(one) + (_LOG_BUTTON if positive else "")
    picture = place("equity", draw_account(one), caption=text, alt=f"Lines over time. {text}", tools=tools)
    cards = [
        ("Total return", percent(own["total_return"]), percent(hold["total_return"])),
        ("CAGR", percent(own["cagr"]), percent(hold["cagr"])),
        ("Sharpe ratio", plain(own["sharpe"]), plain(hold["sharpe"])),
        ("Maximum drawdown", percent(own["max_drawdown"]), percent(hold["max_drawdown"])),
        ("Final equity", money(float(path.equity[-1])), money(float(one.hold[-1]))),
    ]
    numbers = tables.strip([(name, value, f"hold {other}") for name, value, other in cards])
    return f"{numbers}\n{picture}\n{_drawdowns(one)}"


def _drawdowns(one: Subject) -> str:
    """The deepest drawdowns, and the longest where it is not one of them (HTML)."""
    every = one.path.drawdowns().with_row_index("place")
    if not len(every):
        return ""
    longest = every.sort("bars", descending=True, maintain_order=True).row(0, named=True)
    place, bars = longest["place"], count(longest["bars"], "bar")
    shown = every.head(_DEEPEST)
    head, which = "Deepest drawdowns", "also the deepest" if place == 0 else f"number {place + 1:,} by depth"
    if place >= _DEEPEST:
        head, which = f"{head}, and the longest", f"{which}, listed last"
        shown = every.filter((pl.col("place") < _DEEPEST) | (pl.col("place") == place))
    lasting = " and has not ended" if longest["recovery_ts"] is None else ""
    return (
        f"<h3>{head}</h3>\n{tables.drawdowns_table(shown, daily=one.is_daily)}\n"
        f'<p class="note">The longest, {which}, lasted {bars}{lasting}.</p>'
    )


def months(one: Subject) -> str:
    """Monthly returns with year totals."""
    path = one.path
    own = by_month(path.ts_ns, path.returns)
    hold = by_month(path.ts_ns, np.r_[1.0, path.close[1:] / path.close[:-1]] - 1.0)
    known = own.months[np.isfinite(own.months)]
    years = own.totals[np.isfinite(own.totals)]
    ahead = int(np.count_nonzero(own.totals > hold.totals))
    return (
        f"<p>{int(np.count_nonzero(known > 0.0)):,} of {count(len(known), 'month')} and "
        f"{int(np.count_nonzero(years > 0.0)):,} of {count(len(years), 'year')} gained; {ahead:,} of "
        f"{count(len(years), 'year')} beat buy and hold. Percent, by the UTC month in which a bar is "
        "labelled.</p>\n"
        f"{tables.months_table(own, hold)}"
    )


def trading(one: Subject) -> str:
    """Trades on the price, and their list."""
    frame = one.trades
    if not len(frame):
        return '<p class="note">This row never traded.</p>'
    details = one.details
    n_open = int((frame["status"] == "open").sum())
    text = count(len(frame), "trade")
    if len(frame) > n_open:
        text += f"; {percent(details['win_rate'])} of the closed ones won"
        if math.isfinite(details["avg_win"]) and math.isfinite(details["avg_loss"]):
            text += (
                f", {money(details['avg_win'])} on average, and the others lost {money(-details['avg_loss'])}"
            )
    text += f". In the market {percent(details['exposure'])} of the time."
    text += " One is still open, marked at the last close." if n_open else ""
    if len(choose_trades(frame)) < len(frame):
        text += f" Drawn are the {MOST_TRADES} that won or lost the most."
    tools = _periods(one) + _LOG_BUTTON
    picture = place("trades", draw_trades(one), caption=text, alt=f"Price with trades. {text}", tools=tools)
    some = f"The first {tables.MOST_TRADES} trades" if len(frame) > tables.MOST_TRADES else "All trades"
    listed = tables.trades_table(frame, daily=one.is_daily)
    return f"{picture}\n<details><summary>{some}, one by one</summary>{listed}</details>"


def metrics(one: Subject) -> str:
    """Every metric beside buy-and-hold, with its definition."""
    said = mathml.prose(_CONVENTIONS.replace("{ppy}", f"{one.result.ppy:g}"))
    return f'{tables.metrics_table(one)}\n<p class="note">{said}</p>'


def expenses(one: Subject) -> str:
    """What costs took, and the same with other costs."""
    charged = one.result.rules.costs
    paid, scenarios = costs.add_up(one.path), one.scenarios
    free, final = scenarios[0].final, float(one.path.equity[-1])
    text = "No costs were charged." if charged == Costs() else (
        f"Fees and slippage of {money(paid.fees + paid.slippage)} were paid. Without them the account "
        "would have "
        f"ended at {money(free)} instead of {money(final)}: money paid no longer grows, so costs took "
        f"{money(free - final)} in all."
    )  # fmt: skip
    numbers = [
        ("Orders", f"{paid.orders:,}", ""),
        ("Value traded", money(paid.traded), ""),
        ("Turnover a year", plain(one.details["turnover"]), "times equity"),
        ("Fees", money(paid.fees), ""),
        ("Slippage", money(paid.slippage), ""),
    ]
    tallies = one.path.tallies
    short = [("Entries rejected", "rejected"), ("Entries cut", "cut")]
    numbers += [(name, f"{tallies[key]:,.0f}", "") for name, key in short if tallies.get(key, 0.0) > 0.0]
    table = tables.scenarios_table(scenarios, free=charged == Costs())
    return f"<p>{text}</p>\n{tables.strip(numbers)}\n{table}"


def _periods(one: Subject) -> str:
    """Buttons that show the last part of the time axis."""
    ts_ns = one.path.ts_ns
    span_ms = float(ts_ns[-1] - ts_ns[0]) / 1e6
    fitting = [(name, ms) for name, ms in _PERIODS if ms < 0.8 * span_ms < 24.0 * ms][:3]
    if not fitting:
        return ""
    buttons = "".join(
        f'<button type="button" data-span="{ms:.0f}" aria-pressed="{str(not ms).lower()}">{name}</button>'
        for name, ms in [("All", 0.0), *fitting]
    )
    return f'<span class="group" role="group" aria-label="Period">{buttons}</span>'
