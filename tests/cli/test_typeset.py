from __future__ import annotations

import csv
import io
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.cli.main import main
from grn.cli.typeset import Column, comma_separated, escape, is_cite, latex, markdown
from tests.docs.blocks import ROOT

COLUMNS = [Column("symbol", "Symbol"), Column("cagr", "CAGR", "percent"), Column("trades", "Trades")]
ROWS = [["S&P_500", -0.0512, 105], ["A|B", math.nan, None]]


def test_a_table_in_latex() -> None:
    """Booktabs, escapes, units, signs, what is missing, caption with citation, label: the whole text."""
    assert latex(COLUMNS, ROWS, caption="100% of #1.", label="tab:x", cite="lo2002", note="run x") == (
        "% run x\n\\begin{table}[htbp]\n  \\centering\n  \\caption{100\\% of \\#1~\\cite{lo2002}.}\n"
        "  \\label{tab:x}\n  \\begin{tabular}{lrr}\n    \\toprule\n    Symbol & CAGR (\\%) & Trades \\\\\n"
        "    \\midrule\n    S\\&P\\_500 & $-$5.12 & 105 \\\\\n    A|B & -- & -- \\\\\n    \\bottomrule\n"
        "  \\end{tabular}\n\\end{table}\n"
    )


def test_a_table_in_markdown_and_csv() -> None:
    """Markdown reads like LaTeX; CSV has every digit and plain names."""
    assert markdown(COLUMNS, ROWS) == (
        "| Symbol | CAGR (%) | Trades |\n| --- | ---: | ---: |\n"
        "| S&P_500 | -5.12 | 105 |\n| A\\|B | -- | -- |\n"
    )
    assert comma_separated(COLUMNS, [["a,b", 0.1 + 0.2, 7], *ROWS[1:]]) == (
        'symbol,cagr,trades\n"a,b",0.30000000000000004,7\nA|B,,\n'
    )


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_no_text_is_a_command(text: str) -> None:
    """Whatever a name is, LaTeX sees no command of it: each special sign is one of our escapes."""
    ours = r"\\text(backslash|asciitilde|asciicircum|less|greater)\{\}|\\[&%$#_{}]"
    left = re.sub(ours, "", escape(text))
    assert not set(left) & set("\\&%$#_{}~^<>")


@given(st.lists(st.tuples(st.text(max_size=9), st.floats()), min_size=1, max_size=5))
def test_csv_is_read_back(rows: list[tuple[str, float]]) -> None:
    """Numbers to the last bit, texts to the letter."""
    columns = [Column("name", "Name"), Column("value", "Value")]
    found = list(csv.reader(io.StringIO(comma_separated(columns, rows), newline="")))[1:]
    for (name, value), (told, number) in zip(rows, found, strict=True):
        assert told == name
        assert number == ("" if math.isnan(value) else repr(value))


def test_cite_keys() -> None:
    """Keys with commas between them, and nothing that LaTeX would run."""
    assert is_cite("lo2002,bailey:2014-a")
    assert not any(map(is_cite, ("", "a b", "a}\\input{x", "a,,b")))


def test_a_run_becomes_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Computed again from the ledger; the caption says how many were tried; errors are said."""
    strategy = str(ROOT / "examples" / "rsi_reversion.py")
    assert (
        main(["quant", "backtest", strategy, "-p", "length=5", "-p", "buy_below=35", "-p", "leave_above=70"])
        == 0
    )
    capsys.readouterr()
    assert main(["ledger", "--json"]) == 0
    run = capsys.readouterr().out.split('"run":"')[1].split('"')[0]
    assert main(["ledger", "table", run, "--latex", "--cite", "lo2002"]) == 0
    text = capsys.readouterr().out
    # As the README's example: Sharpe ratio 0.686353, 105 trades.
    assert "SP500 & 5 & 35 & 70 & 6.23 & 9.46 & 0.6864 & $-$15.54 & 105 \\\\" in text
    assert "rsi\\_reversion: One setting; 1 trials on this data are on record~\\cite{lo2002}." in text
    assert main(["ledger", "table", run[:12], "--csv", "--metrics", "sharpe"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "symbol,length,buy_below,leave_above,sharpe"
    assert main(["ledger", "table", run]) == 0
    assert capsys.readouterr().out.startswith("symbol  length")
    for wrong in (["none"], [run, "--cite", "a}b"], [run, "--metrics", "nothing"]):
        assert main(["ledger", "table", *wrong]) == 2
        assert capsys.readouterr().err.startswith("error:")
