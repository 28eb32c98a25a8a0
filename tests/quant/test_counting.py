"""Trials of a result, counted when they are asked for: from its own ledger or not at all."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

import grn
from grn.kit.errors import LedgerError
from grn.ledger import Ledger
from grn.quant import Bars, Strategy, close, load_bars, param, sma

STRATEGY = Strategy(close > sma(close, param("n", range(5, 12))), close < sma(close, 5))


@pytest.fixture
def bars() -> Bars:
    """A year of one sample."""
    return load_bars("SP500", needs=["open"])[0].head(250)


def test_a_moved_working_folder_does_not_matter(
    bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger given by a relative path is found again from another working folder."""
    monkeypatch.chdir(tmp_path)
    with Ledger.open(Path("mine")) as ledger:
        result = grn.sweep(STRATEGY, bars, ledger=ledger)
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    assert result.trials is not None
    assert result.trials.n == 7
    assert not list((tmp_path / "else").iterdir())


def test_a_ledger_that_is_gone_is_an_error(bars: Bars, tmp_path: Path) -> None:
    """Nothing is counted, and nothing created, where the run is not known."""
    with Ledger.open(tmp_path / "one") as ledger:
        result = grn.sweep(STRATEGY, bars, ledger=ledger)
    shutil.rmtree(tmp_path / "one")
    with pytest.raises(LedgerError, match="gone"):
        _ = result.trials
    assert not (tmp_path / "one").exists()
    with Ledger.open(tmp_path / "one") as other:
        grn.sweep(STRATEGY, bars.head(100), ledger=other)
        grn.sweep(STRATEGY, bars.head(120), ledger=other)
    with pytest.raises(LedgerError, match="does not know this run"):
        _ = result.trials


def test_a_result_pickles(bars: Bars) -> None:
    """Worker processes hand results back."""
    result = grn.sweep(STRATEGY, bars)
    again = pickle.loads(pickle.dumps(result))
    assert again.frame.equals(result.frame)
    assert again.trials == result.trials
