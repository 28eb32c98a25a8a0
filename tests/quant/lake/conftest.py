"""A lake of its own for every test, and sources whose base address is a loopback server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grn.quant.lake.holdings import Lake
from tests.quant.lake.binance_streams import Streams
from tests.quant.lake.loopback import Clock, Loopback, World

Place = Callable[..., Lake]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Make a lake whose source `name` is asked at a loopback server."""
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir()

    def make(
        server: Loopback | Streams, world: World, name: str, *, skew_ns: int = 0, timeout_s: float = 5.0
    ) -> Lake:
        point(tmp_path / "home", name, server.url, timeout_s)
        return Lake(tmp_path / "home" / "lake", clock=Clock(world, skew_ns))

    return make


def point(home: Path, name: str, url: str, timeout_s: float) -> None:
    """Write the settings that send a source to an address."""
    (home / "sources.toml").write_text(
        f'["{name}"]\nbase_url = "{url}"\nper_s = 10000.0\ntimeout_s = {timeout_s}\n', encoding="utf-8"
    )


@contextmanager
def forking(script: Path, cache: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what it needs, says that it is ready, and forks what it is asked for."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script)],
        env={**os.environ, "GRN_CACHE": str(cache)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
