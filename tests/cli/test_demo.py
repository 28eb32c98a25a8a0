from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from grn.cli.demo import COMPARED_ROWS, FEE, SHUFFLES, ma_cross
from grn.cli.main import main
from grn.cli.quant import report as report_command
from grn.kit.files import sha256_hex
from grn.kit.paths import grn_home
from grn.ledger import Ledger
from grn.quant.files import load_strategy_file
from grn.quant.replay import replay
from grn.quant.validation import Validation

BEATS = ["speed", "temptation", "verdict", "proof"]
GRN = [sys.executable, "-c", "import sys; from grn.cli.main import main; sys.exit(main())"]


def run_demo(folder: Path, out: str) -> dict[str, list[str]]:
    """Run the demo as a process and return its lines by beat."""
    # As on a machine where it was installed: the command is found by its name.
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "grn").write_text("#!/bin/sh\n", encoding="utf-8")
    (programs / "grn").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*GRN, "demo", "--out", out], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    beats: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line[:12].strip():
            beats[line[:12].strip()] = []
        beats[list(beats)[-1]].append(line[12:])
    return beats


def test_the_strategy_is_that_of_the_example() -> None:
    """What the demo shows is in a file that can be edited."""
    example = load_strategy_file(Path(__file__).parents[2] / "examples" / "ma_cross.py")
    mine = ma_cross()
    assert mine.canonical == example.strategy.canonical
    assert [p.values for p in mine.params] == [p.values for p in example.strategy.params]
    assert example.rules.costs.fee == FEE
    assert example.data == "INDICES"


def test_the_whole_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four beats; twice in a row the same bytes; a ledger of its own; the numbers of the API; and the replay
    that it prints writes the demo's report again, byte for byte.  One test, because each run takes seconds.
    """
    beats = run_demo(tmp_path, "my demo")
    out = tmp_path / "my demo"
    assert list(beats) == BEATS
    assert 15 <= sum(map(len, beats.values())) <= 22
    assert sorted(p.name for p in out.iterdir()) == ["ledger", "report.html", "table.csv"]
    assert list(grn_home().iterdir()) == []
    first = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}

    again = run_demo(tmp_path, "my demo")
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == first
    assert again["temptation"] == beats["temptation"]
    assert again["verdict"] == beats["verdict"]
    named, *files, command = beats["proof"]
    assert again["proof"][0] != named
    assert again["proof"][1:-1] == files
    for line, name in zip(files, ("report.html", "table.csv"), strict=True):
        assert line.startswith(f"my demo/{name}  sha256 {sha256_hex(first[name])[:16]}")

    # The replay, as printed, from the folder where the demo was run.
    run, key = re.fullmatch(r"run (\S+), result key (\w{16})", named).groups()  # type: ignore[union-attr]
    arguments = shlex.split(command.partition("   ")[0])
    assert arguments == ["grn", "--home", "my demo", "quant", "report", run]
    judged: list[Validation] = []
    judge = report_command.judge_with_progress

    def listen(*given: object, **options: object) -> Validation:
        judged.append(judge(*given, **options))  # type: ignore[arg-type]
        return judged[-1]

    monkeypatch.setattr(report_command, "judge_with_progress", listen)
    monkeypatch.chdir(tmp_path)
    assert main(arguments[1:]) == 0
    assert (tmp_path / "ma_cross.html").read_bytes() == first["report.html"]

    with Ledger.open(out / "ledger") as book:
        assert [i.command for i in book.invocations()] == ["demo", "quant validate", "demo"]
        found = replay(book, run)
        assert found.same
    result, best = found.result, found.result.best()
    assert result.result_key[:16] == key
    saved = pl.read_csv(out / "table.csv")
    assert saved.equals(result.frame.cast(saved.schema))  # type: ignore[arg-type]

    assert beats["speed"][0].startswith("4,851 pairs of moving averages x 2 indices x 5,031 days in ")
    assert f"{len(result.metrics)} metrics each" in beats["speed"][1]
    assert f"{COMPARED_ROWS} rows of the sweep: equal on every bit" in beats["speed"][2]

    row, path = result.row(best), result.path(best)
    held = path.close[-1] / path.close[0]
    assert beats["temptation"][0] == (
        f"the best of 9,702: {row['symbol']} fast={row['fast']} slow={row['slow']}, "
        f"Sharpe {row['sharpe']:.2f}, {len(result.trades(best))} trades"
    )
    assert f"10,000 became {path.equity[-1]:,.0f}: {row['cagr']:.1%} a year" in beats["temptation"][1]
    assert f"worst drawdown {result.drawdowns(best)['depth'][0]:.0%}" in beats["temptation"][1]
    assert f"buying and holding {row['symbol']}: {10_000 * held:,.0f}, " in beats["temptation"][2]

    (validation,) = judged
    v, noise = validation.verdict, validation.null_best
    text = "\n".join(beats["verdict"])
    assert (validation.shuffles, len(noise)) == (SHUFFLES, SHUFFLES)
    assert text.startswith(f"{v.decision.upper()}: 9,702 trials on this data")
    assert v.counted == 9_702
    assert f"should show Sharpe {v.effective_luck:.2f}; the winner has {row['sharpe']:.2f}" in text
    assert f"above it with probability {v.effective_dsr:.2f}" in text
    assert f"does as well: p = {v.skill_p:.3f}" in text
    assert f"loses on the others in {v.overfitting.loss:.0%} of splits" in text
    assert f"had Sharpe {pl.Series(noise).median():.2f} (median) to {noise.max():.2f}" in text
    reached = int((noise >= row["sharpe"]).sum())
    assert f"{reached} of {SHUFFLES} shuffles reached the winner: p = {validation.noise.p_value:.2f}" in text


def test_an_output_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the folder should be, a place that takes none: exit code 2 before anything is computed."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/grn-demo")):
        assert main(["demo", "--out", str(out)]) == 2
        written = capsys.readouterr()
        assert written.out == ""
        assert written.err.startswith("error: ")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
