"""Which engine `auto` takes when there are cards, and what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grn.kit.errors import MissingError, MissingExtraError, UnsupportedError
from grn.quant import Strategy, Weights, close, sma
from grn.quant.engine import choose
from grn.quant.engine.choose import Work, choose_engine
from grn.quant.engine.cuda.cards import Card, find_cards
from tests.quant.engine.cuda.cupy_double import CupyDouble

CROSS = Strategy(close > sma(close, 3), close < sma(close, 3))
PLAIN = "fused kernels cover everything the strategy uses"
SMALL, LARGE = Work(1_000, 10_000, 2), Work(1_000_000, 20_000, 2)


@pytest.fixture
def cards(tmp_path: Path) -> tuple[Card, ...]:
    """One card with the facts of an H100."""
    return find_cards(CupyDouble(tmp_path))


def test_a_large_sweep_goes_to_the_card_that_is_predicted_to_be_faster(cards: tuple[Card, ...]) -> None:
    """20 billion bar-combinations: the card, with both predicted times as the reason."""
    choice = choose_engine(CROSS, "auto", LARGE, look=lambda: cards)
    assert choice.engine == "cuda"
    # 2e10 / (2 x 700e6) on two threads.  132 x 128 x 1.98 GHz x 0.3 / 192 are 52e9 per second: 0.38 s, beside
    # 1.5 s of start and 0.03 s of copies.
    assert choice.reason == "predicted 1.9 s on a double of a card, 14.3 s on 2 threads"


def test_a_small_sweep_stays_on_the_processor_and_asks_no_card() -> None:
    """Ten million bar-combinations are done before CuPy is imported: nobody looks."""

    def look() -> tuple[Card, ...]:
        raise AssertionError("a card was asked")

    assert choose_engine(CROSS, "auto", SMALL, look=look).engine == "cpu"
    assert choose_engine(CROSS, "auto", look=look).reason == PLAIN


def test_a_fast_processor_keeps_a_sweep(cards: tuple[Card, ...]) -> None:
    """A slow card beside a fast processor, or no card at all: the reason has both figures, or none."""
    assert choose_engine(CROSS, "auto", Work(4_000_000, 20_000, 1_000), look=lambda: cards).engine == "cpu"
    assert choose_engine(CROSS, "auto", LARGE, look=lambda: cards[:0]) == choose.Choice("cpu", PLAIN)
    slow = [Card(0, "GPU-1", "a slow one", "89", 2, 1e9, 64, 1 << 30, 1 << 30)]
    choice = choose_engine(CROSS, "auto", LARGE, look=lambda: slow)
    assert choice.engine == "cpu"
    assert choice.reason.startswith(f"{PLAIN}; predicted ")
    assert choice.reason.endswith("s on a slow one, 14.3 s on 2 threads")


def test_without_cupy_the_reason_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who has no card reads about cards."""
    monkeypatch.setattr(choose, "is_installed", lambda: False)
    assert choose_engine(CROSS, "auto", LARGE) == choose.Choice("cpu", PLAIN)


def test_a_card_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without CuPy the error is the command that installs it, without a card what `nvidia-smi` must list."""
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingExtraError, match="needs the package 'cupy'") as caught:
        choose_engine(CROSS, "cuda")
    assert "[cuda]" in (caught.value.hint or "")
    monkeypatch.setattr(choose, "load_cupy", lambda: CupyDouble(tmp_path, ()))
    with pytest.raises(MissingError, match="finds no NVIDIA card"):
        choose_engine(CROSS, "cuda")
    monkeypatch.setattr(choose, "is_installed", lambda: True)
    assert choose.look_for_cards() == ()
    monkeypatch.setattr(choose, "load_cupy", lambda: CupyDouble(tmp_path))
    assert choose_engine(CROSS, "cuda") == choose.Choice("cuda", "asked for")
    assert len(choose.look_for_cards()) == 1


def test_target_weights_are_refused_by_name(cards: tuple[Card, ...]) -> None:
    """One account for all symbols runs on the cpu engine, asked for or not."""
    weights = Weights(close / close)
    with pytest.raises(UnsupportedError, match="target weights run on the cpu engine"):
        choose_engine(weights, "cuda")
    assert choose_engine(weights, "auto", LARGE, look=lambda: cards).engine == "cpu"
