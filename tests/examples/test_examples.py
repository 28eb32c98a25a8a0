from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant.files import load_strategy_file

FOLDER = Path(__file__).parents[2] / "examples"
# Small grids, so that every example runs in CI; and how large its own one is.
SMALL: dict[str, tuple[list[str], int]] = {
    "donchian_atr_stop": (["enter=20,50", "leave=10", "risk=2.0", "trail=4.0"], 192),
    "donchian_breakout": (["enter=20,55", "leave=10,20"], 155),
    "ma_cross": (["fast=10:20:10", "slow=50"], 4_851),
    "momentum_rotation": (["length=120,200", "count=3"], 44),
    "pairs_spread_stop": (["length=60", "enter=2.0", "leave=0.0,0.5", "loss=0.02"], 198),
    "pairs_zscore": (["length=60", "enter=2.0", "leave=0.0,0.5"], 480),
    "rsi_reversion": (["length=2,4", "buy_below=20:30:10", "leave_above=70"], 832),
    "volatility_trend": (["trend=100,200", "window=20", "target=0.1"], 72),
}
EXAMPLES = pytest.mark.parametrize("name", SMALL)


def grn(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run ``grn quant ...`` on success only; returns what it wrote to stdout."""
    capsys.readouterr()
    code = main(["quant", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_every_example_is_tested() -> None:
    """A new example needs a line above."""
    assert sorted(p.stem for p in FOLDER.glob("*.py")) == sorted(SMALL)


@EXAMPLES
def test_the_first_line_states_the_idea(name: str) -> None:
    """A reader knows from one sentence what is traded and why: a name, a colon, the rule."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")))
    assert text is not None
    title, _, idea = text.splitlines()[0].partition(": ")
    assert len(title.split()) >= 2 or "by" in title
    assert len(idea.split()) >= 6
    assert idea.endswith(".")


@EXAMPLES
def test_it_is_complete_in_itself(name: str) -> None:
    """Strategy, data and costs: nobody runs an example and learns without costs."""
    found = load_strategy_file(FOLDER / f"{name}.py")
    assert found.strategy.name == name
    assert found.data is not None
    assert found.rules.costs.fee > 0


@EXAMPLES
def test_its_grid_is_as_large_as_it_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The dry run prices the whole grid and runs nothing; it needs far less than a laptop has."""
    plan = json.loads(grn(capsys, "sweep", FOLDER / f"{name}.py", "--dry-run", "--json"))
    assert plan["combinations"] == SMALL[name][1]
    assert plan["engine"] == "cpu"
    assert plan["memory_gib"] < 1.0
    assert not ledger_dir().exists()


@EXAMPLES
def test_it_runs_from_the_command_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Sweep a few settings: every row has traded, in the market some of the time, and paid for it."""
    settings = [part for text in SMALL[name][0] for part in ("-p", text)]
    done = json.loads(grn(capsys, "sweep", FOLDER / f"{name}.py", *settings, "--top", 99, "--json"))
    assert done["rows"] == done["trials"] == len(done["top"]) > 1
    for row in done["top"]:
        assert row["trades"] > 5
        assert 0 < row["exposure"] < 1
        assert row["fees"] > 0
    with Ledger.open(ledger_dir()) as book:
        assert [i.run for i in book.invocations()] == [done["run"]]
