from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from grn.hw.probe import Machine, Runner, probe

MEMINFO = "MemTotal:       32768000 kB\nMemFree:         1000000 kB\nMemAvailable:   16384000 kB\n"
GIB_OF_KIB = 1 / (1 << 20)


def no_nvidia(_command: Sequence[str]) -> str:
    raise FileNotFoundError("nvidia-smi")


def answers(text: str) -> Runner:
    return lambda _command: text


def raises(error: Exception) -> Runner:
    def run(_command: Sequence[str]) -> str:
        raise error

    return run


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def raptor_lake(root: Path) -> Path:
    """Lay out an i9-14900HX: 8 P-cores with two threads each, then 16 E-cores."""
    put(root, {"sys/devices/system/cpu/online": "0-31\n"})
    put(root, {"sys/devices/cpu_core/cpus": "0-15\n", "sys/devices/cpu_atom/cpus": "16-31\n"})
    for cpu in range(32):
        core = cpu // 2 * 4 if cpu < 16 else 32 + cpu
        put(
            root,
            {
                f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id": "0\n",
                f"sys/devices/system/cpu/cpu{cpu}/topology/core_id": f"{core}\n",
            },
        )
    return put(
        root,
        {
            "proc/cpuinfo": "model name\t: Intel(R) Core(TM) i9-14900HX\nflags\t\t: fpu fma avx avx2\n",
            "proc/meminfo": MEMINFO,
        },
    )


def test_a_hybrid_processor_is_told_apart(tmp_path: Path) -> None:
    """Cores and not threads: 8 P and 16 E of 24 (Intel's data sheet of that processor)."""
    machine = probe(raptor_lake(tmp_path), no_nvidia)
    assert machine.cpu_model == "Intel(R) Core(TM) i9-14900HX"
    assert (machine.cores_physical, machine.p_cores, machine.e_cores) == (24, 8, 16)
    assert machine.simd == ("avx", "avx2", "fma")
    assert set(machine.unknown) == {"gpus"}


def test_what_is_unknown_has_a_reason(tmp_path: Path) -> None:
    """An empty /proc and /sys: no guess, a reason for each fact, and no exception."""
    machine = probe(tmp_path, no_nvidia)
    for name in ("cores_physical", "mem_gib_total", "mem_gib_available", "simd"):
        assert getattr(machine, name) is None
        assert machine.unknown[name]
    assert (machine.p_cores, machine.e_cores, machine.mem_gib_limit, machine.gpus) == (None, None, None, ())
    assert "PATH" in machine.unknown["gpus"]


def test_the_kernels_kib_are_gib(tmp_path: Path) -> None:
    """The kernel writes kB and means KiB."""
    machine = probe(put(tmp_path, {"proc/meminfo": MEMINFO}), no_nvidia)
    assert machine.mem_gib_total == 32_768_000 * GIB_OF_KIB
    assert machine.mem_gib_available == 16_384_000 * GIB_OF_KIB
    assert machine.mem_gib_limit is None


def test_a_container_limit_is_honoured(tmp_path: Path) -> None:
    """Version 2: 4 GiB allowed, 3 used of which 1 is page cache that can be dropped: 2 are available."""
    put(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/job/step\n",
            "sys/fs/cgroup/job/memory.max": str(4 << 30),
            "sys/fs/cgroup/job/memory.current": str(3 << 30),
            "sys/fs/cgroup/job/memory.stat": f"anon 5\ninactive_file {1 << 30}\n",
            "sys/fs/cgroup/job/step/memory.max": "max\n",
            "sys/fs/cgroup/job/step/memory.current": "0\n",
        },
    )
    machine = probe(tmp_path, no_nvidia)
    assert (machine.mem_gib_limit, machine.mem_gib_available) == (4.0, 2.0)


def test_a_container_limit_of_version_1_is_honoured(tmp_path: Path) -> None:
    """Inside a container the path is the host's and the mount is the group itself; the root has no limit."""
    put(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "4:memory:/docker/abc\n1:cpu:/docker/abc\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2 << 30),
            "sys/fs/cgroup/memory/memory.usage_in_bytes": str(1 << 30),
        },
    )
    machine = probe(tmp_path, no_nvidia)
    assert (machine.mem_gib_limit, machine.mem_gib_available) == (2.0, 1.0)
    put(tmp_path, {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"})
    assert probe(tmp_path, no_nvidia).mem_gib_limit is None


def test_a_limit_above_the_machine_limits_nothing(tmp_path: Path) -> None:
    """64 GiB allowed on a machine with 31: the machine decides."""
    put(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": str(64 << 30),
            "sys/fs/cgroup/memory.current": "0",
        },
    )
    machine = probe(tmp_path, no_nvidia)
    assert machine.mem_gib_limit is None
    assert machine.mem_gib_available == 16_384_000 * GIB_OF_KIB


def test_gpus_are_named(tmp_path: Path) -> None:
    """One line per card; a driver without a card says a sentence and has none."""
    machine = probe(
        tmp_path, answers("GPU-1, NVIDIA GeForce RTX 4070 Laptop GPU, 8188, 512, 580.95, 8.9\n\n")
    )
    assert machine.gpus == ("NVIDIA GeForce RTX 4070 Laptop GPU",)
    assert "gpus" not in machine.unknown
    assert probe(tmp_path, answers("No devices were found\n")).gpus == ()


@pytest.mark.parametrize(
    "error",
    [
        subprocess.TimeoutExpired("nvidia-smi", 10.0),
        subprocess.CalledProcessError(9, "nvidia-smi"),
        PermissionError(13, "Permission denied"),
    ],
)
def test_a_driver_that_fails_is_a_reason_and_no_error(tmp_path: Path, error: Exception) -> None:
    """A broken driver is common after an upgrade; the rest of the machine is still there."""
    machine = probe(tmp_path, raises(error))
    assert machine.gpus == ()
    assert "nvidia-smi" in machine.unknown["gpus"]


@pytest.mark.parametrize("text", ["", "x-y", "0-", "1,,2", "9999999999999999999999"])
def test_files_that_make_no_sense_are_unknown(tmp_path: Path, text: str) -> None:
    """Whatever a kernel writes, nothing is raised."""
    put(
        tmp_path,
        {
            "sys/devices/system/cpu/online": text,
            "proc/meminfo": f"MemTotal: {text} kB\n:\n",
            "proc/self/cgroup": f"{text}\n::\n0::/../..\n",
            "proc/cpuinfo": text,
        },
    )
    assert isinstance(probe(tmp_path, no_nvidia), Machine)


def test_this_machine_can_be_looked_at() -> None:
    """The real thing: never fails, and what is available is not more than there is."""
    machine = probe()
    if machine.mem_gib_total is not None and machine.mem_gib_available is not None:
        assert 0 <= machine.mem_gib_available <= machine.mem_gib_total
    if machine.cores_usable is not None and machine.cores_logical is not None:
        assert 1 <= machine.cores_usable <= machine.cores_logical
