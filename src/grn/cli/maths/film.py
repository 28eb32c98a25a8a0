"""``grn maths film STORYBOARD``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import click

from grn.cli.output import json_option, write_json, write_table


@click.command()
@click.argument("storyboard", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="The film.  Default: STORYBOARD with .mp4, here."
)
@click.option("--sheet", type=click.Path(path_type=Path), help="A picture of every panel.  Default: .png.")
@click.option("--width", type=click.IntRange(32, 7680), help="Pixels, instead of the storyboard's.")
@click.option("--height", type=click.IntRange(18, 4320), help="Pixels, instead of the storyboard's.")
@click.option("--fps", type=click.IntRange(1, 120), help="Frames a second, instead of the storyboard's.")
@click.option("--check", is_flag=True, help="Check equations and layout; render nothing.")
@json_option
def film(
    storyboard: Path,
    out: Path | None,
    sheet: Path | None,
    width: int | None,
    height: int | None,
    fps: int | None,
    check: bool,
    as_json: bool,
) -> None:
    """Render a film of a derivation from a storyboard.

    The storyboard is TOML: panels of equations (by the number of their step in the document), words and
    sketches, with times. Every step is checked first; one that is not proved or assumed is refused, and so is
    a panel on which something overlaps or leaves the frame. Beside the film: a sheet of stills, and JSON with
    the steps that are shown and a digest of all frames.
    """
    from dataclasses import replace

    from grn.cli.maths.checking import read_checked
    from grn.kit.errors import UsageError, require_extra
    from grn.kit.progress import Progress
    from grn.maths.film.equations import equations_of
    from grn.maths.film.receipt import receipt_of, receipt_path, write_receipt
    from grn.maths.film.render import check_layout, render
    from grn.maths.film.storyboard import load_storyboard

    planned = load_storyboard(storyboard)
    planned = replace(
        planned, width=width or planned.width, height=height or planned.height, fps=fps or planned.fps
    )
    target = out or Path(f"{storyboard.stem}.mp4")
    if target.suffix != ".mp4":
        raise UsageError("films are MP4", seen=str(target), hint="-o film.mp4")
    stills = sheet or target.with_suffix(".png")
    if stills.suffix != ".png":
        raise UsageError("sheets are PNG", seen=str(stills), hint="--sheet film.png")
    equations = equations_of(planned, read_checked(planned.document).checked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # packages below Manim warn of their own escapes when first compiled
        for module in ("manim", "typst"):
            require_extra(module, "film")
    if check:
        check_layout(planned, equations)
        click.echo(f"{len(planned.panels)} panels fit, {planned.seconds:g} s", file=sys.stderr)
        return
    total = round(planned.seconds * planned.fps)
    with Progress("rendering", total, unit="frames") as progress:
        made = render(planned, equations, target, stills, seen=progress.advance)
    told = receipt_of(planned, equations, made)
    write_receipt(told, target)
    if as_json:
        write_json(told)
    else:
        write_table(
            ("panel", "step", "verdict", "read as"),
            [(row["panel"], row["step"], row["verdict"], row["read_as"]) for row in told["scenes"]],
        )
    wrote = f"{target}, {stills}, {receipt_path(target)}"
    click.echo(f"{made.frames} frames, {made.seconds:g} s; wrote {wrote}", file=sys.stderr)
