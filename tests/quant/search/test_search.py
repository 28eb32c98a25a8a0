from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit.errors import BudgetError, DataError, StrategyError, UsageError
from grn.ledger import Ledger
from grn.quant.replay import replay
from grn.quant.result import SweepResult
from grn.quant.schema import load_bars
from grn.quant.search.desk import MarketDesk
from grn.quant.search.draws import LatinHypercube, Random
from grn.quant.search.halving import Halving
from grn.quant.search.method import Method
from grn.quant.search.proposals import Optuna
from grn.quant.strategy.cross import rank
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import roc
from grn.quant.strategy.weights import Weights
from grn.quant.strategy.words import close
from tests.quant.markets import cross, random_walk, two_walks

DATA = load_bars(two_walks(), ("open", "close"))
WIDE = cross(range(2, 12), range(4, 24))
"""200 points; `where` leaves 164 combinations."""
METHODS: tuple[Method, ...] = (
    Random(12, 3), LatinHypercube(12, 3), Halving(12, 3, eta=2, rungs=3), Optuna(12, 3, batch=4),
)  # fmt: skip
names = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger.open(tmp_path / "ledger") as book:
        yield book


def search(ledger: Ledger, method: str | Method, **options: Any) -> SweepResult:
    data = options.pop("data", DATA)
    strategy = options.pop("strategy", WIDE)
    return grn.search(strategy, data, method, ledger=ledger, **{"engine": "reference", **options})


def rows_of(frame: pl.DataFrame) -> dict[Any, Any]:
    return {row[:3]: row for row in frame.rows()}


@names
def test_the_numbers_are_those_of_a_sweep(ledger: Ledger, method: Method) -> None:
    """Whoever picked a setting, its row is the sweep's row, bit for bit."""
    whole = rows_of(grn.sweep(WIDE, DATA, engine="reference", ledger=ledger).frame)
    result = search(ledger, method)
    found = rows_of(result.frame)
    assert len(found) == len(result) == 2 * len(result.grid)
    assert str({k: whole[k] for k in found}) == str(found)


@names
def test_equal_seeds_give_equal_bytes(tmp_path: Path, method: Method) -> None:
    """In another ledger, at another time; and the compiled engine picks what the reference picks."""
    hashes = []
    for k, engine in enumerate(("reference", "reference", "cpu")):
        with Ledger.open(tmp_path / str(k)) as book:
            hashes.append(search(book, method, engine=engine).frame_sha256)
    assert len(set(hashes)) == 1


@names
def test_another_seed_picks_others(ledger: Ledger, method: Method) -> None:
    """The seed decides, and it is part of the result's key."""
    from dataclasses import replace

    one, other = search(ledger, method), search(ledger, replace(method, seed=4))  # type: ignore[type-var]
    assert one.grid.values.tolist() != other.grid.values.tolist()
    assert one.result_key != other.result_key


@names
def test_every_setting_looked_at_is_a_trial(ledger: Ledger, method: Method) -> None:
    """Counted on the whole data, once, those included that were dropped on the way."""
    result = search(ledger, method)
    assert result.trials is not None
    assert result.search is not None
    assert result.search["tried"] == 12
    assert result.trials.n == 2 * 12
    entry = ledger.show(result.run)
    assert entry.outcome is not None
    assert entry.outcome.watermark == result.trials.watermark
    # A sweep of everything afterwards adds those that nobody has looked at, and no other.
    whole = grn.sweep(WIDE, DATA, engine="reference", ledger=ledger)
    assert whole.trials is not None
    assert whole.trials.n == len(whole)


@names
def test_a_search_replays_from_the_ledger_alone(ledger: Ledger, method: Method) -> None:
    """The settings are recorded: what picked them is not asked again."""
    result = search(ledger, method)
    again = replay(ledger, result.run)
    assert again.same
    assert again.result.frame.equals(result.frame)
    assert again.result.search == result.search


@names
def test_a_search_is_judged(ledger: Ledger, method: Method) -> None:
    """A method that learns searches each shuffled data set anew; the same verdict from the replay."""
    result = search(ledger, method)
    verdict = grn.validate(result, shuffles=3, seed=5)
    again = grn.validate(replay(ledger, result.run).result, shuffles=3, seed=5)
    assert verdict.to_dict() == again.to_dict()
    assert np.isfinite(verdict.null_best).all()


def test_where_is_obeyed(ledger: Ledger) -> None:
    """No method runs what `where` excludes; no setting comes twice."""
    for method in METHODS:
        values = search(ledger, method).grid.values
        assert (values[:, 0] < values[:, 1]).all()
        assert len(np.unique(values, axis=0)) == len(values)


def test_halving_looks_at_less_before_it_looks_at_more(ledger: Ledger) -> None:
    """Each rung: ceil(n / eta^k) settings on eta^(k+1-R) of the bars; the best of each go on.

    Held against rungs made by hand, of sweeps on the first bars.
    """
    result = search(ledger, Halving(12, 3, eta=2, rungs=3))
    assert result.search is not None
    assert [(r["settings"], r["share"]) for r in result.search["rounds"]] == [(12, 0.25), (6, 0.5), (3, 1.0)]
    kept = search(ledger, Random(12, 3)).grid.values.tolist()
    for share, n in ((0.25, 6), (0.5, 3)):
        early = tuple(b.head(math.ceil(share * len(b))) for b in DATA)
        swept = grn.sweep(WIDE, early, engine="reference", ledger=ledger, metrics="sharpe").frame
        means = {
            (f, s): x for f, s, x in swept.group_by("fast", "slow").agg(
                pl.col("sharpe").fill_nan(None).mean().fill_null(-math.inf)
            ).rows()
        }  # fmt: skip
        best = sorted(range(len(kept)), key=lambda i: (-means[tuple(kept[i])], i))[:n]
        kept = [kept[i] for i in sorted(best)]
    assert result.grid.values.tolist() == kept


def test_what_halving_drops_counts_without_a_sharpe_ratio(ledger: Ledger) -> None:
    """On the whole data it is a trial of which nobody knows what it gives; on the first bars it is known."""
    result = search(ledger, Halving(12, 3, eta=2, rungs=2))
    entry = ledger.show(result.run)
    of = [(row.data_id, row.n) for row in entry.trials]
    early = tuple(b.head(60) for b in DATA)
    assert of == [
        *((b.identity, 12) for b in DATA), *((b.identity, 12) for b in early),
        *((b.identity, 6) for b in DATA),
    ]  # fmt: skip
    count = ledger.count_trials([DATA[0].identity])
    assert count.n == 12
    finalists = np.unique(result.trial_sharpes[0][~np.isnan(result.trial_sharpes[0])])
    assert count.widest_variance == pytest.approx(np.var(finalists, ddof=1), rel=1e-12)


def test_a_search_that_ends_between_rungs_has_looked(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was run on the first bars counts on the whole data, also if nothing else was run."""

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MarketDesk, "drop", fail)
    with pytest.raises(KeyboardInterrupt):
        search(ledger, Halving(12, 3, eta=2, rungs=2))
    assert ledger.count_trials([DATA[0].identity]).n == 12


def test_halving_takes_as_many_rungs_as_the_bars_allow() -> None:
    """The shortest rung has at least 250 bars, the last at least one setting."""
    assert Halving(81).plan(249) == [(81, 1.0)]
    assert Halving(81).plan(750) == [(81, 1 / 3), (27, 1.0)]
    assert [n for n, _ in Halving(81).plan(100_000)] == [81, 27, 9, 3, 1]
    assert Halving(80).plan(100_000)[0] == (80, 3.0**-3)
    assert Halving(100, eta=10, rungs=2).plan(20) == [(100, 0.1), (10, 1.0)]


def test_a_metric_may_be_minimised(ledger: Ledger) -> None:
    """Where less is better the search looks for less, and asks for the metric that it looks at."""
    for method in (Halving(24, 1, eta=2, rungs=3), Optuna(24, 1, batch=4)):
        result = search(ledger, method, by="volatility", metrics="sharpe")
        assert "volatility" in result.frame.columns
        assert result.search is not None
        best = result.frame.group_by("fast", "slow").agg(pl.col("volatility").mean())["volatility"].min()
        seen = min(r["best"] for r in result.search["rounds"] if r["share"] == 1.0)
        assert seen == pytest.approx(best, rel=1e-12)


def test_optuna_learns(ledger: Ledger) -> None:
    """On a smooth target its 60 settings hold better ones than 60 at random, over ten seeds together."""
    strategy = cross(range(2, 60), range(3, 120))
    data = random_walk(400, seed=11)
    means = {"optuna": 0.0, "random": 0.0}
    for seed in range(3):
        for name, method in (("optuna", Optuna(60, seed, batch=6)), ("random", Random(60, seed))):
            result = search(ledger, method, strategy=strategy, data=data, engine="cpu", metrics="sharpe")
            means[name] += float(np.nanmean(np.sort(result.trial_sharpes[0])[-20:]))
    assert means["optuna"] > means["random"]


def test_a_latin_hypercube_covers_every_value() -> None:
    """With as many settings as values, and nothing excluded, each value of each parameter comes once."""
    from grn.quant.engine.grid import Lattice
    from grn.quant.search.draws import spread

    lattice = Lattice((param("a", range(10)), param("b", range(10)), param("c", range(5))), None)
    values = spread(lattice, 10, 7).values
    for column, times in ((0, 1), (1, 1), (2, 2)):
        assert (np.unique(values[:, column], return_counts=True)[1] == times).all()


def test_a_random_draw_is_uniform() -> None:
    """5,000 draws of 5 of 20 combinations: each comes 1,250 times, within five standard deviations."""
    from grn.quant.engine.grid import Lattice
    from grn.quant.search.draws import draw

    lattice = Lattice((param("a", range(4)), param("b", range(5))), None)
    counts = np.zeros(20)
    for seed in range(5_000):
        values = draw(lattice, 5, seed).values
        np.add.at(counts, (values[:, 0] * 5 + values[:, 1]).astype(int), 1)
    assert counts.sum() == 25_000
    # Hypergeometric: 5,000 draws, p = 1/4 each.
    assert np.abs(counts - 1_250).max() < 5 * math.sqrt(5_000 * 0.25 * 0.75)


@pytest.mark.parametrize("kind", [Random, LatinHypercube])
def test_draws_from_a_huge_lattice(ledger: Ledger, kind: Any) -> None:
    """10^15 points: those drawn are different, admissible, and nothing is enumerated."""
    from grn.quant.engine.grid import Lattice
    from grn.quant.search.draws import draw, spread

    a, b, c = (param(k, range(1, 100_001)) for k in "abc")
    lattice = Lattice((a, b, c), (a < b) & (b < c))
    values = (draw if kind is Random else spread)(lattice, 500, 1).values
    assert len(np.unique(values, axis=0)) == 500
    assert (values[:, 0] < values[:, 1]).all()
    assert (values[:, 1] < values[:, 2]).all()


@names
def test_every_combination_can_be_asked_for(ledger: Ledger, method: Method) -> None:
    """All of a small grid are found; one more is refused by name, and the run is recorded as failed."""
    from dataclasses import replace

    small = cross((2, 3, 4), (5, 8))
    everything: Any = replace(method, n=6)  # type: ignore[type-var]
    result = search(ledger, everything, strategy=small)
    assert result.search is not None
    assert result.search["tried"] == 6
    with pytest.raises(StrategyError, match="6 combinations"):
        search(ledger, replace(method, n=7), strategy=small)  # type: ignore[type-var]
    outcome = ledger.invocations()[0].outcome
    assert outcome is not None
    assert outcome.exit_code == 2


@names
def test_target_weights_are_searched_too(ledger: Ledger, method: Method) -> None:
    """One account for all symbols; rungs end at the same moment for every symbol."""
    n, x = param("n", range(2, 22)), param("x", [0.5, 1.0])
    strategy = Weights(x * (rank(roc(close, n)) - 1), name="rotation")
    result = search(ledger, method, strategy=strategy, data=two_walks(200))
    assert result.accounts == ("rotation",)
    assert result.trials is not None
    assert result.trials.n == 12
    assert replay(ledger, result.run).same


def test_a_symbol_that_starts_late_is_named(ledger: Ledger) -> None:
    """A rung that a symbol of a shared account has no bars in cannot be run."""
    early, late = random_walk(200, symbol="A"), random_walk(200, seed=1, symbol="B").tail(40)
    strategy = Weights(rank(roc(close, param("n", range(2, 22)))) - 1)
    with pytest.raises(DataError, match="no bars in the part"):
        search(ledger, Halving(9, rungs=2), strategy=strategy, data=pl.concat([early, late]))


def test_a_search_without_parameters_runs_the_one_setting(ledger: Ledger) -> None:
    """Nothing to pick: one row."""
    strategy = cross((3,), (8,))
    for method in ("random", "latin", "halving", "optuna"):
        assert len(search(ledger, method, n=1, strategy=strategy)) == 2


def test_the_price_is_that_of_the_settings_looked_at(ledger: Ledger) -> None:
    """A grid of four million searches in little memory; four million settings do not."""
    wide = cross(range(1, 2001), range(1, 2001))
    assert len(search(ledger, Random(5), strategy=wide, memory_gib=0.05)) == 10
    with pytest.raises(BudgetError, match="the sweep needs"):
        search(ledger, Random(1_900_000), strategy=wide, memory_gib=0.05)


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("grid", {}, "unknown search method"),
        (5, {}, "unknown search method"),
        ("random", {"n": 0}, "n must be a whole number"),
        ("random", {"seed": -1}, "seed must be"),
        ("latin", {"n": 2.5}, "n must be a whole number"),
        ("latin", {"seed": 2**32}, "seed must be"),
        (Random(5), {"n": 6}, "settings of the method"),
        (Halving(9, eta=1), {}, "eta must be"),
        (Halving(9, rungs=4), {}, "less than one of 9"),
        (Halving(9, rungs=0), {}, "rungs must be"),
        (Optuna(9, sampler="cmaes"), {}, "unknown sampler"),
        (Optuna(9, batch=0), {}, "batch must be"),
        ("random", {"by": "sharp"}, "no such metric"),
        ("random", {"by": "trades"}, "more, or less, is better"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_recorded(
    ledger: Ledger, method: Any, options: dict[str, Any], says: str
) -> None:
    """Every setting of a method is checked before the run begins."""
    with pytest.raises(UsageError, match=says):
        search(ledger, method, **options)
    assert ledger.invocations() == []


def test_methods_come_back_from_their_record(ledger: Ledger) -> None:
    """What is written into the ledger makes the same method again."""
    from grn.quant.search.method import describe
    from grn.quant.search.run import recall_method

    for method in METHODS:
        assert recall_method({**describe(method), "by": "sharpe"}) == (method, "sharpe")


def test_the_version_of_what_picks_is_part_of_the_key(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Optuna may propose others: the result has another key."""
    one = search(ledger, Optuna(4))
    monkeypatch.setattr("grn.quant.search.run.package_version", lambda name: "0.0")
    assert search(ledger, Optuna(4)).result_key != one.result_key
