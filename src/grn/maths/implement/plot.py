"""Errors over a domain as a picture: a panel a function, the form as written beside the one in use."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grn.maths.implement.accuracy import Floats

_WIDE, _HIGH, _LEFT, _TOP = 680, 240, 64, 40
_CEILING = 1e20


@dataclass(frozen=True, slots=True)
class Panel:
    """Errors of one function along one of its arguments.

    Attributes
    ----------
    title, argument
        What stands above the panel and below its axis.
    at, naive, used
        The argument, and errors of both forms in units, (points,); `naive` is None where both are one.
    """

    title: str
    argument: str
    at: Floats
    naive: Floats | None
    used: Floats


def leading_argument(points: Floats, errors: Floats) -> int:
    """The argument whose size goes most with the errors: the rank correlation is largest."""
    ranks = _ranks(np.minimum(errors, _CEILING))
    strengths = [abs(float(np.corrcoef(_ranks(np.abs(row)), ranks)[0, 1])) for row in points]
    return int(np.argmax(np.nan_to_num(strengths)))


def _ranks(values: Floats) -> Floats:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)


def draw_panels(panels: Sequence[Panel]) -> str:
    """An SVG that needs nothing else; the same bytes for the same errors."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDE}" height="{_HIGH * len(panels)}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for place, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {place * _HIGH})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    wide, high = _WIDE - _LEFT - 16, _HIGH - _TOP - 44
    size = np.log10(np.maximum(np.abs(panel.at), 1e-300))
    low, high_x = float(np.floor(size.min())), float(np.ceil(size.max()))
    high_x = max(high_x, low + 1)
    shown = [panel.used] if panel.naive is None else [panel.naive, panel.used]
    top = max(2.0, *(float(np.ceil(np.log10(1 + np.minimum(row, _CEILING)).max())) for row in shown))
    parts = [f'<text x="{_LEFT}" y="20" font-weight="600">{html.escape(panel.title)}</text>']
    for step in range(5):
        y = _TOP + high * step / 4
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        label = f"1e{top * (4 - step) / 4:.3g}"
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{label}</text>')
    for step in range(5):
        x = _LEFT + wide * step / 4
        label = f"1e{low + (high_x - low) * step / 4:.3g}"
        parts.append(
            f'<text x="{x:.1f}" y="{_TOP + high + 16}" text-anchor="middle" fill="#555">{label}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + wide / 2:.1f}" y="{_TOP + high + 34}" text-anchor="middle">'
        f"size of {html.escape(panel.argument)}; error in units of what rounding the arguments does</text>"
    )
    colours = ["#2b6cb0"] if panel.naive is None else ["#c05621", "#2b6cb0"]
    for row, colour in zip(shown, colours, strict=True):
        for x, error in zip(size, row, strict=True):
            at = _LEFT + wide * (x - low) / (high_x - low)
            up = _TOP + high * (1 - min(float(np.log10(1 + min(error, _CEILING))), top) / top)
            parts.append(f'<circle cx="{at:.1f}" cy="{up:.1f}" r="2.2" fill="{colour}" fill-opacity="0.7"/>')
    if panel.naive is not None:
        parts.append(
            f'<text x="{_LEFT + wide}" y="20" text-anchor="end">'
            '<tspan fill="#c05621">as written</tspan> <tspan fill="#2b6cb0">as computed</tspan></text>'
        )
    return parts
