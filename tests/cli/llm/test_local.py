from __future__ import annotations

import json

import pytest

from grn.cli.main import main
from grn.llm.local import resident

ROWS = [
    {
        "path": "/models/gemma.gguf",
        "pid": 22361,
        "state": "idle",
        "threads": 2,
        "answers": 3,
        "memory_bytes": 407_584_768,
        "ends_in_s": 254.6,
        "log": "/run/a.log",
    },
    {"path": "/models/other.gguf", "state": "killed", "log": "/run/b.log"},
]


def test_loaded_models_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what they take, and those that were killed; none is no error, and said on stderr."""
    monkeypatch.setattr(resident, "list_residents", lambda: ROWS)
    assert main(["llm", "local", "status"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "MODEL       PID    STATE   THREADS  ANSWERS  MIB  ENDS IN",
        "gemma.gguf  22361  idle          2        3  388  255 s",
        "other.gguf  -      killed        -        -    -  -",
    ]
    assert main(["llm", "local", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ROWS
    monkeypatch.setattr(resident, "list_residents", list)
    assert main(["llm", "local", "status"]) == 0
    assert capsys.readouterr() == ("", "no model is loaded\n")


def test_loaded_models_are_ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And it is told how many there were."""
    for there, told in ((2, "ended: 2\n"), (0, "no model was loaded\n")):
        monkeypatch.setattr(resident, "stop_residents", lambda there=there: there)
        assert main(["llm", "local", "stop"]) == 0
        assert capsys.readouterr() == ("", told)
