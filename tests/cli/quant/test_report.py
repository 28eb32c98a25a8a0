from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.quant.conftest import Grn

FEW = ("--shuffles", 2, "--block", 10)


def test_the_same_run_gives_the_same_bytes(grn: Grn, folder: Path) -> None:
    """Written twice, and again after other trials on the same data: byte for byte the same."""
    run = grn("sweep", "cross.py", "--json").json["run"]
    first = grn("report", run, *FEW, "-o", "one.html")
    assert (first.code, first.out) == (0, "one.html\n")
    grn("sweep", "cross.py", "-p", "fast=2:7")
    grn("report", run, *FEW, "-o", "two.html")
    assert (folder / "one.html").read_bytes() == (folder / "two.html").read_bytes()


def test_the_report_of_a_sweep_is_that_of_its_run(grn: Grn, folder: Path) -> None:
    """`sweep --report` and `report RUN` write the same file."""
    run = grn("sweep", "cross.py", "--report", "swept.html", "--json").json["run"]
    grn("report", run, "-o", "again.html")
    assert (folder / "swept.html").read_bytes() == (folder / "again.html").read_bytes()


def test_the_default_name_is_that_of_the_strategy(grn: Grn, folder: Path) -> None:
    """In the current folder; what has a meaning in paths is replaced."""
    run = grn("sweep", "cross.py", "--json").json["run"]
    assert grn("report", run, *FEW).out == "cross.html\n"
    text = (folder / "cross.py").read_text(encoding="utf-8")
    for name, file in (("../a b/c: d", "a_b_c_d.html"), ("...", "report.html")):
        (folder / "named.py").write_text(
            text.replace("where=fast < slow,", f"where=fast < slow, name={name!r},"), encoding="utf-8"
        )
        run = grn("sweep", "named.py", "--json").json["run"]
        assert grn("report", run, "--shuffles", 0).out == f"{file}\n"
        assert (folder / file).is_file()


def test_a_backtest_has_a_report(grn: Grn, folder: Path) -> None:
    """A grid of one has nothing to compare, and a report all the same."""
    run = grn("backtest", "cross.py", "-p", "fast=3", "-p", "slow=8", "--json").json["run"]
    assert grn("report", run, *FEW, "-o", "one.html").code == 0
    assert (folder / "one.html").stat().st_size > 10_000


def test_a_sweep_that_asked_for_few_metrics_has_a_report(grn: Grn, folder: Path) -> None:
    """The report computes what it shows, whatever the sweep showed."""
    run = grn("sweep", "cross.py", "--metrics", "trades", "--json").json["run"]
    done = grn("report", run, *FEW, "-o", "few.html")
    assert done.code == 0, done.err


@pytest.mark.parametrize("path", ["missing/x.html", "cross.py/x.html", "/proc/x.html", "/dev/full", "."])
def test_a_path_that_cannot_be_written_is_refused(
    grn: Grn, folder: Path, left_alone: Callable[[], bool], path: str
) -> None:
    """Before anything is computed, with exit code 2, and nothing is left behind."""
    run = grn("sweep", "cross.py", "--json").json["run"]
    done = grn("report", run, "-o", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: the output ")
    assert "hint: " in done.err
    assert left_alone()
