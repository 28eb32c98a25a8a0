"""The kernel that looks ahead: what its bits, its blocks and its text must keep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import grn
from grn.quant import (
    Bars,
    Costs,
    Instrument,
    Rules,
    StopLoss,
    Strategy,
    TrailingStop,
    bollinger,
    close,
    is_missing,
    maximum,
    minimum,
    param,
    sma,
    when,
)
from grn.quant.engine import compiled, cpu, reference
from grn.quant.engine.ahead import print_kernel
from grn.quant.engine.market import writable
from grn.quant.engine.plan import build_grid, build_layout, build_plan
from grn.quant.engine.series import Evaluator
from grn.quant.metrics.accumulators import GROUPS
from grn.quant.strategy.expr import Expr
from tests.quant.engine.accounts import ORDERED

ALL = tuple(group.name for group in GROUPS if group.name != "always")


def market(n: int, *, seed: int = 0, volatility: float = 0.03) -> Bars:
    """A random walk with open, high, low and close."""
    rng = np.random.default_rng(seed)
    closes = 100.0 * np.exp(np.cumsum(rng.normal(0.0, volatility, n)))
    opens = np.concatenate([[100.0], closes[:-1]]) * np.exp(rng.normal(0.0, volatility / 4, n))
    spread = np.exp(np.abs(rng.normal(0.0, volatility / 2, n)))
    return Bars(
        symbol="WALK",
        ts_ns=np.arange(n, dtype=np.int64) * 86_400 * 10**9,
        columns={
            "open": opens, "close": closes,
            "high": np.maximum(opens, closes) * spread, "low": np.minimum(opens, closes) / spread,
        },
    )  # fmt: skip


def same(strategy: Strategy, bars: Bars, rules: Rules, groups: Sequence[str] = ALL) -> None:
    """Hold the kernel to the reference, bit for bit, every accumulator of the groups."""
    plan, grid = build_plan(strategy, rules), build_grid(strategy, 1.0)
    truth = reference.run(plan, grid, bars, rules, groups)
    found = cpu.run(plan, build_layout(plan, grid), grid, bars, rules, groups, threads=2)
    assert truth.tobytes() == found.tobytes()


LAG = param("lag", [0, 1, 2, 65])
CONDITIONS: dict[str, Expr] = {
    "a lag of a word and more": close > close.lag(64),
    "one over many words": (close > sma(close, 3)).lag(130) & (close < close.lag(1)),
    "a parameter as lag": close > close.lag(LAG),
    "a lagged condition with a parameter": (close > sma(close, 5)).lag(LAG),
    "both sides lagged": close.lag(3) > sma(close, 4).lag(5),
    "not of a lagged comparison": ~(close > sma(close, 4)).lag(2),
    "a choice under a comparison": when(close > 100.0, close, 90.0).lag(1) > 95.0,
    "a choice between conditions": when(close > 100.0, close > close.lag(1), close < close.lag(1)),
    "a choice that is there before the data": when(close.lag(1) > 1.0, 0.0, 200.0).lag(2) > close,
    "missing": is_missing(close.lag(3)).lag(1) | (close > sma(close, 9)),
    "the larger of a price and a number": maximum(close.lag(1), 99.0) < minimum(close, 104.0),
    "neither of two": (close > 100.0) ^ (close.lag(1) > 100.0),
    "truth of a number": (close > close.lag(1)) & ((close - 100.0) > 0.0).lag(1),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_bits_of_a_condition_are_its_truth(name: str) -> None:
    """Lags within a word, across words and beyond the data; conditions that hold where nothing is known."""
    entry = CONDITIONS[name]
    for n in (1, 5, 64, 200):
        # What the bits decide, orders and returns show; without the other sums a kernel is compiled sooner.
        same(Strategy(entry, ~entry, direction="both"), market(n), Rules(fill="close"), ORDERED)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 129])
def test_every_length_of_data(n: int) -> None:
    """Blocks of eight, words of 64, and what is left of either at the end."""
    fast = param("fast", [1, 2, 3])
    a, b = sma(close, fast), sma(close, 4)
    plain = Strategy(a > b, a < b)
    same(plain, market(n), Rules())
    same(plain, market(n), Rules(fill="close", costs=Costs(fee=0.001, fixed_fee=1.0)))
    same(replace(plain, stops=(StopLoss(0.02), TrailingStop(0.04))), market(n), Rules())


def test_ruin_inside_a_block_and_at_its_end() -> None:
    """A short that is ruined on any lane of a block is closed there, and the run ends."""
    for at in range(2, 20):
        closes = np.full(24, 100.0)
        closes[at:] = 260.0
        bars = Bars(
            symbol="JUMP",
            ts_ns=np.arange(24, dtype=np.int64) * 86_400 * 10**9,
            columns={"open": closes, "close": closes},
        )
        short = Strategy(entry=close < 0.0, exit=close < 0.0, short_entry=close > 0.0, short_exit=close < 0.0)
        same(short, bars, Rules(fill="close", costs=Costs(fee=0.001)))


def test_bands_are_opened_without_a_bit_lost() -> None:
    """A Bollinger band is its mean and deviations of the window, also where they are computed apart."""
    bars = market(400)
    band = bollinger(close, param("n", [2, 5, 20]), param("k", [0.0, 1.7, 2.0]))
    strategy = Strategy((close < band.lower) | (close > band.upper), close > band.middle)
    plan = build_plan(strategy, Rules())
    assert not any(getattr(leaf, "name", "") == "bollinger" for leaf in plan.leaves)
    evaluator = Evaluator(bars)
    for whole, opened in zip(strategy.signals, plan.signals, strict=True):
        for row in range(9):
            binding = build_grid(strategy, 1.0).binding(row)
            assert np.array_equal(evaluator.condition(whole, binding), evaluator.condition(opened, binding))
    same(strategy, bars, Rules())


def test_one_kernel_serves_all_amounts_of_a_kind() -> None:
    """Costs, sizes and lots that there are change no text; the first lot does."""
    strategy = Strategy(close > sma(close, 5), close < sma(close, 5))

    def text(**fields: object) -> str:
        rules = Rules(**fields)  # type: ignore[arg-type]
        return print_kernel(build_plan(strategy, rules), strategy.params, ["moments"], rules)

    assert text() == text(costs=Costs(fee=0.01, slippage=0.002), cash=5.0)
    assert text(instrument=Instrument(lot=1.0)) == text(instrument=Instrument(lot=0.5, tick=0.25))
    assert text() != text(instrument=Instrument(lot=1.0))
    assert text() != text(costs=Costs(fixed_fee=1.0))


def test_columns_are_lent_and_not_copied() -> None:
    """A kernel reads the bars' own memory, which stays read-only for everybody else."""
    column = market(10).column("close")
    lent = writable(column)
    assert np.shares_memory(lent, column)
    assert lent.flags.writeable
    assert not column.flags.writeable


def test_pinned_threads_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pin = true` places threads; no number depends on where they ran."""
    from grn.kit.paths import grn_home

    fast = param("fast", range(2, 40))
    strategy = Strategy(close > sma(close, fast), close < sma(close, fast))
    free = grn.sweep(strategy, market(300)).frame_sha256
    (grn_home() / "config.toml").write_text("pin = true\n")
    assert grn.sweep(strategy, market(300)).frame_sha256 == free


def test_an_interrupt_while_tasks_are_submitted_cancels_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was submitted before Ctrl-C and has not begun never runs."""
    ran: list[int] = []
    monkeypatch.setattr(cpu, "LANES", 1)
    monkeypatch.setattr(cpu, "TASK", 1)
    monkeypatch.setattr(cpu, "SHARES", 1000)
    fast = param("fast", range(2, 60))
    strategy = Strategy(close > sma(close, fast), close < sma(close, fast))
    plan, grid = build_plan(strategy, Rules()), build_grid(strategy, 1.0)
    submit, call = cpu.ThreadPoolExecutor.submit, cpu._Work.__call__

    def slowly(work: cpu._Work, first: int, last: int) -> None:
        ran.append(first)
        time.sleep(0.02)
        call(work, first, last)

    def interrupted(pool: ThreadPoolExecutor, task: object, *arguments: int) -> object:
        if arguments[:1] == (40,):
            raise KeyboardInterrupt
        return submit(pool, task, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cpu._Work, "__call__", slowly)
    monkeypatch.setattr(cpu.ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cpu.run(plan, build_layout(plan, grid), grid, market(50), Rules(), ALL, threads=1)
    assert len(ran) < 20


def test_a_kernel_is_named_after_all_that_is_compiled_into_it() -> None:
    """Every module whose functions or operations a kernel may call is part of the name it is cached under."""
    read = {module.__name__ for module in (*compiled._COMPILED, *compiled._READ)}
    assert "grn.quant.engine.vectors" in read
    called = {function.py_func.__module__ for function in compiled.functions.values()}
    assert called <= read
