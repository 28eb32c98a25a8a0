from __future__ import annotations

import json
from pathlib import Path

import pytest

import grn as package
from grn.kit.paths import ledger_dir
from grn.quant.judge import validate
from tests.cli.quant.conftest import Grn
from tests.quant.markets import cross

FIELDS = [
    "run", "decision", "reasons", "change", "winner", "row", "trades", "watermark", "shuffles", "block",
    "seed", "asked", "compared_by", "sharpe", "adjusted_sharpe", "skew", "kurtosis", "psr", "counted",
    "effective", "luck", "dsr", "effective_luck", "effective_dsr", "memory", "skill_score", "skill_p",
    "years_held", "years_needed", "sharpe_needed", "trials_allowed", "noise",
    "superiority", "overfitting", "haircuts", "examination",
]  # fmt: skip
FEW = ("--shuffles", 3, "--block", 10, "--seed", 4)


@pytest.fixture
def run(grn: Grn, folder: Path) -> str:
    """A recorded sweep."""
    return str(grn("sweep", "cross.py", "--json").json["run"])


def test_json_has_stable_fields_and_the_numbers_of_the_api(grn: Grn, folder: Path, run: str) -> None:
    """Fields, decision and numbers are those of `grn.validate`; NaN and infinities are texts."""
    done = grn("validate", run, *FEW, "--json")
    assert list(done.json) == FIELDS
    assert list(done.json["noise"]) == ["shuffles", "median", "highest", "reached", "p_value"]
    result = package.sweep(cross(), folder / "bars.csv")
    expected = {**validate(result, shuffles=3, block=10, seed=4).to_dict(), "watermark": 2}
    assert {k: v for k, v in done.json.items() if k != "run"} == json.loads(json.dumps(expected))
    assert done.json["run"] == run


def test_the_exit_code_is_the_answer(grn: Grn, run: str) -> None:
    """Noise is rejected: a clean no, 1, with the verdict on stdout and nothing on stderr."""
    done = grn("validate", run, *FEW)
    assert done.code == 1
    assert done.out.startswith("verdict   REJECT: ")
    assert done.out.count("because") == 3
    assert done.err == ""


def test_a_beginning_of_the_run_is_enough(grn: Grn, run: str) -> None:
    """The full id is given back."""
    assert grn("validate", run[:-2], "--shuffles", 0, "--json").json["run"] == run


def test_a_later_verdict_is_the_same(grn: Grn, run: str) -> None:
    """More trials after the run do not change what was said about it; a new run knows of them."""
    before = grn("validate", run, *FEW).out
    later = grn("sweep", "cross.py", "-p", "fast=2:7", "-p", "slow=8:20", "--json").json
    assert later["trials"] > 12
    assert grn("validate", run, *FEW).out == before
    assert grn("validate", later["run"], "--shuffles", 0, "--json").json["counted"] == later["trials"]


def test_a_backtest_can_be_judged_too(grn: Grn, folder: Path) -> None:
    """One setting, but all trials of its data count."""
    grn("sweep", "cross.py")
    run = grn("backtest", "cross.py", "-p", "fast=2", "-p", "slow=5", "--json").json["run"]
    assert grn("validate", run, "--shuffles", 0, "--json").json["counted"] == 12


@pytest.mark.parametrize("verb", ["validate", "report"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["20990101"], "no run of that name"),
        ([""], "no run of that name"),
        (["RUN", "--shuffles", "-1"], "--shuffles"),
        (["RUN", "--block", "0"], "--block"),
        (["RUN", "--block", "1000"], "block"),
        (["RUN", "--seed", "-1"], "seed"),
    ],
)
def test_wrong_arguments_are_named(
    grn: Grn, folder: Path, run: str, verb: str, arguments: list[str], says: str
) -> None:
    """Exit code 2, the option or run at fault, nothing on stdout, no file."""
    done = grn(verb, *(run if a == "RUN" else a for a in arguments))
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert sorted(p.name for p in folder.iterdir()) == ["bars.csv", "cross.py"]


@pytest.mark.parametrize("verb", ["validate", "report"])
def test_without_a_ledger_nothing_is_created(grn: Grn, folder: Path, verb: str) -> None:
    """A wrong --home is a mistake to be told, not a new empty ledger."""
    done = grn(verb, "20260101")
    assert done.code == 2
    assert "no ledger yet" in done.err
    assert "--home" in done.err
    assert not ledger_dir().exists()


def test_a_run_that_failed_cannot_be_judged(grn: Grn, folder: Path) -> None:
    """What did not finish has no winner."""
    text = (folder / "cross.py").read_text(encoding="utf-8")
    (folder / "failing.py").write_text(
        text + "from grn.quant import step\n"
        "@step(state=1, jit=False)\ndef fails(state, x):\n    return 1 / 0\n"
        "strategy = Strategy(fails(close) > 0, close < 0)\n",
        encoding="utf-8",
    )
    failed = grn("sweep", "failing.py")
    assert failed.code == 2
    assert "step fails failed" in failed.err
    done = grn("validate", "2")
    assert done.code == 2
    assert "did not finish" in done.err
