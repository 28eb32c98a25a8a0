from __future__ import annotations

import re

import numpy as np

from grn.quant.result import SweepResult


def test_card_shows_the_best_rows(result: SweepResult) -> None:
    """Headline and the five best by Sharpe ratio, result.best() first; no script, no style sheet."""
    text = result._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    assert len(rows) == 6
    best = result.row(result.best())
    assert f">{best['symbol']}<" in rows[1]
    assert f">{best['fast']}<" in rows[1]
    assert not re.search(r"<script|<style|on\w+=", text)
    assert result.trials is not None
    assert f"{result.trials.n:,} trials" in text


def test_card_is_deterministic_without_a_sharpe_ratio(result: SweepResult) -> None:
    """Rows without a Sharpe ratio come in their order."""
    import dataclasses

    blank = tuple(np.full(len(result.grid), np.nan) for _ in result.bars)
    empty = dataclasses.replace(result, trial_sharpes=blank)
    assert empty._repr_html_() == empty._repr_html_()
    assert "Sharpe ratio −" not in empty._repr_html_()
