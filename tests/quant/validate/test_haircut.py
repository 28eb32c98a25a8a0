"""Haircut Sharpe ratios: corrections held to statsmodels, the paper's size of cut, and the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from grn.kit.errors import UsageError
from grn.quant.validate.haircut import METHODS, Method, correct, haircut_sharpe, p_values

THEIRS = {"bonferroni": "bonferroni", "holm": "holm", "bhy": "fdr_by"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_corrections_are_those_of_statsmodels(method: Method, seed: int):
    """`multipletests` of statsmodels 0.14, on p-values with ties."""
    p = np.round(np.random.default_rng(seed).random(60) ** 3, 3)
    assert correct(p, method) == pytest.approx(multipletests(p, method=THEIRS[method])[1], rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_tests_beyond_those_given_count_as_ones(method: Method):
    """Naming the number of tests is handing in p-values of 1 for the rest; NaN stays, and is no test."""
    p = np.array([0.001, math.nan, 0.2, 0.0004])
    padded = correct(np.concatenate((p, np.ones(97))), method)[:4]
    assert correct(p, method, tests=100) == pytest.approx(padded, rel=1e-12, nan_ok=True)
    assert math.isnan(correct(p, method)[1])


def test_many_tests_have_a_harmonic_sum():
    """Past ten thousand the sum of 1 / i comes from its expansion: both agree where they meet."""
    below, above = (float(correct([1e-9], "bhy", tests=count)[0]) / count for count in (10_000, 10_001))
    assert above - below == pytest.approx(1e-9 / 10_001, rel=1e-4)


def test_the_papers_strategy_loses_three_fifths():
    """Harvey & Liu (2015): an annual 0.75 over 20 years of months, 200 tests: a cut of about 60 %.

    By hand: t = 0.75 sqrt(20) = 3.354 with 239 degrees, p = 0.00093, times 200.
    """
    monthly = 0.75 / math.sqrt(12.0)
    assert float(p_values(monthly, 240)) == pytest.approx(0.00093, abs=1e-5)
    bonferroni, holm, bhy = haircut_sharpe([monthly], 240, best=0, tests=200)
    assert bonferroni.p_value == pytest.approx(0.185, abs=1e-3)
    assert bonferroni.haircut == pytest.approx(0.60, abs=0.01)
    assert (holm.p_value, holm.sharpe) == (bonferroni.p_value, bonferroni.sharpe)
    assert bhy.p_value > bonferroni.p_value


def test_one_test_cuts_nothing():
    """A single test pays for itself alone."""
    for cut in haircut_sharpe([0.2], 500, best=0):
        assert cut.sharpe == pytest.approx(0.2, rel=1e-9)
        assert cut.haircut == pytest.approx(0.0, abs=1e-9)


def test_the_hopeless_and_the_undefined():
    """A loss is left with nothing; NaN gives NaN; a p-value below any float cuts nothing visible."""
    assert [cut.sharpe for cut in haircut_sharpe([-0.1, 0.2], 500, best=0)] == [0.0] * 3
    assert all(math.isnan(cut.p_value) for cut in haircut_sharpe([math.nan, 0.2], 500, best=0))
    assert all(math.isnan(cut.p_value) for cut in haircut_sharpe([0.3], 1, best=0))
    assert [cut.haircut for cut in haircut_sharpe([90.0, 0.1], 5000, best=0)] == [0.0] * 3
    assert np.isnan(correct([math.nan], "holm")).all()


def test_arguments_out_of_range_are_refused():
    """Unknown methods, and fewer tests than p-values."""
    with pytest.raises(UsageError):
        correct([0.1], "fisher")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        correct([0.1, 0.2], "holm", tests=1)
