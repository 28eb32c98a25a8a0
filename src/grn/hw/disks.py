"""Disks of the machine, as the kernel lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SECTOR = 512
_VIRTUAL = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd")


@dataclass(frozen=True)
class Disk:
    """A disk.

    Attributes
    ----------
    name
        The kernel's, such as ``nvme0n1``.
    model
        The maker's; ``None`` where it is not told.
    size_gb
        In 10⁹ bytes, as makers count.
    kind
        ``nvme``, ``ssd`` (no moving parts), ``hdd`` or ``virtual`` (of a virtual machine).
    """

    name: str
    model: str | None
    size_gb: float
    kind: str


def read_disks(root: Path) -> tuple[Disk, ...]:
    """Disks by name, without loops, memory disks and combinations of disks."""
    found = []
    for folder in sorted((root / "sys/block").glob("*")):
        sectors = _text(folder / "size")
        if folder.name.startswith(_VIRTUAL) or sectors is None or not sectors.isdecimal() or sectors == "0":
            continue
        found.append(
            Disk(folder.name, _text(folder / "device/model"), int(sectors) * _SECTOR / 1e9, _kind(folder))
        )
    return tuple(found)


def _kind(folder: Path) -> str:
    if folder.name.startswith("nvme"):
        return "nvme"
    if folder.name.startswith(("vd", "xvd")):
        return "virtual"
    return "hdd" if _text(folder / "queue/rotational") == "1" else "ssd"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None
