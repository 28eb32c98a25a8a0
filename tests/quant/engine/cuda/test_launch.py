"""The launcher on a double of CuPy: batches, full, lost and several cards; always the cpu engine's bits."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grn.kit.errors import BudgetError, MissingError, UnsupportedError
from grn.quant import Costs, Rules, Strategy, close, param, sma
from grn.quant.engine import cpu
from grn.quant.engine.cuda import fleet, launch, predict, source
from grn.quant.engine.cuda.cards import Card, find_cards
from grn.quant.engine.cuda.launch import CardLostError, Kept
from grn.quant.engine.plan import build_grid, build_layout, build_plan
from grn.quant.metrics.accumulators import accumulator_names
from tests.property.markets import make_bars
from tests.quant.engine.cuda.cupy_double import CupyDouble

FAST, SLOW = param("fast", range(2, 32)), param("slow", range(5, 65))
CROSS = Strategy(
    sma(close, FAST).crosses_above(sma(close, SLOW)), sma(close, FAST).crosses_below(sma(close, SLOW))
)
RULES = Rules(costs=Costs(fee=0.001))
GROUPS = ("drawdown", "moments", "trades")
BARS = make_bars(np.random.default_rng(5), n_bars=150, kind="walk")
PLAN, GRID = build_plan(CROSS, RULES), build_grid(CROSS, 1.0)
LAYOUT = build_layout(PLAN, GRID)
TABLES = 8 * (len(LAYOUT.series) * (150 + PLAN.pad) + 10 * 150 + 200)
ROW = 4 * 2 + 8 * (2 + len(accumulator_names(GROUPS)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of compiled kernels for all tests here."""
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """What the cpu engine gives."""
    return cpu.run(PLAN, LAYOUT, GRID, BARS, RULES, GROUPS, threads=1)


def run(double: CupyDouble, **options: Any) -> np.ndarray:
    """The sweep on a double."""
    return launch.run(PLAN, LAYOUT, GRID, BARS, RULES, GROUPS, cupy=double, **options)


def test_one_card_gives_the_bits_of_the_cpu(folder: Path, truth: np.ndarray) -> None:
    """1,800 combinations on one card, two streams: the same bytes, and progress counts each row once."""
    counted: list[int] = []
    found = run(CupyDouble(folder), progress=counted.append)
    assert found.tobytes() == truth.tobytes()
    assert sum(counted) == len(GRID) == 1_800
    assert len(counted) == predict.LANES


@pytest.mark.parametrize("rows", [128, 256, 640])
def test_batches_of_any_size_give_the_same_bytes(rows: int, folder: Path, truth: np.ndarray) -> None:
    """A card with room for few rows gets many batches, the last of them short."""
    need = TABLES + 2 * rows * ROW
    double = CupyDouble(folder, (int(need / (1.0 - predict.KEPT_FREE)) + 2_000,))
    counted: list[int] = []
    assert run(double, progress=counted.append).tobytes() == truth.tobytes()
    assert max(counted) <= rows
    assert double.cards[0].launches == len(counted) >= 1_800 // rows


def test_several_cards_share_the_work(folder: Path, truth: np.ndarray) -> None:
    """Three cards of different size: each launches something, the bytes are the same."""
    small = int((TABLES + 2 * 128 * ROW) / (1.0 - predict.KEPT_FREE)) + 2_000
    double = CupyDouble(folder, (1 << 30, small, 1 << 30))
    assert run(double).tobytes() == truth.tobytes()
    assert all(card.launches for card in double.cards)


def test_a_batch_that_has_no_room_is_halved(
    folder: Path, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone took memory after the look at it: half a batch, then a quarter, the same bytes."""
    wide = predict.Size(1_024, "planned before someone else took memory")
    monkeypatch.setattr(launch, "size_batch", lambda *_: wide)
    double = CupyDouble(folder, (TABLES + 2 * 300 * ROW,))
    counted: list[int] = []
    assert run(double, progress=counted.append).tobytes() == truth.tobytes()
    assert max(counted) == 256


def test_a_card_without_room_is_a_clear_error(folder: Path) -> None:
    """Not even one block fits: what the tables take, what is free, and what to do."""
    with pytest.raises(BudgetError, match=r"out of memory on every card: the tables take") as caught:
        run(CupyDouble(folder, (TABLES + 20_000,)))
    assert "GiB free of" in str(caught.value)
    assert 'engine="cpu"' in (caught.value.hint or "")
    with pytest.raises(BudgetError, match="out of memory"):
        run(CupyDouble(folder, (TABLES // 2,)))


def test_memory_that_another_process_has_leased_is_not_taken(folder: Path, truth: np.ndarray) -> None:
    """A lease shrinks the batches; one of all the memory leaves no card; nothing stays leased afterwards."""
    double = CupyDouble(folder)
    leases = find_cards(double)[0].leases
    counted: list[int] = []
    with leases.take(
        (1 << 30) - int((TABLES + 2 * 256 * ROW) / (1.0 - predict.KEPT_FREE)) - 2_000, "another"
    ):
        assert run(double, progress=counted.append).tobytes() == truth.tobytes()
        assert max(counted) == 256
    with leases.take(1 << 30, "another"), pytest.raises(BudgetError, match="out of memory") as caught:
        run(double)
    assert "(another): 1 GiB" in str(caught.value)
    assert leases.held() == []
    assert double.cards[0].used == 0


def test_a_full_card_does_not_stop_another(folder: Path, truth: np.ndarray) -> None:
    """Of two cards one has no room: the other does it all."""
    double = CupyDouble(folder, (TABLES // 2, 1 << 30))
    assert run(double).tobytes() == truth.tobytes()
    assert double.cards[0].launches == 0


@pytest.mark.parametrize("after", [0, 1, 4, 9])
def test_a_lost_card_keeps_what_was_finished(
    after: int, folder: Path, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only card goes away: a clear error with the finished rows; run again with them, the same bytes.

    The second run computes only what was missing.
    """
    monkeypatch.setattr(launch, "size_batch", lambda *_: predict.Size(128, "test"))
    with pytest.raises(CardLostError, match=r"no card is left after [\d,]+ of 1,800 combinations") as caught:
        run(CupyDouble(folder, lost_after={0: after}))
    kept = caught.value.kept
    assert isinstance(kept, Kept)
    for first, last in kept.finished:
        assert kept.sums[first:last].tobytes() == truth[first:last].tobytes()
    done = sum(last - first for first, last in kept.finished)
    assert done <= 128 * after
    assert (done > 0) == (after > 1)
    assert "cudaErrorDeviceUnavailable" in str(caught.value)
    again: list[int] = []
    assert run(CupyDouble(folder), kept=kept, progress=again.append).tobytes() == truth.tobytes()
    assert sum(again) == 1_800 - done


def test_the_other_card_finishes_the_work_of_a_lost_one(
    folder: Path, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two cards goes away with batches in flight: the other does them again."""
    monkeypatch.setattr(launch, "size_batch", lambda *_: predict.Size(128, "test"))
    double = CupyDouble(folder, (1 << 30, 1 << 30), lost_after={0: 3})
    assert run(double).tobytes() == truth.tobytes()
    assert double.cards[1].launches > double.cards[0].launches


def test_the_error_of_a_lost_card_crosses_processes(folder: Path) -> None:
    """It can be pickled with what it keeps."""
    error = CardLostError("no card", seen="x", hint="y", kept=Kept(np.zeros((2, 2)), [(0, 1)]))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.kept.missing() == [(1, 2)]


def test_no_card_is_a_clear_error(folder: Path) -> None:
    """CUDA's own words, and what has to be there."""
    with pytest.raises(MissingError, match=r"finds no NVIDIA card.*cudaErrorNoDevice") as caught:
        run(CupyDouble(folder, ()))
    assert "nvidia-smi" in (caught.value.hint or "")


def test_a_source_that_nvidia_refuses_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the printer is an error with the compiler's words, not a wrong number."""
    monkeypatch.setattr(launch, "print_source", lambda *_: "#error")
    with pytest.raises(UnsupportedError, match="NVIDIA's compiler does not take the kernel"):
        run(CupyDouble(folder))


def test_what_is_missing_is_found() -> None:
    """Gaps between finished ranges, in order, whatever the order they were finished in."""
    kept = Kept(np.zeros((10, 1)), [(6, 8), (0, 2)])
    assert kept.missing() == [(2, 6), (8, 10)]
    assert Kept(np.zeros((3, 1))).missing() == [(0, 3)]
    assert Kept(np.zeros((3, 1)), [(0, 3)]).missing() == []


def card(folder: Path, **facts: int) -> Card:
    """A card as it is read from CuPy."""
    return find_cards(CupyDouble(folder, (8 << 30,), facts=facts))[0]


def test_a_card_is_read(folder: Path) -> None:
    """132 multiprocessors at 1.98 GHz: 128 float32 operations each per clock, half as many in float64."""
    h100 = find_cards(CupyDouble(folder))[0]
    assert h100.operations("float") == 132 * 128 * 1.98e9
    assert h100.operations("double") == 132 * 64 * 1.98e9
    assert str(h100) == "a double of a card (card 0)"


def test_a_rate_is_what_is_short(folder: Path) -> None:
    """A card with slow float64 is bound by its units there and by its schedulers in float32."""
    laptop = card(folder, ClockRate=2_000_000, MultiProcessorCount=36, SingleToDoublePrecisionPerfRatio=64)
    assert predict.predict_rate(laptop, "float") == pytest.approx(0.3 * 36 * 128 * 2e9 / 192)
    assert predict.predict_rate(laptop, "double") == pytest.approx(0.6 * 36 * 2 * 2e9 / 43)


def test_a_launch_is_short_enough_for_a_screen(folder: Path) -> None:
    """On a card with slow float64 long histories come in smaller batches, but never less than fills it."""
    laptop = card(folder, ClockRate=2_175_000, MultiProcessorCount=36, SingleToDoublePrecisionPerfRatio=64)
    short, long = (predict.size_batch(laptop, 1, 10**7, n, 10**6, 100, "double") for n in (10_000, 200_000))
    assert short.rows > long.rows == 36 * 4 * 128
    assert short.reason == long.reason == "the longest launch"
    wide = predict.size_batch(laptop, 1, 10**7, 1_000, 10**6, 10**5, "double")
    assert wide.reason == "free memory of the card"
    assert predict.size_batch(laptop, 2, 1_000, 1_000, 10**6, 100, "float").rows == 256
    assert predict.size_batch(laptop, 1, 10**7, 10, 10**6, 100, "float").reason == "the largest batch"


def test_the_compiled_text_is_the_printed_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The options that forbid contraction reach CuPy with the source of `print_source`."""
    seen: list[tuple[str, tuple[str, ...]]] = []
    double = CupyDouble(folder)
    made = double.RawModule
    monkeypatch.setattr(
        double, "RawModule", lambda **given: seen.append((given["code"], given["options"])) or made(**given)
    )
    run(double)
    kernel = source.make_kernel(PLAN, GRID.params, GROUPS, RULES)
    assert seen == [(source.print_source([kernel]), source.COMPILER_OPTIONS)]
    assert fleet.COMPILER_OPTIONS is source.COMPILER_OPTIONS
