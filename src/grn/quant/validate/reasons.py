"""A verdict in words: its three facts, and what would change it."""

from __future__ import annotations

import math
from typing import Final

from grn.quant.validate.verdict import MOST_LOSS, PASS_DSR, PASS_P, Assessment, Noise, holds_up

MANY: Final = 10**15
"""More trials than anyone makes."""
ENOUGH_SHUFFLES: Final = round(1 / PASS_P) - 1
"""Fewer shuffled sweeps have no p-value that passes."""


def give_reasons(found: Assessment) -> tuple[str, str, str]:
    """Return the three facts of a decision, a sentence each."""
    skill = _say_skill(found)
    if found.noise is not None:
        skill += "; " + _say_noise(found.noise, found.sharpe)
    return _say_luck(found), skill, _say_choice(found)


def say_change(found: Assessment) -> str:
    """Return what would turn the decision, the nearest thing first."""
    if math.isnan(found.effective_dsr) or math.isnan(found.skill_p):
        return "a winner with enough bars and varying returns"
    if found.decision == "pass":
        if found.trials_allowed >= MANY:
            return "no number of trials on this data that anyone can make"
        return f"more than {found.trials_allowed:,} trials on this data would take the pass away"
    if found.effective_dsr < PASS_DSR:
        return _say_years(found)
    if found.skill_p > PASS_P:
        return "more data, or fewer trials that are as volatile as the winner is good"
    noise = found.noise
    if noise is not None and noise.shuffles < ENOUGH_SHUFFLES:
        return f"at least {ENOUGH_SHUFFLES} shuffled sweeps, at most one in twenty reaching the winner"
    if noise is not None and not noise.p_value <= PASS_P:
        return "a winner that fewer than one in twenty shuffled sweeps reach"
    return "a search whose best of one half of the bars earns in the other half"


def _say_luck(found: Assessment) -> str:
    trials = f"{found.counted:,} trial{'' if found.counted == 1 else 's'}"
    if math.isnan(found.effective_dsr):
        return f"the deflated Sharpe ratio of {trials} is not defined"
    sign = ">=" if found.effective_dsr >= PASS_DSR else "<"
    return (
        f"luck in {trials}, worth {found.effective:,.0f} independent: Sharpe {found.effective_luck:.2f}; "
        f"the winner {found.sharpe:.2f}: deflated probability {found.effective_dsr:.4f} {sign} {PASS_DSR}"
    )


def _say_skill(found: Assessment) -> str:
    if math.isnan(found.skill_p):
        return "too few bars, or no winner with a Sharpe ratio, to resample"
    sign = "<=" if found.skill_p <= PASS_P else ">"
    return f"reached by the best of resampled trials without skill: p = {found.skill_p:.3f} {sign} {PASS_P}"


def _say_noise(noise: Noise, sharpe: float) -> str:
    if not noise.shuffles:
        return "there is no shuffled sweep to compare with"
    if math.isnan(noise.p_value):
        return "the winner has no Sharpe ratio to compare with shuffled bars"
    sign = "<=" if noise.p_value <= PASS_P else ">"
    return (
        f"best on shuffled bars {noise.median:.2f} (median) to {noise.highest:.2f}, {noise.reached} of "
        f"{noise.shuffles} reached {sharpe:.2f}: p = {noise.p_value:.3f} {sign} {PASS_P}"
    )


def _say_choice(found: Assessment) -> str:
    cscv = found.overfitting
    if cscv.trials < 2:
        return (
            "nothing was chosen: a single trial has a Sharpe ratio" if cscv.trials else "nothing was chosen"
        )
    if math.isnan(cscv.loss):
        return f"too few bars to cut them into {cscv.blocks} blocks"
    sign = "<=" if holds_up(found) else ">"
    return (
        f"chosen on half of the bars, the best loses on the others in {cscv.loss:.1%} {sign} {MOST_LOSS:.0%} "
        f"of {cscv.logits.size:,} splits (overfitting {cscv.pbo:.1%})"
    )


def _say_years(found: Assessment) -> str:
    """What would lift the deflated Sharpe ratio."""
    better = f"a Sharpe ratio of {found.sharpe_needed:.2f}"
    fresh = "as many years of fresh data, searched once"
    if math.isinf(found.years_needed) or math.isnan(found.years_needed):
        return f"{better}, or another idea on fresh data"
    return (
        f"{found.years_needed - found.years_held:,.1f} more years at this Sharpe ratio, {better}, or {fresh}"
    )
