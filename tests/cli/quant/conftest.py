from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grn.cli.main import main
from tests.quant.markets import CROSS, two_walks


@dataclass(frozen=True)
class Done:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote to stdout, which must be one JSON value and nothing else."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """What it wrote to stdout as a table: cells of every line."""
        return [line.split() for line in self.out.splitlines()]


Grn = Callable[..., Done]


@pytest.fixture
def grn(capsys: pytest.CaptureFixture[str]) -> Grn:
    """Runs ``grn quant ...`` in this process."""

    def run(*args: object) -> Done:
        capsys.readouterr()
        code = main(["quant", *map(str, args)])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a strategy file ``cross.py`` and its data ``bars.csv`` (symbols A and B)."""
    place = tmp_path / "work"
    place.mkdir()
    two_walks().write_csv(place / "bars.csv")
    (place / "cross.py").write_text(CROSS + 'data = "bars.csv"\n', encoding="utf-8")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def left_alone(folder: Path) -> Callable[[], bool]:
    """Tells whether the folder still holds what it held: nothing new, changed or half-written."""
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return lambda: {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before
