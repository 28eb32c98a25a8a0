from __future__ import annotations

from pathlib import Path

import pytest

from grn.fit.card import GIB, Place
from grn.fit.known import MODELS
from grn.fit.trained import COMMAND, Ratio, recall_ratio, weigh_ratios
from grn.fit.training import Job
from grn.fit.tuning import plan_training
from grn.ledger import Ledger


def test_what_runs_took_is_found_again(tmp_path: Path) -> None:
    """Of this device and method, the newest nine, and none that is too small or never ended."""
    with Ledger.open(tmp_path) as book:

        def enter(
            predicted: object, actual: object, *, device: str = "a card", method: str = "qlora"
        ) -> None:
            run = book.begin(COMMAND, {"recipe": "x"})
            outputs = {
                "device": device,
                "method": method,
                "predicted_bytes": predicted,
                "actual_bytes": actual,
            }
            book.finish(run, exit_code=0, outputs=outputs)

        enter(GIB, 5 * GIB)  # too long ago
        for _ in range(7):
            enter(2 * GIB, 2 * GIB)
        enter(2 * GIB, int(2.2 * GIB))
        enter(2 * GIB, int(1.8 * GIB))
        enter(GIB, 9 * GIB, device="another")
        enter(GIB, 9 * GIB, method="full")
        enter(1 << 20, 9 << 20)
        enter(None, GIB)
        book.begin(COMMAND, {"recipe": "y"})
        assert recall_ratio(book, "a card", "qlora") == Ratio(1.0, pytest.approx(0.1), 9)
        assert recall_ratio(book, "a card", "lora") is None
    assert weigh_ratios([]) is None


def test_a_prediction_is_calibrated() -> None:
    """All that memory decides moves with what runs took: 20 % less, and a longer sequence fits."""
    model, card = MODELS["Llama-3.1-8B"], Place("a card", 8 * GIB, None, None, None)
    job = Job(batch=2)
    plain, less = plan_training(model, job, card), plan_training(model, job, card, factor=0.8, error=0.05)
    assert less.memory.device == pytest.approx(0.8 * plain.memory.device)
    assert less.memory.upper == pytest.approx(0.8 * plain.memory.upper)
    assert less.error == pytest.approx(0.05 * less.memory.device)
    assert less.memory.weights == plain.memory.weights
    assert less.largest_seq > plain.largest_seq
    assert (plain.verdict.where, less.verdict.where) == ("changed", "tight")
