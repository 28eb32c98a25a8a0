from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit.canonical import canonical_json
from grn.kit.errors import LedgerError
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.engine.plan import build_grid
from grn.quant.indicators.registry import get
from grn.quant.schema import Bars, load_bars
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import ema, sma
from grn.quant.strategy.plain import from_plain, to_plain
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.sizes import AllCash, Fraction, Quantity, Value
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, col
from tests.quant.markets import cross, random_walk

BARS = load_bars(random_walk(30), ("open", "close"))[0]


def keys(strategy: Strategy, rules: Rules | None = None, data: str = BARS.identity) -> list[int]:
    """Trial keys of a strategy's whole grid."""
    grid = build_grid(strategy, 1.0)
    found = record.trial_keys(strategy, grid, rules or Rules(), data)
    assert found.dtype == np.uint64
    assert len(found) == len(grid)
    return [int(k) for k in found]


def test_every_combination_has_a_key_of_its_own() -> None:
    """No two settings share a key, however many there are."""
    many = cross(range(2, 101), range(2, 101))
    found = keys(many)
    assert len(set(found)) == len(found) == 4_851


def test_keys_are_the_same_in_every_process() -> None:
    """A change here makes every old trial new.  The numbers are those of version 0.1.0."""
    assert keys(cross([2, 3], [5]), Rules(costs=Costs(fee=0.001)), "data") == [
        17748155816804381428,
        11710915884216743919,
    ]


RECORDED: Sequence[int] = [0, 0]


@pytest.mark.parametrize(
    "rules",
    [
        Rules(fill="close"),
        Rules(costs=Costs(fee=0.001)),
        Rules(costs=Costs(fixed_fee=0.001)),
        Rules(costs=Costs(slippage=0.001)),
        Rules(size=Fraction(0.5)),
        Rules(size=Quantity(0.5)),
        Rules(size=Value(0.5)),
        Rules(cash=1_000.0),
    ],
    ids=repr,
)
def test_other_rules_make_other_trials(rules: Rules) -> None:
    """Trying the same settings under another fee or fill is another look at the data."""
    assert set(keys(cross(), rules)).isdisjoint(keys(cross()))


def test_other_data_make_other_trials() -> None:
    """Trials are counted per data set."""
    other = load_bars(random_walk(31), ("open", "close"))[0]
    assert set(keys(cross(), data=other.identity)).isdisjoint(keys(cross()))


def test_other_conditions_make_other_trials() -> None:
    """Another indicator, another side or another constant is another strategy."""
    fast, slow = param("fast", [2, 3, 4]), param("slow", [5, 8])
    one = cross()
    variants = [
        Strategy(one.entry, one.exit, where=one.where, direction="short"),
        Strategy(one.exit, one.entry, where=one.where),
        Strategy(ema(close, fast).crosses_above(sma(close, slow)), one.exit, where=one.where),
        Strategy(one.entry, one.exit & (close > 1), where=one.where),
        Strategy(one.entry, one.exit & (close > 2), where=one.where),
    ]
    found = [k for v in [one, *variants] for k in keys(v)]
    assert len(set(found)) == 6 * 6


def test_renamed_parameters_make_other_trials() -> None:
    """fast=2, slow=5 and slow=2, fast=5 are two settings: names are part of them."""
    a, b = param("a", [2]), param("b", [5])
    one = Strategy(sma(close, a) > sma(close, b), sma(close, a) < sma(close, b))
    a_, b_ = param("a", [5]), param("b", [2])
    other = Strategy(sma(close, b_) > sma(close, a_), sma(close, b_) < sma(close, a_))
    assert keys(one) != keys(other)


def test_the_other_values_of_a_parameter_do_not_matter() -> None:
    """A setting that was tried in two sweeps is one trial: keys meet where settings meet."""
    small, large = cross([2, 3], [5]), cross([3, 2, 7], [5, 8, 13])
    grid = build_grid(large, 1.0)
    shared = {tuple(row): k for row, k in zip(grid.values.tolist(), keys(large), strict=True)}
    assert keys(small) == [shared[2.0, 5.0], shared[3.0, 5.0]]
    floats, ints = ([Strategy(close > param("x", v), close < 1)] for v in ([2.0, 3.5], [2]))
    assert keys(floats[0])[0] == keys(ints[0])[0]


def test_where_and_the_name_do_not_matter() -> None:
    """What selects combinations, or labels the strategy, is no part of a trial."""
    one = cross([2, 3], [5])
    assert keys(one) == keys(cross([2, 3], [5], name="another")) == keys(Strategy(one.entry, one.exit))


def test_the_order_in_which_parameters_appear_does_not_matter() -> None:
    """The grid's columns stand in another order, the trials are the same."""
    fast, slow = param("fast", [2, 3]), param("slow", [5, 8])
    up, down = sma(close, fast) > 1, sma(close, slow) > 1
    one = Strategy(up & down, close < 1)
    # `where` is read last, so the order is turned by a parameter list of its own.
    grid = build_grid(one, 1.0)
    turned = type(grid)(grid.params[::-1], np.ascontiguousarray(grid.values[:, ::-1]))
    assert [p.name for p in turned.params] == ["slow", "fast"]
    assert keys(one) == record.trial_keys(one, turned, Rules(), BARS.identity).tolist()


def test_a_restored_strategy_makes_no_new_trials() -> None:
    """Restored from the ledger, or changed by -p on the command line: the same settings, the same keys."""
    one = cross()
    assert keys(from_plain(json.loads(canonical_json(to_plain(one))))) == keys(one)


def test_a_renamed_symbol_or_file_makes_no_new_trials(tmp_path: Path) -> None:
    """The identity of data is timestamps and closes: not its name, its path, its further columns."""
    frame = random_walk(30)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.with_columns(symbol=pl.lit("XYZ"), score=pl.lit(1.0)).write_csv(tmp_path / "b.csv")
    one = load_bars(tmp_path / "a.parquet")[0]
    other = load_bars(tmp_path / "b.csv", ("close", "open", "score"))[0]
    assert one.symbol != other.symbol
    assert keys(cross(), data=one.identity) == keys(cross(), data=other.identity) == keys(cross())


def test_negative_zero_is_zero() -> None:
    """-0.0 and 0.0 are one value of a parameter."""
    zero, minus = (Strategy(close > param("x", [v]), close < 1) for v in (0.0, -0.0))
    assert keys(zero) == keys(minus)


def test_all_cash_by_either_name_is_one_trial() -> None:
    """AllCash() and Fraction(1.0) are one rule."""
    assert keys(cross(), Rules(size=AllCash())) == keys(cross(), Rules(size=Fraction(1.0)))


def test_bars_come_back_from_their_block() -> None:
    """Timestamps, the columns asked for, NaN included, symbol and zone; nothing else."""
    frame = random_walk(20).with_columns(
        score=pl.when(pl.int_range(20) > 3).then(1.5), ts=pl.col("ts").dt.replace_time_zone("Europe/Vienna")
    )
    bars = load_bars(frame, ("close", "open", "score"))[0]
    again = record.unpack_bars(record.pack_bars(bars, ("score", "close")))
    assert (again.symbol, again.timezone, sorted(again.columns)) == (
        bars.symbol, "Europe/Vienna", ["close", "score"],
    )  # fmt: skip
    assert again.ts_ns.tobytes() == bars.ts_ns.tobytes()
    assert again.digest(("close", "score")) == bars.digest(("close", "score"))


def test_the_block_does_not_depend_on_the_order_of_the_columns() -> None:
    """Equal content, equal blob: stored once."""
    assert record.pack_bars(BARS, ("open", "close")) == record.pack_bars(BARS, ["close", "open"])


def test_recalled_bars_are_held_to_their_digest(tmp_path: Path) -> None:
    """A block that is whole but belongs to other bars is not taken for the recorded ones."""
    needs = ("close", "open")
    with Ledger.open(tmp_path) as ledger:
        inputs = record.describe(cross(), [BARS], Rules(), needs, ["sharpe"], 252.0)
        entry = inputs["data"][0]  # type: ignore[index]
        entry["blob"] = ledger.put_blob(record.pack_bars(BARS, needs))
        assert record.recall_bars(ledger, inputs)[0].identity == BARS.identity
        other = Bars(BARS.symbol, BARS.ts_ns, {k: BARS.columns[k] * 2.0 for k in needs})
        entry["blob"] = ledger.put_blob(record.pack_bars(other, needs))
        with pytest.raises(LedgerError, match="does not have its digest"):
            record.recall_bars(ledger, inputs)


def test_the_result_key_is_made_of_inputs_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any input, and any version that computed it, changes the key; nothing else does."""
    inputs = record.describe(cross(), [BARS], Rules(), ("close", "open"), ["sharpe"], 252.0)
    key = record.result_key(inputs)
    assert key == record.result_key(dict(reversed(list(inputs.items()))))
    for name in inputs:
        assert record.result_key({**inputs, name: "other"}) != key
    monkeypatch.setattr(record, "versions", lambda: {"numpy": "0.0"})
    assert record.result_key(inputs) != key
    assert get("sma").name == "sma"


def test_another_score_under_the_old_name_is_another_trial(tmp_path: Path) -> None:
    """Trials are counted together by timestamps and closes, and told apart by all that they read."""
    frame = random_walk(40)
    strategy = Strategy(col("score") > 0, col("score") < 0)
    with Ledger.open(tmp_path / "ledger") as book:
        for seed in range(3):
            score = np.random.default_rng(seed).normal(size=len(frame))
            counted = grn.sweep(strategy, frame.with_columns(score=pl.Series(score)), ledger=book).trials
            again = grn.sweep(strategy, frame.with_columns(score=pl.Series(score)), ledger=book).trials
            assert counted is not None
            assert again is not None
            assert counted.n == again.n == seed + 1
