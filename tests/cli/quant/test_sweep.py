from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import grn as package
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant.metrics.registry import DEFAULT
from grn.quant.strategy.costs import Costs
from tests.cli.quant.conftest import Grn
from tests.quant.markets import cross, two_walks

FIELDS = ["run", "result_key", "rows", "trials", "top"]
SHOWN = ["total_return", "cagr", "sharpe", "max_drawdown", "trades", "win_rate", "exposure", "fees"]


def test_json_has_stable_fields_and_the_numbers_of_the_api(grn: Grn, folder: Path) -> None:
    """Scripts rely on these names; the numbers are those that Python gets."""
    done = grn("sweep", "cross.py", "--json", "--top", 3)
    assert (done.code, list(done.json)) == (0, FIELDS)
    assert done.json["rows"] == done.json["trials"] == 12
    assert list(done.json["top"][0]) == ["symbol", "fast", "slow", *DEFAULT]
    result = package.sweep(cross(), folder / "bars.csv")
    best = result.frame.sort("sharpe", descending=True).head(3)
    assert done.json["top"] == best.select("symbol", "fast", "slow", *DEFAULT).rows(named=True)
    assert done.json["run"] != result.run
    # The strategy's name is part of the result, so the keys meet when the names do.
    named = package.sweep(cross(name="cross"), folder / "bars.csv")
    assert done.json["result_key"] == named.result_key


def test_the_table_has_a_header_and_the_rows_in_order(grn: Grn, folder: Path) -> None:
    """Stdout holds the table alone; run id, time and what to do next go to stderr."""
    done = grn("sweep", "cross.py", "--top", 4)
    header, *rows = done.rows
    assert header == ["symbol", "fast", "slow", *SHOWN]
    assert len(rows) == 4
    sharpes = [float(r[header.index("sharpe")]) for r in rows]
    assert sharpes == sorted(sharpes, reverse=True)
    run = done.err.split()[1].rstrip(":")
    assert f"run {run}: 12 rows in" in done.err
    assert "12 trials counted on this data" in done.err
    assert f"next: grn quant validate {run}" in done.err


@pytest.mark.parametrize(
    ("by", "descending"), [("total_return", True), ("volatility", False), ("fees", False)]
)
def test_rows_are_ordered_by_the_metric_asked_for(grn: Grn, folder: Path, by: str, descending: bool) -> None:
    """Best first, in the metric's own direction; the metric is shown even if it usually is not."""
    rows = grn("sweep", "cross.py", "--by", by, "--top", 12, "--fee", 0.001, "--json").json["top"]
    assert [r[by] for r in rows] == sorted((r[by] for r in rows), reverse=descending)


def test_without_a_sharpe_ratio_the_first_metric_orders(grn: Grn, folder: Path) -> None:
    """Asking for one metric alone needs no --by."""
    rows = grn("sweep", "cross.py", "--metrics", "volatility,trades", "--json").json["top"]
    assert list(rows[0]) == ["symbol", "fast", "slow", "volatility", "trades"]
    assert [r["volatility"] for r in rows] == sorted(r["volatility"] for r in rows)


def test_rows_without_a_number_come_last(grn: Grn, folder: Path) -> None:
    """Where nothing traded there is no Sharpe ratio: null in JSON, nan in the table, and no error."""
    text = (
        'from grn.quant import Strategy, close, param\nlevel = param("level", [1e9, 0.0])\n'
        'strategy = Strategy(close > level, close < 0)\ndata = "bars.csv"\n'
    )
    (folder / "level.py").write_text(text, encoding="utf-8")
    rows = grn("sweep", "level.py", "--json", "--engine", "reference").json["top"]
    assert [r["sharpe"] is None for r in rows] == [False, False, True, True]
    idle = grn("sweep", "level.py", "-p", "level=1e9", "--engine", "reference")
    assert idle.code == 0
    assert idle.rows[1][idle.rows[0].index("sharpe")] == "nan"


@pytest.mark.parametrize(
    ("settings", "fast", "slow"),
    [
        (["-p", "fast=7"], [7], [8]),
        (["-p", "fast=2,7", "-p", "slow=9"], [2, 7], [9]),
        (["-p", "fast=2:4", "-p", "slow=5"], [2, 3, 4], [5]),
        (["-p", "fast=2:7:2", "-p", "slow=9"], [2, 4, 6], [9]),
        (["-p", "slow = 5:8:3"], [2, 3, 4], [5, 8]),
        (["-p", "fast=2.0"], [2], [5, 8]),
    ],
    ids=str,
)
def test_other_values_on_the_command_line(
    grn: Grn, folder: Path, settings: list[str], fast: list[int], slow: list[int]
) -> None:
    """One value, a list, a range with its last value, a range with a step; the others stay."""
    done = grn("sweep", "cross.py", *settings, "--json", "--top", 99)
    found = {(r["fast"], r["slow"]) for r in done.json["top"]}
    assert found == {(f, s) for f in fast for s in slow if f < s}


def test_values_from_the_command_line_make_no_other_trials(grn: Grn, folder: Path) -> None:
    """The same settings asked for in another way are the same trials."""
    assert grn("sweep", "cross.py", "--json").json["trials"] == 12
    assert grn("sweep", "cross.py", "-p", "fast=2:4", "-p", "slow=5,8", "--json").json["trials"] == 12
    assert grn("sweep", "cross.py", "-p", "fast=2:5", "--json").json["trials"] == 14


def test_ranges_of_floats_contain_their_last_value(grn: Grn, folder: Path) -> None:
    """0.1:0.3:0.1 has three values, though 0.1 + 2 * 0.1 is not 0.3 in binary."""
    text = (
        'from grn.quant import Strategy, close, param\nx = param("x", [0.5])\n'
        'strategy = Strategy(close > 100 + x, close < 100 - x)\ndata = "bars.csv"\n'
    )
    (folder / "band.py").write_text(text, encoding="utf-8")
    done = grn("sweep", "band.py", "-p", "x=0.1:0.3:0.1", "--json", "--engine", "reference")
    assert sorted({round(r["x"], 9) for r in done.json["top"]}) == [0.1, 0.2, 0.3]


def test_rules_of_the_command_line_win_over_those_of_the_file(grn: Grn, folder: Path) -> None:
    """Each alone: a fee given on the command line leaves the file's slippage in force."""
    with (folder / "cross.py").open("a", encoding="utf-8") as file:
        file.write(
            'from grn.quant import Costs\ncosts = Costs(0.002, 1.0, 0.0005)\ncash = 500\nfill = "close"\n'
        )

    def rules(*options: object) -> dict[str, object]:
        run = grn("sweep", "cross.py", "-p", "fast=2", "-p", "slow=5", *options, "--json").json["run"]
        with Ledger.open(ledger_dir()) as book:
            return dict(book.show(run).inputs["rules"])  # type: ignore[call-overload]

    assert rules() == {
        "fill": "close", "costs": {"fee": 0.002, "fixed_fee": 1.0, "slippage": 0.0005},
        "size": ["AllCash", 1.0], "cash": 500.0,
    }  # fmt: skip
    assert rules(
        "--fee", 0.003, "--fill", "next_open", "--size", "quantity:3", "--cash", 900, "--engine", "reference"
    ) == {
        "fill": "next_open", "costs": {"fee": 0.003, "fixed_fee": 1.0, "slippage": 0.0005},
        "size": ["Quantity", 3.0], "cash": 900.0,
    }  # fmt: skip


def test_data_of_the_command_line_win_over_those_of_the_file(grn: Grn, folder: Path) -> None:
    """A file or a sample by name."""
    two_walks(60).write_parquet(folder / "other.parquet")
    done = grn("sweep", "cross.py", "--data", "other.parquet", "--json")
    with Ledger.open(ledger_dir()) as book:
        data = book.show(done.json["run"]).inputs["data"]
    assert [d["bars"] for d in data] == [60, 60]  # type: ignore[attr-defined]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_all_rows_are_saved_where_asked_for(grn: Grn, folder: Path, suffix: str) -> None:
    """The whole frame with every metric, whatever the table shows; the same numbers to the last bit."""
    path = folder / f"all{suffix}"
    path.write_bytes(b"an old one")
    done = grn("sweep", "cross.py", "--top", 1, "-o", path.name, "--fee", 0.001)
    assert done.code == 0
    saved = pl.read_parquet(path) if suffix == ".parquet" else pl.read_csv(path)
    assert saved.columns == ["symbol", "fast", "slow", *DEFAULT]
    expected = package.sweep(cross(), folder / "bars.csv", costs=Costs(fee=0.001)).frame
    assert saved.equals(expected.cast(saved.schema))  # type: ignore[arg-type]
    assert sorted(p.name for p in folder.iterdir()) == sorted(["bars.csv", "cross.py", path.name])


def test_a_report_can_be_written_at_once(grn: Grn, folder: Path) -> None:
    """One file with the verdict in it; the table is printed all the same."""
    done = grn("sweep", "cross.py", "--report", "out.html", "--top", 1)
    assert done.code == 0
    assert len(done.rows) == 2
    text = (folder / "out.html").read_text(encoding="utf-8")
    assert "REJECT" in text.upper()


def test_the_dry_run_prints_the_plan_and_stops(grn: Grn, folder: Path) -> None:
    """What would be run, what it takes, on which engine and why; the ledger is not even created."""
    done = grn("sweep", "cross.py", "--dry-run", "--json")
    assert done.code == 0
    assert list(done.json) == [
        "strategy", "data", "combinations", "bar_combinations", "series", "memory_gib", "budget_gib",
        "budget_from", "engine", "because",
    ]  # fmt: skip
    assert (done.json["combinations"], done.json["bar_combinations"]) == (6, 6 * 240)
    assert done.json["series"] == 5
    assert done.json["data"] == "A: 120 bars; B: 120 bars"
    assert done.json["engine"] == "cpu"
    assert not ledger_dir().exists()
    text = grn("sweep", "cross.py", "--dry-run").out
    assert "combinations      6\n" in text
    assert "where: (fast < slow)" in text


def test_threads_do_not_change_a_byte(grn: Grn, folder: Path) -> None:
    """One thread and two: the same result key and the same rows."""
    one, two = (grn("sweep", "cross.py", "--threads", n, "--json").json for n in (1, 2))
    assert one["result_key"] == two["result_key"]
    assert one["top"] == two["top"]


def test_what_the_strategy_file_prints_does_not_mix_with_the_data(grn: Grn, folder: Path) -> None:
    """--json stays one JSON value although the file says hello."""
    with (folder / "cross.py").open("a", encoding="utf-8") as file:
        file.write('print("hello")\n')
    done = grn("sweep", "cross.py", "--json")
    assert done.json["rows"] == 12
    assert done.err.startswith("hello\n")


def test_the_table_shows_what_was_asked_for(grn: Grn, folder: Path) -> None:
    """Metrics named on the command line are all printed; rows with too few trades are not."""
    done = grn("sweep", "cross.py", "--metrics", "sortino,omega,trades", "--by", "omega")
    assert done.rows[0] == ["symbol", "fast", "slow", "sortino", "omega", "trades"]
    trades = sorted(int(float(r[-1])) for r in done.rows[1:])
    fewer = grn("sweep", "cross.py", "--metrics", "sortino,omega,trades", "--min-trades", trades[-1])
    assert {int(float(r[-1])) for r in fewer.rows[1:]} == {trades[-1]}
    none = grn("sweep", "cross.py", "--min-trades", 10_000)
    assert none.code == 2
    assert "no row has so many trades" in none.err
