"""Temperatures that the kernel reads from its sensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MILLI = 1_000
_PLAUSIBLE = range(-40, 151)
"""A sensor that is not wired up tells -273 or 200 °C and more."""


@dataclass(frozen=True)
class Thermal:
    """A sensor and its temperature in degrees Celsius."""

    name: str
    celsius: float


def read_thermals(root: Path) -> tuple[Thermal, ...]:
    """Sensors of ``hwmon`` with their labels, then thermal zones; those that tell nothing are left out."""
    found = []
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        maker = _text(chip / "name") or chip.name
        for file in sorted(chip.glob("temp*_input")):
            label = _text(chip / file.name.replace("_input", "_label"))
            found.append((f"{maker} {label}" if label else maker, _text(file)))
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        found.append((_text(zone / "type") or zone.name, _text(zone / "temp")))
    return tuple(
        Thermal(name, int(text) / _MILLI)
        for name, text in found
        if text is not None and text.removeprefix("-").isdecimal() and int(text) // _MILLI in _PLAUSIBLE
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:  # a sensor of a device that sleeps answers with an error
        return None
