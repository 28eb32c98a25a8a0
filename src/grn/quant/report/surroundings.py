"""The section on parameters: the map per symbol, plateau or spike, and how the setting does elsewhere."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from grn.quant.report.figures.parameters import draw_landscape, elsewhere, scatter
from grn.quant.report.landscape import (
    Landscape,
    colour_reach,
    free_params,
    look_around,
    rank_correlation,
    rank_of,
    survey,
)
from grn.quant.report.numbers import count, percent, plain, short
from grn.quant.report.slots import place
from grn.quant.report.subject import Subject, sharpe_of

if TYPE_CHECKING:
    from grn.quant.result import SweepResult

MOST_MAPS: Final = 8
"""Symbols whose map is drawn."""
_SAID: Final = {
    "plateau": "a plateau: what happens to be chosen around here matters little",
    "slope": "a slope: part of the result hangs on the exact setting",
    "spike": "a spike: the result hangs on the exact setting, which is what luck looks like",
}


def parameters(one: Subject) -> str:
    """Maps of the Sharpe ratio with the setting marked (HTML); empty when no parameter varies."""
    result = one.result
    if not free_params(result):
        return ""
    if "sharpe" not in {m.name for m in result.metrics}:
        return '<p class="note">The sweep did not compute the Sharpe ratio, so there is no map to draw.</p>'
    order = [one.market, *(k for k in range(len(result.bars)) if k != one.market)]
    maps = [survey(result, "sharpe", market=k, row=one.row) for k in order[:MOST_MAPS]]
    if not any(np.isfinite(m.z).any() for m in maps):
        return '<p class="note">No row of this sweep has a Sharpe ratio, so there is no map to draw.</p>'
    reach = colour_reach(maps)
    pictures = []
    for k, found in zip(order, maps, strict=False):
        text = _caption(one, found, k)
        figure = draw_landscape(found, reach=reach)
        alt = f"Map of the Sharpe ratio. {text}"
        pictures.append(place(f"map-{k}", figure, caption=escape(text), alt=alt, head=escape(found.symbol)))
    if len(order) > 1:
        pictures.append(_across(one))
    rest = len(order) - len(maps)
    further = f'\n<p class="note">{count(rest, "further symbol")} not drawn.</p>' if rest else ""
    grid = "two" if len(pictures) > 1 else "one"
    return f'<p>{escape(_remark(one))}</p>\n<div class="{grid}">' + "\n".join(pictures) + f"</div>{further}"


def _remark(one: Subject) -> str:
    """Plateau or spike, in a sentence."""
    around = look_around(one.result, one.row)
    if around is None:
        return "Its Sharpe ratio is not above zero, or no neighbouring setting has one to compare it with."
    steps = ", ".join(f"{name} ± {n}" for name, n in around.steps.items())
    return (
        f"The {count(around.n, 'setting')} within {steps} steps of this one have a median Sharpe ratio of "
        f"{plain(around.median)}, {percent(around.share, 0)} of its {plain(sharpe_of(one))}. "
        f"It stands on {_SAID[around.word]}."
    )


def _caption(one: Subject, found: Landscape, market: int) -> str:
    rank, n = rank_of(one.result.trial_sharpes[market], one.combination)
    size = len(one.result.grid)
    text = f"Sharpe ratio {plain(found.value)} at the ring, " + (
        f"rank {rank:,} of {count(size, 'setting')}" if rank else "undefined"
    )
    if n < size:
        text += f"; {size - n:,} {_without_sharpe(one.result, market)}"
    text += "."
    if found.fixed:
        text += " Others held at " + ", ".join(f"{k} = {short(v)}" for k, v in found.fixed.items()) + "."
    if len(found.axes) > 1 and (found.unrun or found.undefined):
        # Two ways to be empty; a reader takes either for a zero unless told.
        why = ["were not run"] * bool(found.unrun) + ["have no Sharpe ratio"] * bool(found.undefined)
        text += f" Hatched cells {' or '.join(why)}."
    if max(found.group) > 1:
        text += f" Each cell is the mean of up to {math.prod(found.group):,} settings."
    return text


def _without_sharpe(result: SweepResult, market: int) -> str:
    """Why settings have no Sharpe ratio, where the sweep's own metrics tell."""
    if "trades" not in {m.name for m in result.metrics}:
        return "had no Sharpe ratio"
    size = len(result.grid)
    trades = result.frame["trades"].to_numpy()[market * size : (market + 1) * size]
    silent = not trades[np.isnan(result.trial_sharpes[market])].any()
    return "never traded" if silent else "had no Sharpe ratio"


def _across(one: Subject) -> str:
    """Say and draw whether what works on this symbol works on the others."""
    result = one.result
    rho = rank_correlation(result.trial_sharpes[one.market], elsewhere(result, one.market))
    if math.isnan(rho):
        return ""
    others = [b.symbol for k, b in enumerate(result.bars) if k != one.market]
    name = others[0] if len(others) == 1 else f"{len(others)} other symbols"
    said = "carries over" if rho >= 0.5 else "carries over in part" if rho >= 0.2 else "does not carry over"
    text = f"What ranks high on {one.bars.symbol} {said} to {name}: rank correlation {plain(rho)}."
    figure = scatter(result, one.row)
    alt = f"Scatter of every setting. {text}"
    return place("across", figure, caption=escape(text), alt=alt, head="Across symbols")
