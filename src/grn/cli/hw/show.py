"""``grn hw show``: what the machine has."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_facts, write_json

if TYPE_CHECKING:
    from grn.hw.probe import Machine


@click.command()
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("/"),
    help="Read /proc and /sys below this folder: a machine that was recorded. What its driver said of cards "
    "is in nvidia-smi.csv there.",
)
@click.option(
    "--bandwidth", is_flag=True, help="Measure how fast memory is read: a few seconds of all fast cores."
)
@json_option
def show(root: Path, bandwidth: bool, as_json: bool) -> None:
    """Show what this machine has.

    What cannot be known is "-" (null in JSON), with the reason below (under "unknown" in JSON).
    """
    from grn.hw.probe import probe
    from grn.kit.errors import UsageError

    if bandwidth and root != Path("/"):
        raise UsageError(
            "a recorded machine's memory cannot be measured", seen=str(root), hint="leave out --bandwidth"
        )
    machine = probe(root)
    measured = None
    if bandwidth:
        from grn.hw.bandwidth import measure_bandwidth

        measured = measure_bandwidth()
    if as_json:
        facts = {part.name: getattr(machine, part.name) for part in dataclasses.fields(machine)}
        write_json({**facts, "mem_bandwidth_gb_s": measured})
        return
    write_facts(_facts(machine, measured))


def _facts(machine: Machine, bandwidth: float | None) -> Iterator[tuple[str, object]]:
    cores = [
        ("logical", machine.cores_logical),
        ("usable by this process", machine.cores_usable),
        ("physical", machine.cores_physical),
        ("P", machine.p_cores),
        ("E", machine.e_cores),
    ]
    yield "processor", machine.cpu_model
    yield "sockets", machine.sockets
    yield "cores", ", ".join(f"{n} {kind}" for kind, n in cores if n is not None) or None
    if machine.slow:
        yield "fast cores", f"{ranges(machine.fast)} (told by {machine.told_by})"
        yield "slow cores", ranges(machine.slow)
    yield "sweeps run on", ranges(machine.sweep) or None
    yield "simd", " ".join(machine.simd) if machine.simd else None
    for cache in machine.caches:
        name = f"L{cache.level}{'' if cache.kind == 'unified' else ' ' + cache.kind}"
        yield f"cache {name}", f"{cache.count} × {_size(cache.size_kib)}, one for {cache.shared_by} threads"
    yield "memory", _gib(machine.mem_gib_total)
    yield "memory limit", _gib(machine.mem_gib_limit) if machine.mem_gib_limit else "none"
    yield "memory available", _gib(machine.mem_gib_available)
    if bandwidth is not None:
        yield "memory bandwidth", f"{bandwidth:.1f} GB/s read, measured"
    for card in machine.cards:
        parts = [
            card.name,
            _gib(card.memory_gib),
            f"{card.bandwidth_gb_s:g} GB/s" if card.bandwidth_gb_s else None,
            f"{card.generation} ({card.capability})" if card.generation else card.capability,
            f"driver {card.driver}",
        ]
        if card.used_gib:
            parts[1] = f"{parts[1]} ({_gib(card.used_gib)} in use)"
        yield "gpu", ", ".join(filter(None, parts))
    if not machine.cards:
        yield "gpu", "-" if "gpus" in machine.unknown else "none"
    for disk in machine.disks:
        yield f"disk {disk.name}", ", ".join(filter(None, [disk.model, f"{disk.size_gb:,.0f} GB", disk.kind]))
    for sensor in machine.thermals:
        yield f"sensor {sensor.name}", f"{sensor.celsius:g} °C"
    for name, why in machine.unknown.items():
        yield f"unknown: {name}", why


def ranges(processors: Sequence[int]) -> str:
    """Write numbers in rising order as the kernel does: ``0-3,8``; steps of two as ``0,2,…,14``."""
    found = list(processors)
    steps = {later - earlier for earlier, later in itertools.pairwise(found)}
    if steps == {2} and len(found) > 3:
        return f"{found[0]},{found[1]},…,{found[-1]}"
    spans: list[list[int]] = []
    for cpu in found:
        if spans and cpu == spans[-1][1] + 1:
            spans[-1][1] = cpu
        else:
            spans.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _gib(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} GiB"


def _size(kib: int) -> str:
    return f"{kib / 1024:g} MiB" if kib >= 1024 else f"{kib} KiB"
