from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GREEDY = """
import numpy as np
from grn.quant import Strategy, close, sma
taken = np.empty({gib} << 30, np.uint8)
strategy = Strategy(entry=close > sma(close, 20), exit=close < sma(close, 20))
"""


@pytest.mark.parametrize(("gib", "code"), [(1, 0), (3, 4)])
def test_a_sweep_obeys_the_memory_cap(tmp_path: Path, gib: int, code: int) -> None:
    """A strategy's file that takes 3 GiB where a job may take 2 is refused, with exit code 4; 1 GiB is not.

    A real process under a real limit: what a file takes by itself no price foresees.
    """
    (tmp_path / "config.toml").write_text("memory_gib = 2\n")
    (tmp_path / "greedy.py").write_text(GREEDY.format(gib=gib))
    grn = Path(sys.executable).with_name("grn")
    done = subprocess.run(
        [grn, "quant", "sweep", tmp_path / "greedy.py", "--data", "SP500", "--dry-run"],
        env={**os.environ, "GRN_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    if code:
        assert "than the 2 GiB that a job may take" in done.stderr
