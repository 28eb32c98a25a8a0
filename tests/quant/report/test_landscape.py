from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from grn.ledger import Ledger
from grn.quant.report.landscape import (
    MOST_CELLS,
    free_params,
    look_around,
    rank_correlation,
    rank_of,
    survey,
)
from grn.quant.result import SweepResult
from grn.quant.strategy.expr import param
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close
from grn.quant.sweep import sweep
from tests.quant.markets import random_walk


def test_map_holds_the_frames_numbers(result: SweepResult) -> None:
    """Every cell is the frame's value at its parameters, NaN where the combination was not run."""
    found = survey(result, "total_return", market=1, row=0)
    assert found.names == ("fast", "slow")
    for i, slow in enumerate(found.axes[1].tolist()):
        for j, fast in enumerate(found.axes[0].tolist()):
            here = result.frame.filter(symbol="B", fast=int(fast), slow=int(slow))["total_return"]
            value = here[0] if len(here) else float("nan")
            assert found.z[i, j] == value or (np.isnan(found.z[i, j]) and np.isnan(value))


def test_empty_cells_are_told_apart(result: SweepResult) -> None:
    """Of 4 x 3 cells the one with fast = slow = 5 was not run; a metric that is missing leaves the rest."""
    import dataclasses

    found = survey(result, "sharpe", market=0, row=0)
    assert (found.unrun, found.undefined) == (1, 0)
    gone = result.frame.with_columns(pl.lit(float("nan")).alias("sharpe"))
    bare = survey(dataclasses.replace(result, frame=gone), "sharpe", market=0, row=0)
    assert (bare.unrun, bare.undefined) == (1, 11)
    assert [t.tolist() for t in bare.tried] == [[2.0, 3.0, 4.0, 5.0], [5.0, 8.0, 13.0]]


def test_other_parameters_are_held_at_the_row(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of four parameters that vary the first two are drawn; a constant one is passed over."""
    a, fixed, b = param("a", [1, 2]), param("fixed", [0.0]), param("b", [0.9, 1.0, 1.1])
    c, d = param("c", [1, 3]), param("d", [0.0, 1.0])
    strategy = Strategy(entry=close > close.lag(a) * b + fixed, exit=close < close.lag(c) - d)
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as ledger:
        found = sweep(strategy, random_walk(60), engine="reference", ledger=ledger)
    row = 7
    drawn = survey(found, "total_return", market=0, row=row)
    at = found.row(row)
    names = drawn.names
    assert "fixed" not in (*names, *drawn.fixed)
    assert drawn.fixed == {n: at[n] for n in ("a", "b", "c", "d") if n not in names}
    held = found.frame.filter(*(pl.col(k) == v for k, v in drawn.fixed.items()))
    assert np.sort(drawn.z.ravel()).tolist() == np.sort(held["total_return"].to_numpy()).tolist()
    assert len(free_params(found)) == 4


def test_wide_axes_are_averaged() -> None:
    """More values than cells: groups of neighbours, each cell the mean of its settings."""
    from grn.quant.report.landscape import _axis, _mean

    values = np.arange(1000.0)
    axis, place, group = _axis(values)
    assert len(axis) <= MOST_CELLS
    assert group == 4
    assert axis[:2].tolist() == [1.5, 5.5]
    assert _mean(values * 2.0, [place], [len(axis)])[:2].tolist() == [3.0, 11.0]


def test_plateau_and_spike_are_told_apart(result: SweepResult) -> None:
    """A setting like its neighbours is a plateau, one far above them a spike, one below zero neither."""
    import dataclasses

    n = len(result.grid)
    for around, word in ((0.95, "plateau"), (0.65, "slope"), (0.1, "spike")):
        sharpes = np.full(n, around)
        sharpes[4] = 1.0
        found = look_around(dataclasses.replace(result, trial_sharpes=(sharpes, sharpes)), 4)
        assert found is not None
        assert found.word == word
        assert found.share == pytest.approx(around)
    nothing = dataclasses.replace(result, trial_sharpes=(np.full(n, -1.0),) * 2)
    assert look_around(nothing, 4) is None


def test_rank_counts_those_above() -> None:
    """1 is best, missing values are not counted and have no rank."""
    sharpes = np.array([0.1, np.nan, 0.3, 0.2])
    assert [rank_of(sharpes, i) for i in range(4)] == [(3, 3), (0, 3), (1, 3), (2, 3)]


def test_rank_correlation_is_spearmans() -> None:
    """As scipy.stats.spearmanr (scipy 1.16), ties included; NaN without variation."""
    rng = np.random.default_rng(8)
    a, b = rng.integers(0, 9, 200).astype(float), rng.normal(size=200)
    b += a
    a[3] = b[9] = np.nan
    both = ~(np.isnan(a) | np.isnan(b))
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a[both], b[both]).statistic, abs=1e-12)
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))
