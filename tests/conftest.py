"""What every test stands on: few, fixed examples in CI, many in ``make nightly``, and a home of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"

# Compiled code goes into the environment's own folder, where the next run finds it: tests
# must not fill the cache of the person running them. Set here, before Numba is imported.
os.environ.setdefault("GRN_CACHE", str(Path(sys.prefix) / "grn"))
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(sys.prefix) / "numba"))

# A local model is loaded into the test's own process, and is gone with it; see tests/llm/test_resident.py.
os.environ.setdefault("GRN_LOCAL_IDLE_S", "0")

# CI draws the same examples each time, so that a failure is the change's own; the nightly run searches on.
settings.register_profile("ci", derandomize=True, max_examples=25, deadline=None, print_blob=True)
settings.register_profile(
    "nightly",
    max_examples=1_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("nightly" if NIGHTLY else "ci")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own ledger and settings: none may touch those of the person running it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("GRN_HOME", str(home))
    return home
