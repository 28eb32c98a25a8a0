"""The first verdict on the winner of a search: skill or luck.

Two independent answers are asked for, and a strategy needs both:

1. *Deflated Sharpe ratio* (a formula): given how many trials were run on this data and how far apart their
   Sharpe ratios lie, how probable is it that the winner has any skill?
2. *Shuffled sweeps* (an experiment): how often does the very same sweep find a winner as good in bars whose
   order was destroyed?

The formula counts every trial in the ledger but takes them as independent; the experiment knows nothing of
earlier trials but contains the real dependence between parameter sets. Each covers the other's weakness.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from grn.quant.validate.sharpe import (
    deflated_sharpe_ratio,
    expected_max_sharpe,
    max_trials,
    min_track_record_length,
    probabilistic_sharpe_ratio,
)

Decision = Literal["pass", "weak", "reject"]

PASS_DSR: Final = 0.95
"""Deflated Sharpe ratio needed to pass: the usual 5 % error, after the correction for selection."""
PASS_P: Final = 0.05
"""Largest p-value against the shuffled sweeps to pass. Below 19 shuffles no p-value is that small."""
WEAK_DSR: Final = 0.90
"""Deflated Sharpe ratio from which a strategy is worth more data instead of the bin."""
WEAK_P: Final = 0.10
"""Largest p-value to be worth more data; with fewer than 9 shuffles: none of them may reach the winner."""

MANY: Final = 10**15
"""More trials than anyone makes."""
FEW_TRADES: Final = 30
"""Below this many trades the verdict says "only": a handful of decisions is no sample."""


@dataclass(frozen=True, slots=True)
class TrialStats:
    """What the verdict needs of the winner.

    ``kurtosis`` is raw, ``ppy`` the bars per year, ``trades`` how many trades its Sharpe ratio comes from,
    ``search_variance`` the variance of the different per-period Sharpe ratios of its own search (NaN below
    two).
    """

    name: str
    sharpe_per_period: float
    n_bars: int
    skew: float
    kurtosis: float
    ppy: float
    trades: int | None = None
    search_variance: float = math.nan


class TrialCount(Protocol):
    """What the verdict needs of the ledger's count."""

    @property
    def n(self) -> int:
        """Trials ever run on the data."""

    @property
    def widest_variance(self) -> float:
        """Largest variance that one run's per-period Sharpe ratios show; NaN when no run has two."""

    @property
    def watermark(self) -> int:
        """The ledger's row up to which was counted."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The best of each shuffled sweep against the winner; ``p_value`` is NaN without shuffles."""

    shuffles: int
    median: float
    highest: float
    reached: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision about the winner of a search, with the numbers that made it.

    Sharpe ratios are annualised (``sharpe``, ``luck``, ``noise``); ``luck`` is the Sharpe ratio that the
    best of ``trials`` trials without skill is expected to show. ``years_needed`` is the length of data at
    which this Sharpe ratio would beat ``luck`` at 95 % (infinite when it is not above it).
    ``trials_allowed`` is the largest number of trials under which the winner's deflated Sharpe ratio still
    passes.
    """

    decision: Decision
    reasons: tuple[str, str, str]
    change: str
    winner: str
    trades: int | None
    sharpe: float
    psr: float
    dsr: float
    luck: float
    trials: int
    trials_allowed: int
    watermark: int
    years_held: float
    years_needed: float
    noise: Noise

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON values; NaN and the infinities as text, as `grn.kit.canonical` writes them."""
        return {
            "decision": self.decision,
            "reasons": list(self.reasons),
            "change": self.change,
            "winner": self.winner,
            "trades": self.trades,
            "sharpe": _json(self.sharpe),
            "psr": _json(self.psr),
            "dsr": _json(self.dsr),
            "luck": _json(self.luck),
            "trials": self.trials,
            "trials_allowed": self.trials_allowed,
            "watermark": self.watermark,
            "years_held": _json(self.years_held),
            "years_needed": _json(self.years_needed),
            "noise": {
                "shuffles": self.noise.shuffles,
                "median": _json(self.noise.median),
                "highest": _json(self.noise.highest),
                "reached": self.noise.reached,
                "p_value": _json(self.noise.p_value),
            },
        }

    def lines(self) -> list[str]:
        """Return the verdict as at most eight lines of plain text."""
        return [
            f"verdict   {self.decision.upper()}: {self.winner}",
            f"winner    Sharpe {self.sharpe:.2f} a year{_from_trades(self.trades)}; "
            f"above 0 with probability {self.psr:.4f}, above luck {self.dsr:.4f}",
            f"trials    {self.trials:,} counted on this data (ledger watermark {self.watermark})",
            *(f"because   {reason}" for reason in self.reasons),
            f"to change {self.change}",
        ]


def judge(
    *,
    winner: TrialStats,
    trials: TrialCount,
    null_best: npt.NDArray[np.float64] | None,
) -> Verdict:
    """Decide whether the winner of a search is more than luck.

    ``pass`` needs a deflated Sharpe ratio of at least 0.95 and a p-value of at most 0.05 against the
    shuffled sweeps; ``weak`` 0.90 and 0.10 (or no shuffle at all that reached the winner, where there are
    too few for such a p-value, or none); everything else is ``reject``, and so is a winner whose statistics
    are not defined.

    Parameters
    ----------
    winner
        The best run. Its Sharpe ratio is per period.
    trials
        Every trial counted on this data, the winner among them; see :func:`luck_variance`.
    null_best
        float64 [K], annualised best Sharpe ratio of each shuffled sweep (NaN: that sweep had none);
        ``None`` or empty when none was run, and then nothing passes.
    """
    n, sr, moments = winner.n_bars, winner.sharpe_per_period, (winner.skew, winner.kurtosis)
    variance = luck_variance(winner.search_variance, trials.widest_variance, n)
    year = math.sqrt(winner.ppy)
    luck = expected_max_sharpe(trials.n, variance)
    skew, kurtosis = moments
    dsr = deflated_sharpe_ratio(sr, n, n_trials=trials.n, variance=variance, skew=skew, kurtosis=kurtosis)
    needed = min_track_record_length(sr, luck, skew=skew, kurtosis=kurtosis) / winner.ppy
    allowed = max_trials(sr, n, variance=variance, skew=skew, kurtosis=kurtosis, confidence=PASS_DSR)
    noise = _compare(sr * year, null_best)
    decision = _decide(dsr, noise)
    held = n / winner.ppy
    return Verdict(
        decision=decision,
        reasons=(
            _deflation(dsr, trials.n, luck * year, sr * year),
            _experiment(noise, sr * year),
            _length(held, needed),
        ),
        change=_change(decision, dsr, noise, trials.n, allowed, held, needed, luck * year),
        winner=winner.name,
        trades=winner.trades,
        sharpe=sr * year,
        psr=probabilistic_sharpe_ratio(sr, 0.0, n, skew=skew, kurtosis=kurtosis),
        dsr=dsr,
        luck=luck * year,
        trials=trials.n,
        trials_allowed=allowed,
        watermark=trials.watermark,
        years_held=held,
        years_needed=needed,
        noise=noise,
    )


def _from_trades(trades: int | None) -> str:
    if trades is None:
        return ""
    only = "only " if trades < FEW_TRADES else ""
    return f" from {only}{trades:,} trade{'' if trades == 1 else 's'}"


def luck_variance(searched: float, widest: float, n_bars: int) -> float:
    """Variance of per-period Sharpe ratios that luck is taken to have: what the hurdle is built from.

    The variance that the winner's own search shows, and at least the widest that any recorded run shows on
    this data, up to 1 / (n_bars - 1): the sampling variance of a strategy without skill (Lo 2002, eq. 8 at
    SR = 0). Nothing measured at all means that sampling variance.

    So the hurdle of a given search never falls when trials are added: clones and a closer look around the
    winner raise the number of trials and cannot shrink the spread below what was seen before. And a sweep
    that costs have ruined lifts it to the sampling variance at most, not to the distance between good and
    ruined.
    """
    if n_bars < 2:
        return math.nan
    without_skill = 1.0 / (n_bars - 1)
    measured = [v for v in (searched, min(widest, without_skill)) if not math.isnan(v)]
    return max(measured, default=without_skill)


def _compare(sharpe: float, null_best: npt.NDArray[np.float64] | None) -> Noise:
    """Rank the winner among the shuffled sweeps; the winner counts as one of them, so p is never 0."""
    best = [] if null_best is None else [float(value) for value in null_best]
    defined = [value for value in best if not math.isnan(value)]
    reached = sum(value >= sharpe for value in defined)
    return Noise(
        shuffles=len(defined),
        median=statistics.median(defined) if defined else math.nan,
        highest=max(defined, default=math.nan),
        reached=reached,
        # A shuffle in which nothing traded is no evidence: it can neither reach the winner nor fall short.
        p_value=(1 + reached) / (1 + len(defined)) if defined and not math.isnan(sharpe) else math.nan,
    )


def _decide(dsr: float, noise: Noise) -> Decision:
    if dsr >= PASS_DSR and noise.p_value <= PASS_P:
        return "pass"
    if dsr >= WEAK_DSR and (
        noise.p_value <= WEAK_P or (noise.reached == 0 and noise.shuffles < 1 / WEAK_P - 1)
    ):
        return "weak"
    return "reject"


def _deflation(dsr: float, n: int, luck: float, sharpe: float) -> str:
    if math.isnan(dsr):
        return f"the deflated Sharpe ratio of {n:,} trials is not defined"
    sign = ">=" if dsr >= PASS_DSR else "<"
    return (
        f"luck in {n:,} trials: Sharpe {luck:.2f}; the winner {sharpe:.2f}: "
        f"deflated probability {dsr:.4f} {sign} {PASS_DSR}"
    )


def _experiment(noise: Noise, sharpe: float) -> str:
    if not noise.shuffles:
        return "there is no shuffled sweep to compare with"
    if math.isnan(noise.p_value):
        return "the winner has no Sharpe ratio to compare with shuffled bars"
    sign = "<=" if noise.p_value <= PASS_P else ">"
    return (
        f"best on shuffled bars: Sharpe {noise.median:.2f} (median) to {noise.highest:.2f}; "
        f"{noise.reached} of {noise.shuffles} reached {sharpe:.2f}: p = {noise.p_value:.3f} {sign} {PASS_P}"
    )


def _length(held: float, needed: float) -> str:
    if math.isnan(needed):
        return f"{held:.1f} years of data held; how many are needed is not defined"
    if math.isinf(needed):
        return f"{held:.1f} years of data held; no number of years lifts this Sharpe ratio above luck"
    return f"{held:.1f} years of data held, {needed:,.1f} needed to tell this Sharpe ratio from luck at 95 %"


def _change(
    decision: Decision,
    dsr: float,
    noise: Noise,
    n: int,
    allowed: int,
    held: float,
    needed: float,
    luck: float,
) -> str:
    """Say what would turn the decision, the nearest thing first."""
    if math.isnan(dsr):
        return "a winner with at least two bars, varying returns and a counted search"
    if decision == "pass":
        if allowed >= MANY:
            return "no number of trials on this data that anyone can make"
        return f"more than {allowed:,} trials on this data would take the pass away"
    if dsr >= PASS_DSR and noise.shuffles < round(1 / PASS_P) - 1:
        return f"at least {round(1 / PASS_P) - 1} shuffled sweeps, at most one in twenty reaching the winner"
    if dsr >= PASS_DSR:
        return "a winner that fewer than one in twenty shuffled sweeps reach"
    if math.isinf(needed):
        return f"a Sharpe ratio above {luck:.2f}, or this one on fresh data after a far smaller search"
    fewer = f"a search of at most {allowed:,} trials instead of {n:,}" if allowed else "no smaller search"
    return f"{needed - held:,.1f} more years at this Sharpe ratio, or {fewer}"


def _json(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
