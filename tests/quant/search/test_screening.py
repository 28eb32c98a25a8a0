"""A screen as a search: the best rows of a sweep, and every combination a trial. The card is a double."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grn
from grn.kit.errors import MissingError, UnsupportedError, UsageError
from grn.ledger import Ledger
from grn.quant.engine.cuda import launch
from grn.quant.engine.cuda.cards import load_cupy
from grn.quant.engine.grid import Lattice
from grn.quant.schema import load_bars
from grn.quant.search.screening import Screen
from grn.quant.strategy.cross import rank
from grn.quant.strategy.indicators import roc
from grn.quant.strategy.weights import Weights
from grn.quant.strategy.words import close
from tests.quant.engine.cuda.cupy_double import CupyDouble
from tests.quant.markets import cross, two_walks

DATA = load_bars(two_walks(), ("open", "close"))
WIDE = cross(range(2, 42), range(4, 64))


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger.open(tmp_path / "ledger") as book:
        yield book


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card by the double: the kernel's source through the C++ compiler."""
    double = CupyDouble(tmp_path)
    monkeypatch.setattr(launch, "load_cupy", lambda: double)


@pytest.mark.parametrize("by", ["sharpe", "max_drawdown"])
def test_the_best_are_those_of_a_sweep(ledger: Ledger, card: None, by: str) -> None:
    """By the mean over both symbols, more or less of which is better; settings and numbers, bit for bit."""
    data = DATA[:1]
    whole = grn.sweep(WIDE, data, engine="cpu", ledger=ledger, metrics=[by, "trades"]).frame
    found = grn.search(WIDE, data, "screen", n=10, by=by, engine="cpu", ledger=ledger, metrics=[by, "trades"])
    assert len(found) < len(whole)
    descending = by == "sharpe" or whole[by].max() <= 0.0
    columns = [by, "fast", "slow"]
    want = whole.drop_nans(by).sort(columns, descending=[descending, False, False]).head(10)
    got = found.frame.drop_nans(by).sort(columns, descending=[descending, False, False]).head(10)
    assert want[by].to_list() == got[by].to_list()
    rows = {row[:3]: row for row in whole.rows()}
    assert all(rows[row[:3]] == row for row in got.rows())


def test_every_combination_is_a_trial(ledger: Ledger, card: None) -> None:
    """The screen looked at all of them; what it ruled out counts without a Sharpe ratio."""
    found = grn.search(WIDE, DATA, Screen(n=5), engine="cpu", ledger=ledger)
    combinations = len(Lattice.of(WIDE).between(0, 40 * 60))
    assert found.search is not None
    assert found.search["tried"] == combinations
    assert found.trials is not None
    assert found.trials.n == 2 * combinations


def test_without_a_card_it_says_so(ledger: Ledger) -> None:
    """Nothing is guessed on the processor: there a sweep is quicker."""
    try:
        load_cupy()
    except MissingError:
        with pytest.raises(MissingError):
            grn.search(WIDE, DATA, "screen", ledger=ledger)
    else:
        pytest.skip("CuPy is installed here")


def test_what_cannot_be_screened_is_refused(ledger: Ledger, card: None) -> None:
    """Target weights, a metric of the whole distribution, and more rows than there are."""
    weights = Weights(rank(roc(close, 5)) * 0.1)
    with pytest.raises(UnsupportedError, match="signals only"):
        grn.search(weights, DATA, "screen", n=1, ledger=ledger)
    with pytest.raises(UsageError, match="one pass gives"):
        grn.search(WIDE, DATA, "screen", by="var", ledger=ledger)
    with pytest.raises(UsageError, match="some of all combinations"):
        grn.search(WIDE, DATA, "screen", n=10**6, ledger=ledger)


def test_equal_seeds_find_equal_rows(ledger: Ledger, card: None) -> None:
    """Which rows are checked beside the best follows from the seed."""
    one, two = (grn.search(WIDE, DATA, Screen(n=5, seed=3), engine="cpu", ledger=ledger) for _ in range(2))
    assert one.frame_sha256 == two.frame_sha256
    assert np.array_equal(one.grid.values, two.grid.values)
