"""The complete verdict on a search: one function of the returns of its trials.

Three questions, and the winner needs all three answers:

1. *Is it more than the best of that much luck?* The deflated Sharpe ratio, at the effective number of trials.
   It pays for every trial that the ledger counted, also for those whose returns are gone.
2. *Is it more than the best of these trials would show without skill?* Hansen's test for superior predictive
   ability on the trials' own returns: their dependence, tails and clustered volatility are in it.
3. *Does choosing by the past help?* Combinatorially symmetric cross-validation: the best trial of half the
   bars must not lose in the other half more often than not.

Shuffled sweeps, where a sweep can be run again, are a fourth: they take the sample's drift as given.

What luck is measured by. Without skill a Sharpe ratio over n bars has the variance 1 / (n - 1) (Lo 2002,
eq. 8 at 0), whatever the strategy. The spread across the trials of a sweep is not used: real skill that
trials share widens it, so does a fee that ruins some, and clones narrow it, and none of that is luck.
`benchmarks.calibrate` measures how often this verdict is wrong.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.autocorrelation import adjusted_sharpe_ratio
from grn.quant.validate.clusters import MOST, effective_trials
from grn.quant.validate.haircut import Haircut, haircut_sharpe
from grn.quant.validate.overfitting import BLOCKS, Overfitting, measure_overfitting
from grn.quant.validate.returns import keep_defined, shape_of, sharpe_ratios
from grn.quant.validate.sharpe import (
    deflated_sharpe_ratio,
    expected_max_sharpe,
    max_trials,
    min_track_record_length,
    probabilistic_sharpe_ratio,
)
from grn.quant.validate.superiority import Superiority, measure_superiority

Decision = Literal["pass", "weak", "reject"]

PASS_DSR: Final = 0.95
PASS_P: Final = 0.05
WEAK_DSR: Final = 0.90
WEAK_P: Final = 0.10
MOST_LOSS: Final = 0.5
"""Share of splits in which the best of one half may lose in the other, for a pass."""
RESAMPLES: Final = 1_000
"""A p-value of 0.05 from these is known to 0.007 (one standard error)."""
MANY: Final = 10**15
"""More trials than anyone makes."""


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
    years_held, years_needed
        Data there is, and data at which this Sharpe ratio would be above ``effective_luck`` at 95 %.
    trials_allowed
        Trials under which the winner still passes the first question: more than these as independent ones,
        fewer as much alike as these.
    noise_p
        Share of shuffled sweeps that reached the winner, itself included; NaN where none was run.
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
    years_held: float
    years_needed: float
    trials_allowed: int
    noise_p: float
    superiority: Superiority
    overfitting: Overfitting
    haircuts: tuple[Haircut, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON values; NaN and the infinities as text."""
        spa, cscv = self.superiority, self.overfitting
        plain: dict[str, Any] = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("superiority", "overfitting", "haircuts")
        }
        plain["reasons"] = list(self.reasons)
        plain["superiority"] = {
            "p_value": spa.p_value,
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
        found = _plain(plain)
        assert isinstance(found, dict)
        return found

    def lines(self) -> list[str]:
        """Return the verdict as a few lines of plain text."""
        return [
            f"verdict   {self.decision.upper()}",
            f"winner    Sharpe {self.sharpe:.2f} a year "
            f"({self.adjusted_sharpe:.2f} with its autocorrelation); above 0 with probability {self.psr:.4f}",
            f"trials    {self.counted:,} counted, worth {self.effective:,.0f} independent ones",
            *(f"because   {reason}" for reason in self.reasons),
            f"to change {self.change}",
        ]


def assess(
    returns: npt.ArrayLike,
    *,
    ppy: float,
    sampled: int | None = None,
    counted: int | None = None,
    null_best: npt.ArrayLike | None = None,
    resamples: int = RESAMPLES,
    block: int | None = None,
    blocks: int = BLOCKS,
    seed: int = 0,
    threads: int | None = None,
) -> Assessment:
    """Decide whether the best of many trials is more than luck.

    ``pass`` needs an effective deflated Sharpe ratio of at least 0.95, a p-value of superiority of at most
    0.05, and a share of lost splits of at most one half; ``weak`` 0.90 and 0.10; everything else is
    ``reject``, and so is a search in which nothing is defined. Where shuffled sweeps are given, their
    p-value has the same bounds. With a single trial nothing was chosen, and the third question falls away.

    Parameters
    ----------
    returns
        Returns per bar of the trials, float [bars, trials], the winner among them; at most
        `grn.quant.validate.clusters.MOST` trials. A trial with a NaN or constant returns counts and cannot
        win.
    ppy
        Bars per year.
    sampled
        Trials of this search, where the columns are a sample of them.
    counted
        Trials ever made on this data, where they are more than those of this search.
    null_best
        Best annual Sharpe ratio of each shuffled sweep, float [shuffles]; NaN for one that had none.
    resamples, block, seed
        Of the bootstrap: resamples, bars per block (default: the cube root of the bars), and seed.
    blocks
        Of the cross-validation, even.
    threads
        Default: as many as there are processors. The numbers do not depend on it.

    Raises
    ------
    UsageError
        Too many trials, or an argument out of its range.
    """
    if not ppy > 0.0:
        raise UsageError("bars per year must be above 0", seen=ppy)
    matrix = np.asarray(returns, dtype=np.float64)
    trials = keep_defined(matrix)
    if trials.given > MOST:
        raise UsageError(
            "too many trials at once",
            seen=f"{trials.given:,}",
            hint=f"give the winner and a sample of the others, at most {MOST:,}, and their number as counted",
        )
    total = max(trials.given, sampled or 0, counted or 0)
    n, year = trials.n_bars, math.sqrt(ppy)
    ratios = sharpe_ratios(trials.returns)
    top = int(np.argmax(ratios)) if trials.kept else -1
    sharpe = float(ratios[top]) if trials.kept else math.nan
    series = trials.returns[:, top] if trials.kept else np.empty(0)
    skew, kurtosis = shape_of(series)
    effective = max(effective_trials(matrix, sampled=sampled, counted=total), 1.0)
    variance = 1.0 / (n - 1) if n > 1 else math.nan
    shape = {"skew": skew, "kurtosis": kurtosis}

    def deflate(number: float) -> tuple[float, float]:
        dsr = deflated_sharpe_ratio(sharpe, n, n_trials=number, variance=variance, **shape)
        return expected_max_sharpe(number, variance), dsr

    luck, dsr = deflate(float(total))
    effective_luck, effective_dsr = deflate(effective)
    spa = measure_superiority(matrix, resamples=resamples, block=block, seed=seed, threads=threads)
    cscv = measure_overfitting(matrix, blocks=blocks, threads=threads)
    noise_p = _rank(sharpe * year, null_best)
    allowed = max_trials(sharpe, n, variance=variance, confidence=PASS_DSR, **shape)
    needed = min_track_record_length(sharpe, effective_luck, **shape) / ppy
    found = Assessment(
        decision="reject",
        reasons=("", "", ""),
        change="",
        best=int(trials.columns[top]) if trials.kept else -1,
        sharpe=sharpe * year,
        adjusted_sharpe=adjusted_sharpe_ratio(series, max(1, round(ppy))),
        **shape,
        psr=probabilistic_sharpe_ratio(sharpe, 0.0, n, **shape),
        counted=total,
        effective=effective,
        luck=luck * year,
        dsr=dsr,
        effective_luck=effective_luck * year,
        effective_dsr=effective_dsr,
        years_held=n / ppy,
        years_needed=needed,
        trials_allowed=_in_trials(allowed, effective, total),
        noise_p=noise_p,
        superiority=spa,
        overfitting=cscv,
        haircuts=haircut_sharpe(ratios, n, best=top, tests=total) if trials.kept else (),
    )
    decided = dataclasses.replace(found, decision=decide(found))
    return dataclasses.replace(decided, reasons=give_reasons(decided), change=say_change(decided))


def decide(found: Assessment) -> Decision:
    """Draw the decision from the numbers of an assessment."""
    dsr, p, noise = found.effective_dsr, found.superiority.p_value, found.noise_p
    quiet = math.isnan(noise)
    if dsr >= PASS_DSR and p <= PASS_P and (quiet or noise <= PASS_P) and holds_up(found):
        return "pass"
    return "weak" if dsr >= WEAK_DSR and p <= WEAK_P and (quiet or noise <= WEAK_P) else "reject"


def holds_up(found: Assessment) -> bool:
    """Whether the best of half the bars did not lose in the other half more often than not."""
    return found.overfitting.loss <= MOST_LOSS or found.overfitting.trials < 2


def give_reasons(found: Assessment) -> tuple[str, str, str]:
    """Return the three facts of a decision, a sentence each."""
    spa, cscv, counted = found.superiority, found.overfitting, f"{found.counted:,} trials"
    if math.isnan(found.effective_dsr):
        luck = f"the deflated Sharpe ratio of {counted} is not defined"
    else:
        luck = (
            f"luck in {counted}, worth {found.effective:,.0f} independent ones: Sharpe "
            f"{found.effective_luck:.2f}; the winner {found.sharpe:.2f}: deflated probability "
            f"{found.effective_dsr:.4f} {'>=' if found.effective_dsr >= PASS_DSR else '<'} {PASS_DSR} "
            f"({found.dsr:.4f} were all of them independent)"
        )
    if math.isnan(spa.p_value):
        skill = "too few bars, or no trial with a Sharpe ratio, to resample"
    else:
        skill = (
            f"the best of these trials, resampled {spa.resamples:,} times without skill: "
            f"p = {spa.p_value:.4f} {'<=' if spa.p_value <= PASS_P else '>'} {PASS_P}"
        )
    if cscv.trials < 2:
        choice = (
            "nothing was chosen: a single trial has a Sharpe ratio" if cscv.trials else "nothing was chosen"
        )
    elif math.isnan(cscv.loss):
        choice = f"too few bars to cut them into {cscv.blocks} blocks"
    else:
        choice = (
            f"chosen on half of the bars, the best loses on the other half in {cscv.loss:.1%} of "
            f"{cscv.logits.size:,} splits, and is below the median in {cscv.pbo:.1%} (overfitting)"
        )
    return luck, skill, choice


def say_change(found: Assessment) -> str:
    """Return what would turn the decision, the nearest thing first."""
    if math.isnan(found.effective_dsr) or math.isnan(found.superiority.p_value):
        return "a winner with enough bars and varying returns"
    if found.decision == "pass":
        if found.trials_allowed >= MANY:
            return "no number of trials on this data that anyone can make"
        return f"more than {found.trials_allowed:,} trials on this data would take the pass away"
    if found.effective_dsr < PASS_DSR:
        if math.isinf(found.years_needed):
            return (
                f"a Sharpe ratio above {found.effective_luck:.2f}, or this one on fresh data after a far "
                "smaller search"
            )
        more = f"{found.years_needed - found.years_held:,.1f} more years at this Sharpe ratio"
        if not found.trials_allowed:
            return f"{more}; no smaller search"
        return f"{more}, or a search of at most {found.trials_allowed:,} trials instead of {found.counted:,}"
    if found.superiority.p_value > PASS_P:
        return "more data, or fewer trials that are as volatile as the winner is good"
    if not holds_up(found):
        return "a search whose best of one half of the bars earns in the other half"
    return "a winner that fewer than one in twenty shuffled sweeps reach"


def _in_trials(allowed: int, effective: float, total: int) -> int:
    """Turn a number of independent trials into trials that are counted."""
    if allowed >= effective:
        return total + int(allowed - effective)
    return int(allowed * (total / effective))


def _rank(sharpe: float, null_best: npt.ArrayLike | None) -> float:
    """Rank the winner among the shuffled sweeps, itself one of them; one in which nothing traded is none."""
    best = np.empty(0) if null_best is None else np.asarray(null_best, dtype=np.float64)
    best = best[~np.isnan(best)]
    if not best.size or math.isnan(sharpe):
        return math.nan
    return float(1 + np.count_nonzero(best >= sharpe)) / float(1 + best.size)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value
