"""The report's colours: one table for light and dark, used by the page, its figures and the repainting.

Blue and orange stay apart for every common kind of colour blindness.  `tests/quant/report/test_palette.py`
holds text to a contrast of 4.5 (WCAG 2.2, 1.4.3) and marks to 3 (1.4.11).
"""

from __future__ import annotations

from typing import Final

PALETTE: Final[dict[str, tuple[str, str]]] = {
    # name: (light, dark)
    "paper": ("#fcfbf8", "#14171a"),
    "panel": ("#f4f2ec", "#1b1f24"),
    "ink": ("#1d2228", "#e7e5e0"),
    "muted": ("#59626d", "#a1a9b3"),
    "rule": ("#e3e0d8", "#2e343b"),
    "grid": ("#ebe8e1", "#252a30"),
    "accent": ("#1b5ea8", "#7db7f5"),
    "accent-soft": ("#d9e5f2", "#1d3045"),
    "warm": ("#b04f08", "#f3a660"),
    "warm-soft": ("#f7e3d0", "#3d2a18"),
    "grey": ("#848d97", "#727c87"),
    "grey-soft": ("#b9bfc6", "#4a525b"),
    "low": ("#9c4303", "#ffb877"),
    "low-mid": ("#dda06d", "#87562b"),
    "mid": ("#f3f0e9", "#20252a"),
    "high-mid": ("#86aed6", "#386491"),
    "high": ("#134a8a", "#abd3ff"),
}
"""Roles.  `low` to `high` is the diverging scale of maps; `mid` is its zero.  Every light colour is unique,
because a figure is repainted by looking its light colours up here."""

LIGHT: Final = {name: light for name, (light, _) in PALETTE.items()}
DARK: Final = {name: dark for name, (_, dark) in PALETTE.items()}
