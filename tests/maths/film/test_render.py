from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from grn.cli.main import main
from tests.maths.documents import EXAMPLES

needs_manim = pytest.mark.skipif(find_spec("manim") is None, reason="the extra film is not installed")
FILMS = sorted((EXAMPLES.parent / "films").glob("*.toml"))
NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
PAGE = r"Let $x > 0$. $$ a := x^2 $$ $$ a = x x $$"
SKETCH = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1L8 8" stroke="#000"/></svg>'
BOARD = """
title = "Squares"
document = "page.md"
film = { width = 160, height = 90, fps = 2 }

[[panel]]
title = "A \\"square\\" #1"
seconds = 0.5
item = [
  { step = 2, seconds = 0.5 },
  { step = 3, seconds = 0.5, enter = "replace" },
  { sketch = "line.svg", seconds = 0 },
]

[[panel]]
seconds = 0.5
item = [{ text = "Its root is $x$", at = [0, -1], enter = "fade", seconds = 0.5 }]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "line.svg").write_text(SKETCH)
    (tmp_path / "film.toml").write_text(BOARD)
    return tmp_path


def test_a_step_that_does_not_hold_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name and verdict, before Manim is asked for; nothing is written."""
    (folder / "page.md").write_text(PAGE.replace("x x", "x x + 10^{-9}"))
    assert main(["maths", "film", "film.toml"]) == 2
    assert "a step is refuted (seen: 'step 3: a = x*x" in capsys.readouterr().err
    (folder / "page.md").write_text(PAGE.replace("x x", "f(x) \\sin"))
    assert main(["maths", "film", "film.toml"]) == 2
    told = capsys.readouterr().err
    assert "step 3 (a = f(x)" in told
    assert "is unparsed" in told
    assert not list(folder.glob("film.mp4"))


@needs_manim
@pytest.mark.filterwarnings("ignore")
def test_a_film_has_the_same_frames_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Film, sheet of stills and receipt are written; two runs give the same frames, to the byte."""
    from PIL import Image

    told = []
    for name in ("one.mp4", "two.mp4"):
        assert main(["maths", "film", "film.toml", "-o", name, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]
    assert told[0]["frames"] == 5
    assert [(row["panel"], row["step"], row["verdict"]) for row in told[0]["scenes"]] == [
        (1, 2, "assumed"),
        (1, 3, "proved"),
    ]
    assert (folder / "one.mp4").stat().st_size > 1000
    assert json.loads((folder / "one.film.json").read_text()) == told[0]
    with Image.open(folder / "one.png") as sheet:
        assert sheet.size == (2 * 160 + 12, 90 + 8)
        assert len(sheet.getcolors(100_000) or []) > 2
    assert sorted(path.name for path in folder.glob("*.part")) == []


@needs_manim
@pytest.mark.filterwarnings("ignore")
def test_what_overlaps_or_leaves_the_frame_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All faults of all panels at once, with what would fit; nothing is rendered."""
    text = BOARD.replace('{ sketch = "line.svg", seconds = 0 }', '{ sketch = "line.svg", at = [0, 0] }')
    (folder / "film.toml").write_text(text.replace("at = [0, -1]", "at = [0, -1], scale = 9"))
    assert main(["maths", "film", "film.toml", "--check"]) == 2
    told = capsys.readouterr().err
    assert "panel 1: step 3 and the sketch line.svg overlap by" in told
    assert "panel 2: the text 'Its root is $x$' is off the frame" in told
    assert "of its size" in told
    assert not list(folder.glob("*.mp4"))


@needs_manim
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILMS if NIGHTLY else FILMS[-1:], ids=lambda path: path.stem)
def test_the_films_of_the_examples_are_rendered(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At 160 x 90 and one frame a second: every panel fits, every step that is shown stands."""
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    small = ["--width", "160", "--height", "90", "--fps", "1"]
    assert main(["maths", "film", str(path), "--json", *small]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in told["scenes"]} <= {"proved", "assumed"}
    assert {row["panel"] for row in told["scenes"]} == {1, 2, 3, 4}
    assert Path(f"{path.stem}.mp4").stat().st_size > 1000
