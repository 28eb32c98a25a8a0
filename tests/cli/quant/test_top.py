from __future__ import annotations

from pathlib import Path

import pytest

from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from tests.cli.quant.conftest import Grn

FACTS = ["folder", "run", "result_key", "rows", "chunks", "of", "complete"]


def test_a_sweep_streams_into_a_folder(grn: Grn, folder: Path) -> None:
    """The table is that of a sweep; what to do next goes to stderr, and the run is judged like any other."""
    whole = grn("sweep", "cross.py", "--top", 4, "--json")
    done = grn("sweep", "cross.py", "--to", "parts", "--chunk", 2, "--top", 4, "--json")
    assert done.code == 0
    assert list(done.json) == [*FACTS, "top"]
    assert done.json["top"] == whole.json["top"]
    assert (done.json["rows"], done.json["chunks"], done.json["complete"]) == (12, 3, True)
    shown = grn("sweep", "cross.py", "--to", "parts", "--chunk", 2, "--top", 4)
    assert shown.rows[0][:3] == ["symbol", "fast", "slow"]
    assert f"run {done.json['run']}: 12 rows in parts\n" in shown.err
    assert f"next: grn quant top parts, or grn quant validate {done.json['run']}" in shown.err
    assert grn("validate", done.json["run"], "--shuffles", 1).code in (0, 1)
    with Ledger.open(ledger_dir()) as ledger:
        assert [i.command for i in ledger.invocations()] == ["quant validate", *["quant sweep"] * 2]


def test_a_folder_shows_its_best_rows_and_quantiles(grn: Grn, folder: Path) -> None:
    """By any metric, as a table or as JSON; `--min-trades` passes rows over."""
    grn("sweep", "cross.py", "--to", "parts")
    best = grn("top", "parts", "--by", "total_return", "--top", 3, "--json").json["top"]
    assert len(best) == 3
    assert [r["total_return"] for r in best] == sorted((r["total_return"] for r in best), reverse=True)
    table = grn("top", "parts", "--quantiles", "--by", "max_drawdown")
    assert table.rows[0] == ["share", "max_drawdown"]
    assert [float(row[0]) for row in table.rows[1:]] == [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1]
    found = grn("top", "parts", "--quantiles", "--json").json
    assert list(found) == [*FACTS, "metric", "quantiles"]
    assert (found["metric"], next(iter(found["quantiles"]))) == ("sharpe", "0")
    assert grn("top", "parts", "--min-trades", 10_000).code == 2


def test_a_folder_that_is_not_finished_says_so(grn: Grn, folder: Path) -> None:
    """What is there is shown, with how much of it there is."""
    grn("sweep", "cross.py", "--to", "parts", "--chunk", 1)
    log = folder / "parts" / "parts.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:4]))
    shown = grn("top", "parts")
    assert shown.code == 0
    assert "8 rows in parts, 4 of 6 chunks" in shown.err


def test_a_dry_run_prices_a_chunk(grn: Grn, folder: Path) -> None:
    """Points, chunks, and the memory of one; nothing is made."""
    plan = grn("sweep", "cross.py", "--to", "parts", "--chunk", 4, "--dry-run", "--json").json
    assert (plan["combinations_before_where"], plan["chunks"], plan["combinations_per_chunk"]) == (6, 2, 4)
    assert plan["memory_gib"] <= plan["budget_gib"]
    assert not (folder / "parts").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--chunk", 5), "add --to"),
        (("--to", "parts", "-o", "all.csv"), "leave one of them out"),
        (("--to", "parts", "--report", "r.html"), "leave one of them out"),
        (("--to", "cross.py"), "cannot write"),
        (("--to", "."), "not empty"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    grn: Grn, folder: Path, options: tuple[object, ...], says: str
) -> None:
    """Before anything is computed."""
    done = grn("sweep", "cross.py", *options)
    assert done.code == 2
    assert says in done.err
