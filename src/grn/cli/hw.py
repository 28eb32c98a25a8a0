"""``grn hw``: the machine."""

from __future__ import annotations

import click

from grn.cli.output import json_option, write_facts, write_json


@click.command()
@json_option
def hw(as_json: bool) -> None:
    """Show what this machine has.

    What cannot be known is "-" (null in JSON), with the reason below (under "unknown" in JSON).
    """
    from grn.hw.probe import probe

    machine = probe()
    if as_json:
        write_json(machine)
        return
    cores = [
        ("logical", machine.cores_logical),
        ("usable by this process", machine.cores_usable),
        ("physical", machine.cores_physical),
        ("P", machine.p_cores),
        ("E", machine.e_cores),
    ]
    write_facts(
        [
            ("processor", machine.cpu_model),
            ("cores", ", ".join(f"{n} {kind}" for kind, n in cores if n is not None) or None),
            ("simd", " ".join(machine.simd) if machine.simd else None),
            ("memory", _gib(machine.mem_gib_total)),
            ("memory limit", _gib(machine.mem_gib_limit) if machine.mem_gib_limit else "none"),
            ("memory available", _gib(machine.mem_gib_available)),
            ("gpus", ", ".join(machine.gpus) or ("-" if "gpus" in machine.unknown else "none")),
            *((f"unknown: {name}", why) for name, why in machine.unknown.items()),
        ]
    )


def _gib(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} GiB"
