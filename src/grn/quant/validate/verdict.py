"""The verdict on the best of many trials: its numbers, and how they decide.

:func:`grn.quant.validate.assessment.assess` computes the numbers; `reasons` puts them into sentences.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from grn.quant.validate.haircut import Haircut
from grn.quant.validate.overfitting import Overfitting
from grn.quant.validate.superiority import Superiority

Decision = Literal["pass", "weak", "reject"]

PASS_DSR: Final = 0.95
"""Deflated Sharpe ratio needed to pass: the usual 5 % error, after the correction for selection."""
PASS_P: Final = 0.05
WEAK_DSR: Final = 0.90
WEAK_P: Final = 0.10
FEW_TRADES: Final = 30
"""Below this many trades the verdict says "only": a handful of decisions is no sample."""
MOST_LOSS: Final = 0.5
"""Share of splits in which the best of one half may lose in the other, for a pass."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The best of each shuffled sweep against the winner; Sharpe ratios are annual.

    ``p_value`` is the share of shuffled sweeps that reached the winner, itself one of them, so that it is
    never 0; NaN where none was run. A sweep in which nothing traded can neither reach it nor fall short, and
    is none.
    """

    shuffles: int
    median: float
    highest: float
    reached: int
    p_value: float


@dataclass(frozen=True, eq=False)
class Assessment:
    """A decision about the best of many trials, with the numbers that made it.

    Sharpe ratios are annual (``sharpe``, ``adjusted_sharpe``, ``luck``, ``effective_luck``), except inside
    ``superiority``, ``overfitting`` and ``haircuts``, where they are per bar.

    Attributes
    ----------
    decision, reasons, change
        ``pass``, ``weak`` or ``reject``; the three facts; what would change it.
    best
        Column of the winner, the trial of the highest Sharpe ratio; -1 when no trial has one.
    sharpe, adjusted_sharpe
        Its Sharpe ratio, and that with its autocorrelation in it (Lo 2002).
    skew, kurtosis
        Of its returns; the kurtosis is raw.
    psr
        Probability that its true Sharpe ratio is above 0.
    counted, effective
        Trials counted, and the number of independent ones that they amount to (by clustering).
    luck, dsr
        Sharpe ratio that the best of ``counted`` independent trials without skill is expected to show, and
        the probability that the winner's is above it.
    effective_luck, effective_dsr
        The same for ``effective`` trials: what decides.
    memory
        Bars of the winner that are worth one independent bar: all of the above are at its bars over this.
    skill_score, skill_p
        The winner's mean over its standard error, and the probability that the best of a search without
        skill reaches it: the share of resamples, the winner as one more, brought to the size of the search.
    years_held, years_needed
        Data there is, and data at which a winner with this Sharpe ratio and these trials would pass the first
        question; luck falls with the data too.
    sharpe_needed
        Sharpe ratio that would pass it with the data there is.
    trials_allowed
        Trials under which the winner still passes the first question: more than these as independent ones,
        fewer as much alike as these.
    noise
        The shuffled sweeps; None where they were not asked for.
    superiority, overfitting, haircuts
        The answers in full.
    """

    decision: Decision
    reasons: tuple[str, str, str]
    change: str
    best: int
    sharpe: float
    adjusted_sharpe: float
    skew: float
    kurtosis: float
    psr: float
    counted: int
    effective: float
    luck: float
    dsr: float
    effective_luck: float
    effective_dsr: float
    memory: float
    skill_score: float
    skill_p: float
    years_held: float
    years_needed: float
    sharpe_needed: float
    trials_allowed: int
    noise: Noise | None
    superiority: Superiority
    overfitting: Overfitting
    haircuts: tuple[Haircut, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON values; NaN and the infinities as text."""
        spa, cscv = self.superiority, self.overfitting
        plain: dict[str, Any] = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("superiority", "overfitting", "haircuts", "noise")
        }
        plain["noise"] = None if self.noise is None else dataclasses.asdict(self.noise)
        plain["reasons"] = list(self.reasons)
        plain["superiority"] = {
            "p_value": spa.p_value,
            "statistic": spa.statistic,
            "p_lower": spa.p_lower,
            "p_consistent": spa.p_consistent,
            "p_upper": spa.p_upper,
            "resamples": spa.resamples,
            "block": spa.block,
        }
        plain["overfitting"] = {
            "pbo": cscv.pbo,
            "loss": cscv.loss,
            "slope": cscv.slope,
            "splits": int(cscv.logits.size),
            "blocks": cscv.blocks,
            "bars_left_out": cscv.bars_left_out,
        }
        plain["haircuts"] = {
            cut.method: {"p_value": cut.p_value, "sharpe_per_bar": cut.sharpe, "haircut": cut.haircut}
            for cut in self.haircuts
        }
        found = plain_numbers(plain)
        assert isinstance(found, dict)
        return found

    def lines(self, *, winner: str = "", trades: int | None = None) -> list[str]:
        """Return the verdict as at most eight lines of plain text.

        Parameters
        ----------
        winner, trades
            What the winner is called, and how many trades it made, where that is known.
        """
        some = f"{self.effective:,.0f}"
        return [
            f"verdict   {self.decision.upper()}{f': {winner}' if winner else ''}",
            f"winner    {self._say_winner(trades)}",
            f"trials    {self.counted:,} counted on this data, worth {some} independent one"
            + ("" if some == "1" else "s"),
            *(f"because   {reason}" for reason in self.reasons),
            f"length    {_say_length(self.years_held, self.years_needed)}",
            f"to change {self.change}",
        ]

    def _say_winner(self, trades: int | None) -> str:
        if math.isnan(self.sharpe):
            return f"no Sharpe ratio{_from_trades(trades)}"
        return (
            f"Sharpe {self.sharpe:.2f} a year{_from_trades(trades)}, {say_number(self.adjusted_sharpe)} with "
            f"its autocorrelation; above 0 with probability {say_number(self.psr, 4)}"
        )


def say_number(value: float, digits: int = 2) -> str:
    """A number with so many digits, or that there is none."""
    return "none" if math.isnan(value) else f"{value:.{digits}f}"


def decide(found: Assessment) -> Decision:
    """Draw the decision from the numbers of an assessment."""
    dsr, p, noise = found.effective_dsr, found.skill_p, found.noise
    if dsr >= PASS_DSR and p <= PASS_P and holds_up(found) and (noise is None or noise.p_value <= PASS_P):
        return "pass"
    quiet = noise is None or noise.p_value <= WEAK_P or unreached(noise)
    return "weak" if dsr >= WEAK_DSR and p <= WEAK_P and quiet else "reject"


def unreached(noise: Noise) -> bool:
    """Whether none of too few shuffled sweeps to show a p-value of 0.10 reached the winner."""
    return noise.reached == 0 and noise.shuffles < 1 / WEAK_P - 1


def holds_up(found: Assessment) -> bool:
    """Whether the best of half the bars did not lose in the other half more often than not."""
    return found.overfitting.loss <= MOST_LOSS or found.overfitting.trials < 2


def _from_trades(trades: int | None) -> str:
    if trades is None:
        return ""
    only = "only " if trades < FEW_TRADES else ""
    return f" from {only}{trades:,} trade{'' if trades == 1 else 's'}"


def _say_length(held: float, needed: float) -> str:
    if math.isnan(needed):
        return f"{held:.1f} years of data held; how many are needed is not defined"
    if math.isinf(needed):
        return f"{held:.1f} years of data held; no number of years lifts a loss above luck"
    return f"{held:.1f} years of data held, {needed:,.1f} needed to tell this Sharpe ratio from luck at 95 %"


def plain_numbers(value: object) -> object:
    """Replace NaN and the infinities inside dicts and lists by text, which JSON has."""
    if isinstance(value, dict):
        return {name: plain_numbers(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_numbers(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value
