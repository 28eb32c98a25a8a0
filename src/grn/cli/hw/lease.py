"""``grn hw lease``: a command with a part of a card's memory to itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from grn.cli.hw.command import become, find_command
from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import MissingError, UsageError

if TYPE_CHECKING:
    from grn.hw.lease import Card

_GIB = 1 << 30


@click.group()
def lease() -> None:
    """Run COMMAND with a part of a card's memory to itself."""


@lease.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--gib", type=float, required=True, help="How much of its memory, GiB.")
@click.option("--card", metavar="NUMBER|UUID", default="0", show_default=True, help="Which card.")
@click.option("--wait", "wait_s", type=click.FloatRange(0), default=0.0, metavar="SECONDS",
              help="Wait so long for others to give memory back (default: not at all).")  # fmt: skip
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def gpu(gib: float, card: str, wait_s: float, command: tuple[str, ...]) -> None:
    """Run COMMAND with so much of a card's memory written down as its own.

    The lease ends with the command, however it ends. COMMAND sees this one card only (CUDA_VISIBLE_DEVICES).
    It is an agreement among grn's own processes: the driver does not enforce it.

    Example: grn hw lease gpu --gib 3 -- python train.py
    """
    from grn.hw.lease import Leases

    if not 0 < gib < float("inf"):
        raise UsageError("--gib must be positive", seen=gib, hint="for example: --gib 3")
    find_command(command)
    chosen = _choose(card)
    held = Leases(chosen.uuid, chosen.total)
    held.keep(int(gib * _GIB), " ".join(command)[:80], wait_s=wait_s)
    click.echo(f"lease: {gib:g} GiB of {chosen.name}, {held.free() / _GIB:.3g} GiB left", err=True)
    become(command, {**os.environ, "CUDA_VISIBLE_DEVICES": chosen.uuid})


@lease.command("ls")
@json_option
def list_leases(as_json: bool) -> None:
    """List who holds memory of which card."""
    from grn.hw.lease import Leases

    rows = [
        {"card": card.uuid, "name": card.name, "pid": held.pid, "gib": held.n_bytes / _GIB, "what": held.what}
        for card in _cards()
        for held in Leases(card.uuid, card.total).held()
    ]
    if as_json:
        write_json(rows)
        return
    write_table(
        ("CARD", "PID", "GIB", "WHAT"), [(row["name"], row["pid"], row["gib"], row["what"]) for row in rows]
    )


def _choose(card: str) -> Card:
    cards = _cards()
    found = [one for number, one in enumerate(cards) if card in (str(number), one.uuid)]
    if not found:
        raise UsageError(
            "there is no such card",
            seen=card,
            hint="; ".join(f"{number}: {one.name} ({one.uuid})" for number, one in enumerate(cards)),
        )
    return found[0]


def _cards() -> tuple[Card, ...]:
    from grn.hw.lease import read_cards

    cards = read_cards()
    if not cards:
        raise MissingError(
            "no NVIDIA card answers here",
            hint="`grn hw show` says why; a lease needs a driver whose nvidia-smi lists the card",
        )
    return cards
