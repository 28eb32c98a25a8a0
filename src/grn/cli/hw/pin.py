"""``grn hw pin``: a command on the cores that suit it."""

from __future__ import annotations

import os

import click

from grn.cli.hw.command import become, find_command
from grn.cli.hw.show import ranges
from grn.kit.errors import UsageError

_GIB = 1 << 30


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--cores",
    type=click.Choice(["fast", "slow", "all"]),
    default="fast",
    show_default=True,
    help="fast: one thread on each of the fast cores. slow: those that nobody waits for. all: no mask.",
)
@click.option("--siblings", is_flag=True, help="Both threads of each fast core.")
@click.option("--memory-gib", type=float, help="Limit on memory (default: memory_gib of the settings).")
@click.option(
    "--nice", type=click.IntRange(0, 19), help="Priority: 0 as it is, 19 the lowest (slow cores: 10)."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, run nothing.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def pin(
    cores: str,
    siblings: bool,
    memory_gib: float | None,
    nice: int | None,
    dry_run: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND on the fast cores, with a limit on its memory.

    Libraries are told by their variables to start as many threads as there are processors in the mask.

    Example: grn hw pin --memory-gib 24 -- python train.py
    """
    from grn.hw.cap import plan_cap
    from grn.hw.pin import Placement, place_background, place_sweep
    from grn.hw.threads import thread_variables
    from grn.kit.config import load_settings

    if siblings and cores != "fast":
        raise UsageError("--siblings is of the fast cores", seen=cores, hint="leave it out, or --cores fast")
    gib = load_settings().memory_gib if memory_gib is None else memory_gib
    if not 0 < gib < float("inf"):
        raise UsageError("--memory-gib must be positive", seen=gib, hint="for example: --memory-gib 24")
    find_command(command)
    match cores:
        case "fast":
            place = place_sweep(siblings=siblings)
        case "slow":
            place = place_background()
        case _:
            everything = place_sweep(siblings=True)
            place = Placement(None, everything.threads, "no mask")
    cap = plan_cap(int(gib * _GIB))
    priority = nice if nice is not None else 10 if cores == "slow" else 0
    where = ranges(place.processors) if place.processors else "as they come"
    click.echo(f"processors: {where} ({place.reason})", err=True)
    click.echo(f"threads: {place.threads}; memory: {cap.reason}; priority: {priority}", err=True)
    if dry_run:
        return
    if place.processors and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, place.processors)
    if priority:
        os.nice(priority)
    cap.limit_process()
    become((*cap.prefix, *command), {**os.environ, **thread_variables(place.threads)})
