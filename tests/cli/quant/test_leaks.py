from __future__ import annotations

from pathlib import Path

from grn.kit.paths import ledger_dir
from tests.cli.quant.conftest import Grn

LEAKING = """
import polars as pl
from grn.quant import Strategy, close, param

x = param("x", [0.0, 0.5])
strategy = Strategy(close + x < pl.col("close").shift(-1), close < 0)
data = "bars.csv"
"""


def test_a_clean_strategy(grn: Grn, folder: Path) -> None:
    """Exit code 0 and one line that says how thoroughly it was looked at."""
    done = grn("leaks", "cross.py")
    assert (done.code, done.err) == (0, "")
    assert done.out == "no leak: 6 settings, 24 cuts per symbol\n"


def test_json_has_stable_fields(grn: Grn, folder: Path) -> None:
    """Clean or not, the same fields; a leak says where, what, how far ahead and because of what."""
    clean = grn("leaks", "cross.py", "--json", "--cuts", 5, "--combinations", 2)
    assert clean.json == {"clean": True, "cuts": 5, "combinations": 2, "unchecked": [], "leaks": []}
    (folder / "leaking.py").write_text(LEAKING, encoding="utf-8")
    done = grn("leaks", "leaking.py", "--json")
    assert done.code == 1
    assert list(done.json) == ["clean", "cuts", "combinations", "unchecked", "leaks"]
    assert list(done.json["leaks"][0]) == [
        "symbol", "condition", "ts", "with_all_data", "cut_off", "bars_after", "because_of", "params",
    ]  # fmt: skip
    assert len(done.json["leaks"]) == 4  # two symbols, two settings


def test_a_leak_is_a_clean_no(grn: Grn, folder: Path) -> None:
    """Exit code 1, the culprit in the table."""
    (folder / "leaking.py").write_text(LEAKING, encoding="utf-8")
    done = grn("leaks", "leaking.py")
    assert done.code == 1
    assert done.rows[0] == [
        "symbol", "condition", "ts", "with_all_data", "cut_off", "bars_after", "because_of",
    ]  # fmt: skip
    assert "shift" in done.out
    assert "long entry" in done.out


def test_columns_that_came_with_the_data_are_noted(grn: Grn, folder: Path) -> None:
    """They cannot be judged: a note on stderr and a field in JSON, no failure."""
    (folder / "score.py").write_text(
        "from grn.quant import Strategy, close, col\n"
        'strategy = Strategy(col("volume") > 1, col("score") > 1)\n'
        'import polars as pl\ndata = pl.read_csv("bars.csv").with_columns(\n'
        '    pl.col("ts").str.to_datetime(), score=pl.col("close"))\n',
        encoding="utf-8",
    )
    done = grn("leaks", "score.py")
    assert done.code == 0
    assert done.err == "note: columns that came with the data cannot be judged: score\n"
    assert grn("leaks", "score.py", "--json").json["unchecked"] == ["score"]


def test_looking_for_leaks_is_no_trial(grn: Grn, folder: Path) -> None:
    """Nothing is recorded: no result was seen."""
    grn("leaks", "cross.py")
    assert not ledger_dir().exists()
