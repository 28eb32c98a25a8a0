"""One small sweep on two symbols, recorded and judged once for the whole room."""

from __future__ import annotations

import pytest

from grn.ledger import Ledger
from grn.quant.judge import validate
from grn.quant.result import SweepResult
from grn.quant.strategy.costs import Costs
from grn.quant.sweep import sweep
from grn.quant.validation import Validation
from tests.quant.markets import cross, two_walks


@pytest.fixture(scope="session")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Six combinations on A and B, 400 bars each, with fees and slippage."""
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as ledger:
        return sweep(
            cross(range(2, 6), (5, 8, 13)), two_walks(400), costs=Costs(fee=0.001, slippage=0.0005),
            engine="reference", ledger=ledger,
        )  # fmt: skip


@pytest.fixture(scope="session")
def validation(result: SweepResult) -> Validation:
    return validate(result, shuffles=8, block=5)
