from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from grn.cli.hw.show import ranges
from grn.cli.main import main
from grn.hw import probe as looked
from grn.hw.caches import Cache
from grn.hw.cards import Gpu
from grn.hw.disks import Disk
from grn.hw.probe import Machine
from grn.hw.thermals import Thermal
from tests.hw.machines import i7_1370p

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
    sockets=1,
    threads_per_core=2,
    fast=tuple(range(16)),
    slow=tuple(range(16, 32)),
    told_by="P-cores",
    sweep=tuple(range(0, 16, 2)),
    caches=(Cache(1, "data", 48, 2, 8), Cache(3, "unified", 36864, 32, 1)),
    cards=(
        Gpu("GPU-1", "NVIDIA GeForce RTX 4070 Laptop GPU", 8188 / 1024, 0.5, "580.95", "8.9", "Ada", 256.0),
    ),
    disks=(Disk("nvme0n1", "Samsung SSD 990", 1024.2, "nvme"),),
    thermals=(Thermal("coretemp Package id 0", 58.0),),
)


def test_the_machine_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text, for a machine that tells everything."""
    monkeypatch.setattr(looked, "probe", lambda _: LAPTOP)
    assert main(["hw", "show"]) == 0
    assert capsys.readouterr().out == (
        "processor                     Intel(R) Core(TM) i9-14900HX\n"
        "sockets                       1\n"
        "cores                         32 logical, 32 usable by this process, 24 physical, 8 P, 16 E\n"
        "fast cores                    0-15 (told by P-cores)\n"
        "slow cores                    16-31\n"
        "sweeps run on                 0,2,…,14\n"
        "simd                          avx2 fma\n"
        "cache L1 data                 8 × 48 KiB, one for 2 threads\n"
        "cache L3                      1 × 36 MiB, one for 32 threads\n"
        "memory                        31.2 GiB\n"
        "memory limit                  none\n"
        "memory available              20.0 GiB\n"
        "gpu                           NVIDIA GeForce RTX 4070 Laptop GPU, 8.0 GiB (0.5 GiB in use), "
        "256 GB/s, Ada (8.9), driver 580.95\n"
        "disk nvme0n1                  Samsung SSD 990, 1,024 GB, nvme\n"
        "sensor coretemp Package id 0  58 °C\n"
    )


def test_what_is_unknown_is_shown_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No GPU known is not the same as no GPU."""
    unsure = dataclasses.replace(
        LAPTOP,
        gpus=(),
        cards=(),
        thermals=(),
        simd=None,
        unknown={"gpus": "nvidia-smi failed", "simd": "no flags"},
    )
    monkeypatch.setattr(looked, "probe", lambda _: unsure)
    assert main(["hw", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "gpu               -" in lines
    assert "unknown: gpus     nvidia-smi failed" in lines
    monkeypatch.setattr(looked, "probe", lambda _: dataclasses.replace(LAPTOP, cards=(), thermals=()))
    main(["hw", "show"])
    assert "gpu               none" in capsys.readouterr().out.splitlines()


def test_json_fields_are_stable(capsys: pytest.CaptureFixture[str]) -> None:
    """The fields are promised; this machine's values are what they are."""
    assert main(["hw", "show", "--json"]) == 0
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
        "sockets",
        "threads_per_core",
        "fast",
        "slow",
        "told_by",
        "sweep",
        "caches",
        "cards",
        "disks",
        "thermals",
        "unknown",
        "mem_bandwidth_gb_s",
    ]


def test_a_recorded_machine_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its cores and not ours; its memory cannot be measured."""
    root = str(i7_1370p(tmp_path))
    assert main(["hw", "show", "--root", root, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["p_cores"], shown["e_cores"], shown["sweep"]) == (6, 8, [0, 2, 4, 6, 8, 10])
    assert main(["hw", "show", "--root", root, "--bandwidth"]) == 2
    assert "cannot be measured" in capsys.readouterr().err


def test_processors_are_written_as_the_kernel_does() -> None:
    """Spans and single ones; every second one in short."""
    assert ranges((0, 1, 2, 3, 8)) == "0-3,8"
    assert ranges((0, 2, 4, 6)) == "0,2,…,6"
    assert ranges((0, 2)) == "0,2"
    assert ranges(()) == ""
