from __future__ import annotations

import dataclasses
import json

import pytest

from grn.cli.main import main
from grn.hw import probe as looked
from grn.hw.probe import Machine

LAPTOP = Machine(
    cpu_model="Intel(R) Core(TM) i9-14900HX",
    cores_logical=32,
    cores_usable=32,
    cores_physical=24,
    p_cores=8,
    e_cores=16,
    mem_gib_total=31.25,
    mem_gib_limit=None,
    mem_gib_available=20.0,
    simd=("avx2", "fma"),
    gpus=("NVIDIA GeForce RTX 4070 Laptop GPU",),
)


def test_the_machine_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text, for a machine that tells everything."""
    monkeypatch.setattr(looked, "probe", lambda: LAPTOP)
    assert main(["hw"]) == 0
    assert capsys.readouterr().out == (
        "processor         Intel(R) Core(TM) i9-14900HX\n"
        "cores             32 logical, 32 usable by this process, 24 physical, 8 P, 16 E\n"
        "simd              avx2 fma\n"
        "memory            31.2 GiB\n"
        "memory limit      none\n"
        "memory available  20.0 GiB\n"
        "gpus              NVIDIA GeForce RTX 4070 Laptop GPU\n"
    )


def test_what_is_unknown_is_shown_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No GPU known is not the same as no GPU."""
    unsure = dataclasses.replace(
        LAPTOP, gpus=(), simd=None, unknown={"gpus": "nvidia-smi failed", "simd": "no flags"}
    )
    monkeypatch.setattr(looked, "probe", lambda: unsure)
    assert main(["hw"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "gpus              -" in lines
    assert "unknown: gpus     nvidia-smi failed" in lines
    monkeypatch.setattr(looked, "probe", lambda: dataclasses.replace(LAPTOP, gpus=()))
    main(["hw"])
    assert "gpus              none" in capsys.readouterr().out.splitlines()


def test_json_fields_are_stable(capsys: pytest.CaptureFixture[str]) -> None:
    """The fields are promised; this machine's values are what they are."""
    assert main(["hw", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == [
        "cpu_model",
        "cores_logical",
        "cores_usable",
        "cores_physical",
        "p_cores",
        "e_cores",
        "mem_gib_total",
        "mem_gib_limit",
        "mem_gib_available",
        "simd",
        "gpus",
        "unknown",
    ]
