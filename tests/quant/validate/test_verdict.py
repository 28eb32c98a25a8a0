"""What a verdict says: lines that a person reads, and plain values."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from grn.kit.canonical import canonical_json
from grn.quant.validate.assessment import assess
from grn.quant.validate.reasons import give_reasons, say_change
from grn.quant.validate.verdict import Assessment, Noise, decide


@pytest.fixture(scope="module")
def found() -> Assessment:
    """Ten years of noise with one edge, judged with four shuffled sweeps."""
    x = np.random.default_rng(0).normal(0.0, 0.01, (2520, 30))
    x[:, 7] += 0.01 * 2.5 / math.sqrt(252)
    return assess(x, ppy=252.0, resamples=300, blocks=8, counted=4000, null_best=[0.2, 0.4, 0.6, 0.8])


def _changed(found: Assessment, **change: object) -> Assessment:
    """The assessment with other numbers, decided and worded anew."""
    other = dataclasses.replace(found, **change)  # type: ignore[arg-type]
    other = dataclasses.replace(other, decision=decide(other))
    return dataclasses.replace(other, reasons=give_reasons(other), change=say_change(other))


def test_the_text_is_short_and_says_why(found: Assessment):
    """The whole text, with numbers set by hand."""
    cscv = dataclasses.replace(found.overfitting, loss=0.125, pbo=0.2, logits=np.zeros(70))
    spa = dataclasses.replace(found.superiority, peaks=np.full((300, 3), -1.0))
    noise = Noise(99, 0.7, 1.2, 0, 0.01)
    one = _changed(
        found, sharpe=2.5, adjusted_sharpe=2.4, psr=1.0, counted=4000, effective=100.4, effective_luck=1.79,
        effective_dsr=0.9004, dsr=0.61, years_held=5.0, years_needed=8.2, trials_allowed=46, superiority=spa,
        overfitting=cscv, noise=noise, skill_p=0.0033, sharpe_needed=2.62,
    )  # fmt: skip
    assert one.lines(winner="sma 12/80", trades=120) == [
        "verdict   WEAK: sma 12/80",
        "winner    Sharpe 2.50 a year from 120 trades, 2.40 with its autocorrelation; "
        "above 0 with probability 1.0000",
        "trials    4,000 counted on this data, worth 100 independent ones",
        "because   luck in 4,000 trials, worth 100 independent: Sharpe 1.79; the winner 2.50: "
        "deflated probability 0.9004 < 0.95",
        "because   reached by the best of resampled trials without skill: p = 0.003 <= 0.05; "
        "best on shuffled bars 0.70 (median) to 1.20, 0 of 99 reached 2.50: p = 0.010 <= 0.05",
        "because   chosen on half of the bars, the best loses on the others in 12.5% <= 50% of 70 splits "
        "(overfitting 20.0%)",
        "length    5.0 years of data held, 8.2 needed to tell this Sharpe ratio from luck at 95 %",
        "to change 3.2 more years at this Sharpe ratio, a Sharpe ratio of 2.62, or as many years of fresh "
        "data, searched once",
    ]


def test_few_trades_are_said(found: Assessment):
    """Fewer than 30 are "only"; one is no plural; unknown are not mentioned."""
    said = [found.lines(trades=n)[1] for n in (29, 30, 1, None)]
    assert ["from only 29 trades" in said[0], "from 30 trades" in said[1]] == [True, True]
    assert ["from only 1 trade," in said[2], "from" in said[3]] == [True, False]


def test_a_winner_below_luck_needs_forever(found: Assessment):
    """No number of years lifts a loss."""
    one = _changed(found, effective_dsr=0.4, years_needed=math.inf)
    assert one.decision == "reject"
    assert "no number of years" in one.lines()[-2]
    assert "another idea on fresh data" in one.change
    assert one.to_dict()["years_needed"] == "Infinity"


def test_years_needed_and_trials_allowed_agree_with_the_decision():
    """The deflated probability is at 95 % exactly when the data held is at least the data needed, and when no
    more trials were counted than are allowed.
    """
    x = np.random.default_rng(1).normal(0.0, 0.01, (2520, 4))
    x[:, 2] += 0.01 * 1.45 / math.sqrt(252)
    held = []
    for counted in (4, 8, 16, 32, 64, 128, 256, 1024, 10**5):
        one = assess(x, ppy=252.0, resamples=20, blocks=4, counted=counted)
        held.append(one.effective_dsr >= 0.95)
        assert held[-1] == (one.years_held >= one.years_needed)
        assert held[-1] == (one.counted <= one.trials_allowed)
    assert held == sorted(held, reverse=True)
    assert len(set(held)) == 2


def test_the_plain_form_is_canonical(found: Assessment):
    """`to_dict` holds plain values that the ledger can hash, all numbers of the assessment among them."""
    plain = found.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert canonical_json(plain) == canonical_json(found.to_dict())
    assert set(plain) == set(Assessment.__dataclass_fields__)
    assert plain["noise"]["reached"] == 0  # type: ignore[index]
