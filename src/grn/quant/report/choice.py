"""The sections on choosing and on the winner's robustness: what the verdict's numbers look like.  HTML."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from grn.quant.report import tables
from grn.quant.report.figures import choice as figures
from grn.quant.report.numbers import MISSING, count, money, percent, plain
from grn.quant.report.slots import place
from grn.quant.report.subject import Subject
from grn.quant.validate.regimes import REGIMES

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from grn.quant.validation import Validation

_METHODS: Final = {"bonferroni": "Bonferroni", "holm": "Holm", "bhy": "Benjamini, Hochberg and Yekutieli"}


def choosing(one: Subject) -> str:
    """Whether choosing by the past helps: four figures and what they say (HTML); empty without a verdict."""
    validation = one.validation
    if validation is None:
        return ""
    found, verdict = validation.examination, validation.verdict
    pictures = []
    cscv = verdict.overfitting
    if cscv.logits.size:
        text = (
            f"The best on half of the bars is below the median on the other half in {percent(cscv.pbo)} of "
            f"{count(cscv.logits.size, 'split')} (orange), and loses there in {percent(cscv.loss)}."
        )
        pictures.append(_picture("logits", "Overfitting", figures.logits(cscv), text))
    spa = verdict.superiority
    if spa.peaks.size and not math.isnan(verdict.skill_p):
        text = (
            f"The best of these trials in bars resampled {count(spa.resamples, 'time')} without skill; "
            f"the winner is reached with p = {plain(verdict.skill_p, 3)}."
        )
        pictures.append(
            _picture("superiority", "Luck of these trials", figures.no_skill(spa, verdict.skill_score), text)
        )
    if found.rolling is not None and found.anchored is not None:
        rolling, anchored = (found.annual(walk.sharpe) for walk in (found.rolling, found.anchored))
        text = (
            f"{count(len(found.rolling.windows), 'window')} traded with what was best on the bars before "
            f"them: Sharpe ratio {plain(rolling)} choosing by {count(found.trained, found.unit)}, "
            f"{plain(anchored)} by all bars so far."
        )
        pictures.append(_picture("walk", "Walk forward", figures.walks(found), text))
    if found.paths is not None:
        ratios = found.paths.sharpes * math.sqrt(found.ppy)
        low, middle, high = (float(np.quantile(ratios, share)) for share in (0.0, 0.5, 1.0))
        text = (
            f"{count(len(ratios), 'path')} from {count(found.paths.folds.n_splits, 'split')}, each "
            f"over bars that its settings were not chosen on: Sharpe ratio {plain(low)} to {plain(high)}, "
            f"median {plain(middle)} (blue)."
        )
        pictures.append(_picture("paths", "Paths never chosen on", figures.fan(found), text))
    return f'<div class="two">{"".join(pictures)}</div>\n{_haircuts(validation)}' if pictures else ""


def robustness(one: Subject) -> str:
    """What else is known about the winner, a line each (HTML); empty without a verdict."""
    validation = one.validation
    if validation is None:
        return ""
    found = validation.examination
    said: list[tuple[str, str]] = []
    if found.regimes:
        parts = ", ".join(
            f"{plain(found.own_annual(r.sharpe))} in {REGIMES[r.regime]} markets" for r in found.regimes
        )
        said.append(
            ("Regimes", f"Sharpe ratio {parts}, by the volatility of the {found.window} bars before.")
        )
    first, second = (found.own_annual(half) for half in (found.decay.first, found.decay.second))
    said.append(
        (
            "Halves",
            f"Sharpe ratio {plain(first)} in the first half of the bars, {plain(second)} in the second; "
            f"a fall at least like this has p = {plain(found.decay.p_value)} by chance.",
        )
    )
    if found.timing is not None:
        said.append(
            (
                "Timing",
                f"The same positions at other times, with the same exposure, do as well in "
                f"{percent(found.timing.p_value)}; costs left out.",
            )
        )
    if found.orders is not None and not math.isnan(found.orders.drawdown):
        said.append(
            (
                "Order of trades",
                f"Its trades in the order that happened fall {percent(found.orders.drawdown)} from their "
                f"highest; one in twenty other orders of them falls {percent(found.orders.quantile(0.95))}.",
            )
        )
    said.append(("Capacity", _capacity(validation)))
    holdouts = [f"{lock}." for lock in found.holdouts] or ["No period of this data is locked."]
    said.append(("Hold-out", " ".join(holdouts)))
    note = "" if one.is_winner else f'<p class="note">Of the winner, {escape(validation.winner)}.</p>\n'
    return note + tables.pairs([(name, escape(text)) for name, text in said])


def _picture(name: str, head: str, figure: go.Figure, text: str) -> str:
    return place(name, figure, caption=escape(text), alt=f"{head}. {text}", head=escape(head))


def _haircuts(validation: Validation) -> str:
    """What is left of the Sharpe ratio after corrections for the number of trials (HTML)."""
    verdict = validation.verdict
    rows = [
        [
            _METHODS[cut.method],
            plain(cut.p_value, 4),
            MISSING if math.isnan(cut.haircut) else plain(verdict.sharpe * (1.0 - cut.haircut)),
            percent(cut.haircut, 0),
        ]
        for cut in verdict.haircuts
    ]
    if not rows:
        return ""
    table = tables.table(["Correction", "p", "Sharpe ratio left", "Cut off"], rows, name="Haircuts")
    return (
        f"<h3>Haircuts</h3>\n<p>Its Sharpe ratio of {plain(verdict.sharpe)} after paying for "
        f"{count(verdict.counted, 'trial')} as if each were independent (Harvey and Liu 2015).</p>\n{table}"
    )


def _capacity(validation: Validation) -> str:
    room = validation.examination.capacity
    if room is None:
        return "Not known: the run read no volume (Rules(volume_share=...) does), or has several symbols."
    if not math.isfinite(room.break_even):
        return "Not known: it does not trade, or a number is missing."
    return (
        f"Its own orders leave the most at a capital of about {money(room.best)} and nothing at "
        f"{money(room.break_even)}; above {money(room.limit)} one of them would be more than a tenth of a "
        "bar's volume. In the currency of the volume, by the square-root law: an order of magnitude."
    )
