"""Machines below are laid out by hand after their makers' data sheets: no file was copied from one."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grn.hw.pin import Pins, Placement, pinned, place_sweep, read_cpu_quota, sweep_processors
from tests.hw.test_probe import put, raptor_lake

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")


def siblings(root: Path, pairs: dict[int, str], name: str = "core_cpus_list") -> Path:
    return put(
        root, {f"sys/devices/system/cpu/cpu{c}/topology/{name}": f"{text}\n" for c, text in pairs.items()}
    )


def hybrid(root: Path) -> Path:
    """An i9-14900HX: threads 2k and 2k+1 share P-core k, processors 16 to 31 are E-cores."""
    raptor_lake(root)
    pairs = {c: f"{c // 2 * 2}-{c // 2 * 2 + 1}" for c in range(16)}
    return siblings(root, {**pairs, **{c: str(c) for c in range(16, 32)}})


def epyc(root: Path, cores: int = 64) -> Path:
    """An EPYC 9554: processor c and c + 64 share core c."""
    return siblings(root, {c: f"{c % cores},{c % cores + cores}" for c in range(2 * cores)})


def test_a_hybrid_processor_gives_its_p_cores_without_siblings(tmp_path: Path) -> None:
    """Eight threads: the first of each P-core of an i9-14900HX."""
    place = place_sweep(hybrid(tmp_path), range(32))
    assert place.processors == (0, 2, 4, 6, 8, 10, 12, 14)
    assert place.threads == 8
    assert place.reason == "P-cores, without 16 processors of E-cores; one thread on each of 8 cores"


def test_siblings_may_be_asked_for(tmp_path: Path) -> None:
    """Both threads of every P-core."""
    assert place_sweep(hybrid(tmp_path), range(32), siblings=True).processors == tuple(range(16))


def test_a_uniform_processor_gives_one_thread_per_core(tmp_path: Path) -> None:
    """64 of an EPYC's 128; with an old kernel's name for the same file too."""
    assert place_sweep(epyc(tmp_path / "new"), range(128)).processors == tuple(range(64))
    pairs = {c: f"{c % 4},{c % 4 + 4}" for c in range(8)}
    old = siblings(tmp_path / "old", pairs, "thread_siblings_list")
    assert place_sweep(old, range(8)).processors == (0, 1, 2, 3)


def test_the_affinity_mask_is_obeyed(tmp_path: Path) -> None:
    """Only what the process may use: siblings whose core is not in the mask stand alone."""
    assert place_sweep(epyc(tmp_path / "e"), {3, 67, 70}).processors == (3, 70)
    only_e = place_sweep(hybrid(tmp_path / "h"), range(20, 24))
    assert only_e.processors == (20, 21, 22, 23)
    assert only_e.reason == "all cores are alike"


def test_cores_are_told_apart_by_capacity_too(tmp_path: Path) -> None:
    """Arm's big.LITTLE: what the kernel gives at least four fifths of the highest capacity."""
    sizes = {0: 380, 1: 380, 2: 870, 3: 1_000, 4: 1_024}
    put(tmp_path, {f"sys/devices/system/cpu/cpu{c}/cpu_capacity": f"{n}\n" for c, n in sizes.items()})
    place = place_sweep(tmp_path, range(5))
    assert place.processors == (2, 3, 4)
    assert "highest capacity, without 2 slower ones" in place.reason


def test_a_quota_limits_the_threads(tmp_path: Path) -> None:
    """A container with 2.5 processors' worth of time starts three threads, whatever it sees."""
    root = epyc(tmp_path)
    put(root, {"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.max": "250000 100000\n"})
    place = place_sweep(root, range(128))
    assert place.processors == (0, 1, 2)
    assert place.reason.endswith("a control group allows 2.5 processors")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        ({"proc/self/cgroup": "0::/host/path\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"}, 4.0),
        # The tightest group on the way to the root.
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
          "sys/fs/cgroup/a/b/cpu.max": "800000 100000\n"}, 3.0),
        # Version 1, as this kind of line names it.
        ({"proc/self/cgroup": "3:cpu,cpuacct:/x\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "150000\n",
          "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n"}, 1.5),
        ({"proc/self/cgroup": "3:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n"}, None),
        ({"proc/self/cgroup": "nonsense\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense\n"}, None),
    ],
)  # fmt: skip
def test_quotas_of_both_versions_are_read(
    tmp_path: Path, files: dict[str, str], expected: float | None
) -> None:
    """In processors; no file, no limit or no sense is no quota."""
    assert read_cpu_quota(put(tmp_path, files)) == expected


def test_an_unknown_machine_keeps_all_processors(tmp_path: Path) -> None:
    """Without /sys nothing is left out."""
    assert place_sweep(tmp_path, {4, 1, 9}) == Placement((1, 4, 9), 3, "all cores are alike")


def test_a_system_without_affinity_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS: no mask, nothing pinned, and a reason."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    place = place_sweep()
    assert (place.processors, place.threads) == (None, os.cpu_count())
    assert place.reason == "this system has no affinity masks"
    assert sweep_processors() == []
    with pinned() as pins:
        pins.pin_thread()


@linux
def test_threads_run_on_their_processor_and_the_caller_gets_its_own_back() -> None:
    """Each thread of a pool on one processor, in turn; afterwards the mask is what it was."""
    before = os.sched_getaffinity(0)
    place = place_sweep()
    assert place.processors is not None
    barrier = threading.Barrier(place.threads)

    def look(_: int) -> set[int]:
        barrier.wait(timeout=30)
        return os.sched_getaffinity(0)

    with pinned(place) as pins:
        assert os.sched_getaffinity(0) == set(place.processors)
        with ThreadPoolExecutor(place.threads, initializer=pins.pin_thread) as pool:
            masks = list(pool.map(look, range(place.threads)))
    assert sorted(masks, key=min) == [{cpu} for cpu in sorted(place.processors)]
    assert os.sched_getaffinity(0) == before


@linux
def test_the_mask_comes_back_after_an_error() -> None:
    """Whatever ends the block."""
    before = os.sched_getaffinity(0)
    with pytest.raises(RuntimeError), pinned(Placement((min(before),), 1, "one")):
        raise RuntimeError
    assert os.sched_getaffinity(0) == before


@linux
def test_a_processor_that_is_gone_leaves_the_thread_where_it_is() -> None:
    """Hot-plug or a changed cpuset between deciding and pinning: no error, no pin."""
    before = os.sched_getaffinity(0)
    Pins(Placement((4_000,), 1, "a machine of another day")).pin_thread()
    with pinned(Placement((4_000,), 1, "a machine of another day")):
        assert os.sched_getaffinity(0) == before


def test_this_machine_has_processors_for_a_sweep() -> None:
    """At least one where masks exist, each of them allowed."""
    found = sweep_processors()
    if hasattr(os, "sched_getaffinity"):
        assert found
        assert set(found) <= os.sched_getaffinity(0)
