"""Compiled code on disk: in the cache folder only, never stale, and damage is repaired."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SWEEP = """
import numpy as np
import grn
from grn.quant import Strategy, close, ema
from tests.property.markets import make_bars
bars = make_bars(np.random.default_rng(1), n_bars=60, kind="walk")
result = grn.backtest(Strategy(close > ema(close, 3), close < ema(close, 3)), bars, metrics="sharpe")
print(result.frame_sha256, result.equity(0)["equity"][-1])
"""


def run(cache: Path, source: Path) -> str:
    """Run a backtest and draw its path in a process of its own, with this cache; what it prints."""
    home = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    ran = subprocess.run(
        [sys.executable, "-B", "-c", SWEEP],
        cwd=ROOT,
        env={
            **home,
            "GRN_CACHE": str(cache),
            "GRN_HOME": str(cache / "home"),
            "PYTHONPATH": f"{source}:{ROOT}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A cache that a first run has filled, the copy of the package that ran, and what it printed."""
    source = tmp_path_factory.mktemp("package") / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path_factory.mktemp("cache")
    return cache, source, run(cache, source)


def files(cache: Path, pattern: str) -> list[Path]:
    return sorted(cache.rglob(pattern))


@pytest.mark.timeout(120)
def test_all_machine_code_is_in_the_cache_folder(filled: tuple[Path, Path, str]) -> None:
    """Kernel, walk, account and indicator: nothing is written beside the source."""
    cache, source, _ = filled
    names = " ".join(p.name for p in files(cache / "numba", "*.nbi"))
    for part in ("grn_kernel_", "walk.walk_", "account.open_units_", "averages.ema_"):
        assert part in names
    assert files(source, "*.nb[ic]") == []


@pytest.mark.timeout(120)
def test_a_damaged_cache_is_written_anew(filled: tuple[Path, Path, str]) -> None:
    """Every file damaged, empty and garbage by turns: the same numbers, and whole files afterwards."""
    cache, source, printed = filled
    damaged = [*files(cache, "*.nbi"), *files(cache, "*.nbc"), *files(cache, "grn_kernel_*.py")]
    assert len(damaged) > 8
    for i, path in enumerate(damaged):
        path.write_bytes(b"" if i % 2 else b"not a pickle")
    assert run(cache, source) == printed
    (kernel,) = files(cache, "grn_kernel_*.py")
    assert b"def kernel(" in kernel.read_bytes()
    assert all(p.stat().st_size > 100 for p in files(cache, "*walk.walk_*"))


@pytest.mark.timeout(120)
def test_an_edited_account_is_compiled_anew(filled: tuple[Path, Path, str]) -> None:
    """The account is compiled into walk and kernels: after an edit neither runs as it was.

    The walk's own file stays as it is, and so does what lies in the cache.
    """
    cache, source, printed = filled
    account = source / "grn/quant/engine/account.py"
    text = account.read_text(encoding="utf-8")
    edited = text.replace("spend = size * (free", "spend = 0.5 * size * (free")
    assert edited != text
    account.write_text(edited, encoding="utf-8")
    of_kernel, of_walk = run(cache, source).split()
    assert of_kernel != printed.split()[0]
    assert of_walk != printed.split()[1]
