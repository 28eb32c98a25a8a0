"""Room on the disk: looked at before anything is written, and limited by a quota."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grn.kit.errors import BudgetError, OutputError

GIB: Final = 1 << 30
_RESERVE: Final = 256 << 20
"""Bytes that stay free: a manifest has to fit, and a full disk harms more than this lake."""


@dataclass(frozen=True)
class Room:
    """What may be written below a root.

    Attributes
    ----------
    root
        The lake's folder.
    quota_gib
        Most that the lake may hold, in GiB (2³⁰ bytes); ``None`` for no limit but the disk's.
    """

    root: Path
    quota_gib: float | None = None

    def ask(self, need_bytes: int, what: str) -> None:
        """Make sure that `need_bytes` more will fit.

        Raises
        ------
        OutputError
            The disk has not that much left beside a reserve of 256 MiB.
        BudgetError
            The lake would grow over its quota.
        """
        place = self.root
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if need_bytes + _RESERVE > free:
            raise OutputError(
                f"the disk of {self.root} has no room for {what}",
                seen=f"{_gib(need_bytes)} GiB needed, {_gib(free)} free",
                hint="make room, or move the lake: data_root in config.toml",
            )
        if self.quota_gib is not None and (used := used_bytes(self.root)) + need_bytes > self.quota_gib * GIB:
            raise BudgetError(
                f"{what} would not fit the lake's quota",
                seen=f"{_gib(used)} GiB used, {_gib(need_bytes)} more, {self.quota_gib:g} allowed",
                hint="raise data_quota_gib in config.toml, or remove series",
            )


def used_bytes(root: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                total += (Path(folder) / name).stat().st_size
            except FileNotFoundError:  # a writer has just removed it
                continue
    return total


def _gib(count: int) -> str:
    return f"{count / GIB:,.3g}"
