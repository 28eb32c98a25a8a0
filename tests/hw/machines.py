"""Machines laid out by hand after their makers' data sheets: no file was copied from one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

CPU = "sys/devices/system/cpu"


def put(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def lay_out(root: Path, cores: list[tuple[int, ...]], model: str, *, sockets: int = 1) -> Path:
    """Lay out cores, each a tuple of its logical processors, spread evenly over the sockets."""
    n = sum(map(len, cores))
    put(root, {f"{CPU}/online": f"0-{n - 1}\n", "proc/cpuinfo": f"model name\t: {model}\n"})
    for core, threads in enumerate(cores):
        shared = ",".join(map(str, threads))
        for cpu in threads:
            topology = f"{CPU}/cpu{cpu}/topology"
            put(root, {
                f"{topology}/physical_package_id": f"{core * sockets // len(cores)}\n",
                f"{topology}/core_id": f"{core}\n",
                f"{topology}/core_cpus_list": f"{shared}\n",
            })  # fmt: skip
    return root


def figure(root: Path, file: str, figures: dict[int, int]) -> Path:
    """Give single processors a figure, such as their capacity."""
    return put(root, {f"{CPU}/cpu{cpu}/{file}": f"{value}\n" for cpu, value in figures.items()})


def i9_14900hx(root: Path) -> Path:
    """8 P-cores with two threads, then 16 E-cores."""
    lay_out(root, [*((c, c + 1) for c in range(0, 16, 2)), *((c,) for c in range(16, 32))],
            "Intel(R) Core(TM) i9-14900HX")  # fmt: skip
    return put(root, {"sys/devices/cpu_core/cpus": "0-15\n", "sys/devices/cpu_atom/cpus": "16-31\n"})


def i7_1370p(root: Path) -> Path:
    """6 P-cores with two threads, then 8 E-cores."""
    lay_out(root, [*((c, c + 1) for c in range(0, 12, 2)), *((c,) for c in range(12, 20))],
            "13th Gen Intel(R) Core(TM) i7-1370P")  # fmt: skip
    return put(root, {"sys/devices/cpu_core/cpus": "0-11\n", "sys/devices/cpu_atom/cpus": "12-19\n"})


def i7_1370p_of_an_old_kernel(root: Path) -> Path:
    """The same before Linux 5.13: only the highest frequencies tell (5.2 and 3.9 GHz)."""
    lay_out(root, [*((c, c + 1) for c in range(0, 12, 2)), *((c,) for c in range(12, 20))],
            "13th Gen Intel(R) Core(TM) i7-1370P")  # fmt: skip
    fast = dict.fromkeys(range(12), 5_200_000)
    return figure(root, "cpufreq/cpuinfo_max_freq", {**fast, **dict.fromkeys(range(12, 20), 3_900_000)})


def ryzen_7950x(root: Path) -> Path:
    """16 cores that are alike; the ranks of preferred cores differ by more than those of P- and E-cores."""
    lay_out(root, [(c, c + 16) for c in range(16)], "AMD Ryzen 9 7950X 16-Core Processor")
    figure(root, "acpi_cppc/highest_perf", {cpu: 236 - cpu % 16 * 4 for cpu in range(32)})
    figure(root, "acpi_cppc/nominal_perf", dict.fromkeys(range(32), 145))
    return figure(
        root, "cpufreq/cpuinfo_max_freq", {cpu: 5_880_000 - cpu % 16 // 8 * 200_000 for cpu in range(32)}
    )


def ryzen_8540u(root: Path) -> Path:
    """2 cores of Zen 4 and 4 of Zen 4c, which the collaborative performance control tells apart."""
    lay_out(root, [(c, c + 1) for c in range(0, 12, 2)], "AMD Ryzen 5 8540U")
    return figure(root, "acpi_cppc/nominal_perf", {cpu: 120 if cpu < 4 else 85 for cpu in range(12)})


def two_epycs(root: Path) -> Path:
    """Two EPYC 7313: 16 cores each; the second threads are numbered after all first ones."""
    return lay_out(root, [(c, c + 32) for c in range(32)], "AMD EPYC 7313 16-Core Processor", sockets=2)


def arm(root: Path) -> Path:
    """Little, middle and large cores, as a Snapdragon 8 numbers them; capacities of the device tree."""
    lay_out(root, [(c,) for c in range(8)], "ARMv9")
    sizes = {0: 326, 1: 326, 2: 326, 3: 835, 4: 835, 5: 835, 6: 835, 7: 1024}
    return figure(root, "cpu_capacity", sizes)


def vm(root: Path) -> Path:
    """Four processors of a virtual machine, told to be alike and without siblings."""
    lay_out(root, [(c,) for c in range(4)], "QEMU Virtual CPU version 2.5+")
    return figure(root, "cpu_capacity", dict.fromkeys(range(4), 1024))


def nothing(root: Path) -> Path:
    """No /sys at all."""
    root.mkdir(parents=True, exist_ok=True)
    return root


def span(*bounds: int) -> tuple[int, ...]:
    """``span(16, 31)`` is 16 to 31."""
    return tuple(range(bounds[0], bounds[1] + 1, *bounds[2:]))


MACHINES: Final[dict[str, tuple[Callable[[Path], Path], int, tuple[int, ...], tuple[int, ...]]]] = {
    "i9-14900HX": (i9_14900hx, 32, span(0, 14, 2), span(16, 31)),
    "i7-1370P": (i7_1370p, 20, span(0, 10, 2), span(12, 19)),
    "i7-1370P, old kernel": (i7_1370p_of_an_old_kernel, 20, span(0, 10, 2), span(12, 19)),
    "Ryzen 9 7950X": (ryzen_7950x, 32, span(0, 15), span(0, 31)),
    "Ryzen 5 8540U": (ryzen_8540u, 12, (0, 2), span(4, 11)),
    "2 × EPYC 7313": (two_epycs, 64, span(0, 31), span(0, 63)),
    "Arm": (arm, 8, span(3, 7), (0, 1, 2)),
    "virtual machine": (vm, 4, span(0, 3), span(0, 3)),
    "no sysfs": (nothing, 4, span(0, 3), span(0, 3)),
}
"""How to lay a machine out, its logical processors, where sweeps run, and where work runs that can wait."""
