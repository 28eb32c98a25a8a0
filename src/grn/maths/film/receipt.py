"""What a film shows: which steps on which panel, and a digest of its frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grn.kit.files import sha256_hex, write_atomic
from grn.maths.film.equations import Equation
from grn.maths.film.render import Rendered
from grn.maths.film.storyboard import Storyboard


def receipt_path(film: Path) -> Path:
    """Where the receipt of a film lies: beside it."""
    return film.with_suffix(".film.json")


def receipt_of(storyboard: Storyboard, equations: Mapping[int, Equation], made: Rendered) -> dict[str, Any]:
    """The receipt as data; no clock in it."""
    scenes = [
        {
            "panel": number,
            "title": panel.title,
            "step": item.step,
            "verdict": equations[item.step].step.verdict.kind,
            "rule": equations[item.step].step.verdict.rule,
            "read_as": equations[item.step].step.printed or equations[item.step].step.formula.latex,
            "typst": equations[item.step].typst,
        }
        for number, panel in enumerate(storyboard.panels, 1)
        for item in panel.items
        if item.step is not None
    ]
    return {
        "storyboard": storyboard.path.name,
        "storyboard_sha256": sha256_hex(storyboard.path.read_bytes()),
        "document": storyboard.document.name,
        "document_sha256": sha256_hex(storyboard.document.read_bytes()),
        "width": storyboard.width,
        "height": storyboard.height,
        "fps": storyboard.fps,
        "frames": made.frames,
        "frames_sha256": made.frames_sha256,
        "scenes": scenes,
    }


def write_receipt(told: Mapping[str, Any], film: Path) -> None:
    """Write a receipt beside its film."""
    write_atomic(receipt_path(film), json.dumps(told, indent=1, ensure_ascii=False) + "\n")
