from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import grn as package
from grn.quant.search.halving import Halving
from tests.cli.quant.conftest import Grn
from tests.quant.markets import cross

FIELDS = ["run", "result_key", "search", "rows", "trials", "top"]


def test_json_has_stable_fields_and_the_numbers_of_the_api(grn: Grn, folder: Path) -> None:
    """Scripts rely on these names; the settings are those that Python picks with the same seed."""
    done = grn("search", "cross.py", "-n", 4, "--seed", 2, "--json")
    assert (done.code, list(done.json)) == (0, FIELDS)
    assert (done.json["rows"], done.json["trials"], done.json["search"]["tried"]) == (8, 8, 4)
    result = package.search(cross(), folder / "bars.csv", "random", n=4, seed=2)
    assert done.json["result_key"] == result.result_key


@pytest.mark.parametrize(
    "options",
    [
        ("--method", "latin"),
        ("--method", "halving", "--eta", 2, "--rungs", 2),
        ("--method", "optuna", "--sampler", "nsga2", "--batch", 3),
    ],
)
def test_every_method_is_at_hand(grn: Grn, folder: Path, options: tuple[object, ...]) -> None:
    """The table on stdout; how many settings were looked at and what to do next on stderr."""
    done = grn("search", "cross.py", "-n", 5, *options, "-o", "rows.csv", "--top", 2)
    assert done.code == 0
    assert done.rows[0][:3] == ["symbol", "fast", "slow"]
    assert len(done.rows) == 3
    assert "5 settings looked at" in done.err
    run = done.err.split()[1].rstrip(":")
    assert f"next: grn quant validate {run}" in done.err
    assert len(pl.read_csv("rows.csv")) in (6, 10)
    assert grn("validate", run, "--shuffles", 1).code in (0, 1)


def test_options_reach_the_method(grn: Grn, folder: Path) -> None:
    """--eta and --rungs are those of `Halving`; --by is what it looks for."""
    options = ("--method", "halving", "-n", 6, "--eta", 2, "--rungs", 2, "--by", "max_drawdown")
    found = grn("search", "cross.py", *options, "--json").json
    result = package.search(cross(), folder / "bars.csv", Halving(6, eta=2, rungs=2), by="max_drawdown")
    assert found["result_key"] == result.result_key
    assert found["search"]["by"] == "max_drawdown"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--eta", 2), "--eta is an option of halving"),
        (("--method", "halving", "--batch", 2), "--batch is an option of optuna"),
        (("--by", "sharp"), "no such metric"),
        (("-n", 7), "6 combinations"),
        (("-o", "rows.txt"), "unknown output format"),
    ],
)
def test_what_makes_no_sense_is_refused(
    grn: Grn, folder: Path, options: tuple[object, ...], says: str
) -> None:
    """With the sentence that says why."""
    done = grn("search", "cross.py", *options)
    assert done.code == 2
    assert says in done.err
