from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main
from tests.quant.markets import CROSS


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "cross.py"
    path.write_text(CROSS)
    return str(path)


def test_a_period_is_locked_left_out_and_opened_once(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole life of a hold-out from the command line, with its exit codes."""
    run = ["quant", "backtest", file, "--data", "SP500", "-p", "fast=2", "-p", "slow=5"]
    assert main(["quant", "holdout"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["quant", "holdout", "SP500", "--from", "2016-01-01"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("SP500   2016-01-01  ")
    assert main(run) == 4
    assert "--until 2016-01-01 leaves it out" in capsys.readouterr().err
    assert main([*run, "--until", "2016-01-01"]) == 0
    assert main([*run, "--open-holdout"]) == 0
    assert main([*run, "--open-holdout"]) == 4
    # What one command allowed does not reach the next one in the same process.
    assert main(run) == 4
    capsys.readouterr()
    assert main(["quant", "holdout", "--json"]) == 0
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(line) == ["symbol", "identity", "from_ns", "locked_ns", "watermark", "openings"]
    assert len(line["openings"]) == 1


def test_a_lock_says_who_looked_before(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A hold-out that was seen is none; it is locked all the same, and the note says so."""
    assert main(["quant", "backtest", file, "--data", "SP500", "-p", "fast=2", "-p", "slow=5"]) == 0
    assert main(["quant", "holdout", "SP500", "--from", "2016-01-01"]) == 0
    assert "1 trial(s) have looked at this period of SP500 already" in capsys.readouterr().err


@pytest.mark.parametrize("args", [["SP500"], ["--from", "2016-01-01"], ["SP500", "--from", "then"]])
def test_a_hold_out_is_data_and_a_moment(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One without the other is wrong usage, and nothing is locked."""
    assert main(["quant", "holdout", *args]) == 2
    assert "error:" in capsys.readouterr().err
