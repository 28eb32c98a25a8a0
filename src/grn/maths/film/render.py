"""A storyboard rendered: the film, a sheet of stills, and what it shows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import OutputError
from grn.maths.film.equations import Equation
from grn.maths.film.storyboard import Storyboard

COLUMNS = 2
SHEET = 1600
"""Width of a sheet at most, in pixels."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was rendered.

    Attributes
    ----------
    frames
        Number of frames.
    frames_sha256
        Of all frames before they were encoded: the same storyboard and document give the same digest.
    """

    frames: int
    frames_sha256: str
    seconds: float


def render(
    storyboard: Storyboard,
    equations: Mapping[int, Equation],
    out: Path,
    sheet: Path | None = None,
    seen: Callable[[int], None] = lambda _: None,
) -> Rendered:
    """Render a film.

    Parameters
    ----------
    out
        The film, MP4.
    sheet
        A picture of every panel's last frame, PNG.
    seen
        Called with the number of frames that were made since the last call.

    Raises
    ------
    UsageError
        Something overlaps or reaches beyond the frame; nothing is rendered then.
    """
    from manim import logger, tempconfig

    logger.setLevel("WARNING")
    with tempfile.TemporaryDirectory(prefix="grn-film-") as folder, tempconfig(_settings(storyboard, folder)):
        from grn.maths.film.scene import Film, Watched, lay_out

        panels = lay_out(storyboard, equations)
        renderer = Watched(seen)
        film = Film(panels, renderer)
        film.render()
        made = sorted(Path(folder).rglob("film.mp4"))
        if not made:
            raise OutputError("Manim wrote no film", seen=str(out))
        if sheet is not None:
            _write_sheet(film.stills, sheet)
        _move(made[0], out)
        return Rendered(renderer.frames, renderer.digest.hexdigest(), renderer.frames / storyboard.fps)


def check_layout(storyboard: Storyboard, equations: Mapping[int, Equation]) -> None:
    """Place everything and render nothing.

    Raises
    ------
    UsageError
        Something overlaps or reaches beyond the frame.
    """
    from manim import logger, tempconfig

    logger.setLevel("WARNING")
    with tempfile.TemporaryDirectory(prefix="grn-film-") as folder, tempconfig(_settings(storyboard, folder)):
        from grn.maths.film.scene import lay_out

        lay_out(storyboard, equations)


def _settings(storyboard: Storyboard, folder: str) -> dict[str, Any]:
    return {
        "pixel_width": storyboard.width,
        "pixel_height": storyboard.height,
        "frame_height": 8.0,
        "frame_width": 8.0 * storyboard.width / storyboard.height,
        "frame_rate": storyboard.fps,
        "media_dir": folder,
        "output_file": "film",
        "background_color": "#ffffff",
        "disable_caching": True,
        "progress_bar": "none",
        "verbosity": "WARNING",
        "seed": 0,
        "renderer": "cairo",
        "write_to_movie": True,
        "format": "mp4",
        "preview": False,
    }


def _write_sheet(stills: list[Any], sheet: Path) -> None:
    """Stills beside each other, rows from top to bottom."""
    from PIL import Image

    pictures = [Image.fromarray(still).convert("RGB") for still in stills]
    columns = min(COLUMNS, len(pictures))
    wide = min(pictures[0].width, SHEET // columns)
    high = round(pictures[0].height * wide / pictures[0].width)
    rows = -(-len(pictures) // columns)
    edge = 4
    whole = Image.new("RGB", (columns * (wide + edge) + edge, rows * (high + edge) + edge), "#9a9a9a")
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        small = picture.resize((wide, high), Image.Resampling.LANCZOS)
        whole.paste(small, (edge + column * (wide + edge), edge + row * (high + edge)))
    beside = sheet.with_name(f".{sheet.name}.part")
    whole.save(beside, format="PNG")
    beside.replace(sheet)


def _move(made: Path, out: Path) -> None:
    """Put a file that is complete in its place at once, from whatever disk it is on."""
    beside = out.with_name(f".{out.name}.part")
    try:
        shutil.copyfile(made, beside)
        beside.replace(out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError("the film cannot be written", seen=f"{out}: {error}") from error
