"""How the report opens: what was found, and whether to believe it."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from grn.quant.asked import tell
from grn.quant.report import tables
from grn.quant.report.figures.luck import null_distribution, trials
from grn.quant.report.numbers import count, percent, plain
from grn.quant.report.slots import place
from grn.quant.report.subject import Subject

if TYPE_CHECKING:
    from grn.quant.validation import Validation

_SAID: Final = {
    "pass": ("Pass", "The winner stands out from luck."),
    "weak": ("Weak", "The winner may be more than luck; the data does not settle it."),
    "reject": ("Reject", "The winner cannot be told from luck."),
}
_ENDING: Final = {
    "pass": "luck is an unlikely explanation",
    "weak": "it may be luck, the data does not settle it",
    "reject": "it cannot be told from luck",
}
_OTHER_ENDING: Final = {
    "pass": "the verdict is about another row, the winner",
    "weak": "the verdict is about another row, the winner",
    "reject": "not even the winner of the sweep can be told from luck",
}
FEW_TRADES: Final = 30
"""Below this a return says little, whatever the verdict; the usual size of a sample that is not small."""
_UNJUDGED: Final = (
    '<p class="note">No verdict was computed for this sweep: nothing on this page says whether the result is '
    "more than luck. <code>grn.validate(result)</code> counts the trials, shuffles the market and "
    "decides.</p>"
)


def headline(one: Subject) -> str:
    """What makes the row tempting, and whether to believe it, in a sentence of plain text."""
    if not len(one.trades):
        return f"{one.label} never traded."
    is_best = len(one.result) > 1 and one.row == one.result.winner
    who = f"The best of {len(one.result):,} rows" if is_best else one.label
    own, hold = percent(one.details["total_return"]), percent(one.hold_details["total_return"])
    made = f"{who} returned {own}{_from_few(len(one.trades))} where buy and hold returned {hold}"
    if one.validation is None:
        return f"{made}. Whether that is more than luck was not judged."
    # Beside a tempting number the verdict must not be missed, so it ends the sentence.
    judged = _ENDING if one.is_winner else _OTHER_ENDING
    return f"{made}; {judged[one.validation.decision]}."


def opening(one: Subject) -> str:
    """The winner over the null distribution, and the decision beside it (HTML)."""
    validation = one.validation
    if validation is None:
        return _UNJUDGED
    has_null = bool(np.isfinite(validation.null_best).any())
    figure = null_distribution(validation) if has_null else trials(one.result, validation)
    text = caption(validation)
    picture = place("verdict", figure, caption=escape(text), alt=f"Histogram. {text}")
    numbers = tables.strip([(k, v, "") for k, v in evidence(validation)])
    return f'<div class="opening">{picture}\n{decision(one, validation)}</div>\n{numbers}'


def decision(one: Subject, validation: Validation) -> str:
    """The decision in words, its three reasons and what would change it (HTML)."""
    verdict = validation.verdict
    word, sentence = _SAID[validation.decision]
    trades = one.trades if one.is_winner else Subject(one.result, validation.row).trades
    few = _from_few(len(trades)).strip().capitalize()
    few = f'<p class="few">{few}.</p>\n' if few else ""
    reasons = "".join(f"<li>{escape(_sentence(reason))}</li>" for reason in verdict.reasons)
    other = "" if one.is_winner else (
        f'<p class="note">The verdict is about the winner, {escape(validation.winner)}. '
        f"The rest of this page shows {escape(one.label)}.</p>"
    )  # fmt: skip
    asked = f'<p class="note">Judged {escape(tell(validation.asked))}.</p>' if validation.asked else ""
    winner = escape(validation.winner)
    return (
        f'<div class="decision {validation.decision}">\n'
        f'<p class="word"><span class="mark" aria-hidden="true"></span>{word}</p>\n'
        f'<p class="sentence">{escape(sentence)}</p>\n{few}<p class="subject">{winner}</p>\n'
        f"<ol>{reasons}</ol>\n"
        f"<h3>What would change it</h3>\n<p>{escape(_sentence(verdict.change))}</p>\n{other}{asked}</div>"
    )


def caption(validation: Validation) -> str:
    """What the opening figure shows, in words (plain text)."""
    verdict, noise = validation.verdict, validation.noise
    luck = (
        f"{count(verdict.counted, 'trial')} without skill, worth {verdict.effective:,.0f} independent, is "
        f"expected at {plain(verdict.effective_luck)}."
    )
    if not np.isfinite(validation.null_best).any():
        shuffled = "was not repeated" if not noise.shuffles else "found no Sharpe ratio"
        return (
            f"Every row of this sweep. The best has a Sharpe ratio of {plain(verdict.sharpe)}; the "
            f"best of {luck} "
            f"The sweep {shuffled} on shuffled data."
        )
    reached = "none" if noise.reached == 0 else f"{noise.reached:,} (orange)"
    missing = int(np.count_nonzero(~np.isfinite(validation.null_best)))
    return (
        f"The same sweep on {count(noise.shuffles, 'shuffled market')}, in which there is nothing to find: "
        f"{reached} of them showed a best Sharpe ratio of {plain(verdict.sharpe)} or more. The best of {luck}"
        + (f" {count(missing, 'shuffled sweep')} had no Sharpe ratio." if missing else "")
    )


def evidence(validation: Validation) -> list[tuple[str, str]]:
    """The verdict's numbers (pairs of plain text)."""
    verdict = validation.verdict
    p, skill = validation.noise.p_value, verdict.skill_p
    return [
        ("Sharpe above 0", plain(verdict.psr, 4)),
        ("Sharpe above luck", plain(verdict.effective_dsr, 4)),
        ("Trials counted", f"{verdict.counted:,}"),
        ("p against no skill", plain(skill, 3)),
        ("p against shuffled", "not run" if math.isnan(p) else plain(p, 3)),
        ("Years held", _years(verdict.years_held)),
        ("Years needed", _years(verdict.years_needed)),
    ]


def _years(years: float) -> str:
    """Tenths of a year only where they can be seen."""
    return plain(years, 0 if math.isfinite(years) and years >= 1_000.0 else 1)


def _from_few(trades: int) -> str:
    """``from only 2 trades`` where they are few, with a space before it; else nothing."""
    if trades >= FEW_TRADES:
        return ""
    return f" from only {count(trades, 'trade')}" if trades else " without a trade"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
