from __future__ import annotations

from pathlib import Path

import pytest

from grn.hw.kinds import read_kinds
from grn.hw.pin import place_background, place_sweep
from grn.hw.probe import RECORDED, probe
from grn.hw.threads import VARIABLES, thread_variables
from tests.hw.machines import MACHINES, i9_14900hx, put, ryzen_7950x, two_epycs


@pytest.mark.parametrize("name", MACHINES)
def test_masks_and_variables_of_known_machines(tmp_path: Path, name: str) -> None:
    """One thread on each fast core for sweeps, slow cores for what can wait, a thread per processor."""
    lay_out, n, sweep, background = MACHINES[name]
    root = lay_out(tmp_path / "m")
    place = place_sweep(root, range(n))
    assert place.processors == sweep
    assert place_background(root, range(n)).processors == background
    assert thread_variables(place.threads) == dict.fromkeys(VARIABLES, str(len(sweep)))


@pytest.mark.parametrize("name", MACHINES)
def test_known_machines_are_shown_whole(tmp_path: Path, name: str) -> None:
    """What is shown agrees with where work is placed; a machine without /sys shows nothing and says so."""
    lay_out, n, sweep, _ = MACHINES[name]
    machine = probe(lay_out(tmp_path / "m"))
    if name == "no sysfs":
        assert (machine.cores_logical, machine.sweep, machine.fast) == (None, (), ())
        assert "cores_logical" in machine.unknown
        return
    assert (machine.cores_logical, machine.cores_usable, machine.sweep) == (n, n, sweep)
    assert sorted((*machine.fast, *machine.slow)) == list(range(n))


def test_preferred_cores_are_not_another_kind(tmp_path: Path) -> None:
    """Ranks of one Ryzen's cores go from 236 down to 176, wider than P and E differ; they are alike."""
    assert read_kinds(ryzen_7950x(tmp_path), range(32)).told_by is None


def test_two_sockets_are_counted(tmp_path: Path) -> None:
    """Packages, cores and threads of each."""
    machine = probe(two_epycs(tmp_path))
    assert (machine.sockets, machine.cores_physical, machine.threads_per_core) == (2, 32, 2)


def test_caches_are_counted_once_for_all_that_share_them(tmp_path: Path) -> None:
    """Two threads of a core list the same cache; an i9-14900HX has 36 MiB for all (Intel's data sheet)."""
    root = i9_14900hx(tmp_path)
    for cpu in range(32):
        folder = f"sys/devices/system/cpu/cpu{cpu}/cache"
        own = f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}" if cpu < 16 else str(cpu)
        put(root, {
            f"{folder}/index0/level": "1\n", f"{folder}/index0/type": "Data\n",
            f"{folder}/index0/size": "48K\n" if cpu < 16 else "32K\n",
            f"{folder}/index0/shared_cpu_list": f"{own}\n",
            f"{folder}/index3/level": "3\n", f"{folder}/index3/type": "Unified\n",
            f"{folder}/index3/size": "36864K\n", f"{folder}/index3/shared_cpu_list": "0-31\n",
            f"{folder}/index9/level": "nonsense\n",
        })  # fmt: skip
    found = [(c.level, c.kind, c.size_kib, c.shared_by, c.count) for c in probe(root).caches]
    assert found == [(1, "data", 32, 1, 16), (1, "data", 48, 2, 8), (3, "unified", 36864, 32, 1)]


def test_disks_and_sensors_are_listed(tmp_path: Path) -> None:
    """Real disks only; sensors with their labels; those that are not wired up, or asleep, are left out."""
    put(tmp_path, {
        "sys/block/nvme0n1/size": "2000409264\n", "sys/block/nvme0n1/device/model": "Samsung SSD 990\n",
        "sys/block/sda/size": "7814037168\n", "sys/block/sda/queue/rotational": "1\n",
        "sys/block/sdb/size": "1000215216\n", "sys/block/sdb/queue/rotational": "0\n",
        "sys/block/vda/size": "4096\n", "sys/block/loop0/size": "4096\n", "sys/block/sdc/size": "0\n",
        "sys/class/hwmon/hwmon3/name": "coretemp\n", "sys/class/hwmon/hwmon3/temp1_input": "58000\n",
        "sys/class/hwmon/hwmon3/temp1_label": "Package id 0\n", "sys/class/hwmon/hwmon3/temp2_input": "\n",
        "sys/class/thermal/thermal_zone0/type": "acpitz\n", "sys/class/thermal/thermal_zone0/temp": "27800\n",
        "sys/class/thermal/thermal_zone1/type": "INT3400\n",
        "sys/class/thermal/thermal_zone1/temp": "-274000\n",
    })  # fmt: skip
    machine = probe(tmp_path)
    assert [(d.name, d.model, round(d.size_gb), d.kind) for d in machine.disks] == [
        ("nvme0n1", "Samsung SSD 990", 1024, "nvme"), ("sda", None, 4001, "hdd"),
        ("sdb", None, 512, "ssd"), ("vda", None, 0, "virtual"),
    ]  # fmt: skip
    assert [(t.name, t.celsius) for t in machine.thermals] == [
        ("coretemp Package id 0", 58.0),
        ("acpitz", 27.8),
    ]


def test_a_recorded_machine_has_its_own_cards(tmp_path: Path) -> None:
    """Not those of this machine: what its driver said is kept beside its /sys; a data sheet adds the rest."""
    machine = probe(
        put(tmp_path, {RECORDED: "GPU-1, NVIDIA GeForce RTX 4070 Laptop GPU, 8188, 512, 580.95, 8.9\n"})
    )
    (card,) = machine.cards
    assert (card.generation, card.capability, card.bandwidth_gb_s) == ("Ada", "8.9", 256)
    assert (card.memory_gib, card.used_gib) == (8188 / 1024, 0.5)
    assert machine.gpus == ("NVIDIA GeForce RTX 4070 Laptop GPU",)
