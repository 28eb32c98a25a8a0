from __future__ import annotations

from pathlib import Path

import pytest

from grn.kit.errors import MissingError, UsageError
from grn.maths.check import Checked, Step
from grn.maths.documents import Formula, formulas_in
from grn.maths.film.equations import equations_of
from grn.maths.film.layout import Box, faults, stacked
from grn.maths.film.storyboard import load_storyboard
from grn.maths.verdict import Verdict
from tests.maths.documents import EXAMPLES

PAGE = r"Let $x > 0$ and let $A$ be invertible. $$ a := x^2 $$ $$ a = x x $$ $$ a = x^3 $$ $$ a \ge x $$"
FILMS = EXAMPLES.parent / "films"


def write(folder: Path, text: str) -> Path:
    (folder / "page.md").write_text(PAGE)
    place = folder / "film.toml"
    place.write_text(f'title = "T"\ndocument = "page.md"\n{text}')
    return place


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("panel = []", "has panels"),
        ("[[panel]]\nitem = [{ step = 1, colour = 2 }]", "panel 1, item 1: unknown key"),
        ("[[panel]]\nitem = [{ step = 1, text = 'x' }]", "one of step, text, sketch"),
        ("[[panel]]\nitem = [{ step = 1, enter = 'jump' }]", "no such entrance"),
        ("[[panel]]\nitem = [{ step = 1, enter = 'replace' }]", "nothing that it could replace"),
        ("[[panel]]\nitem = [{ step = 1, seconds = 1e9 }]", "seconds is no number from 0 to 600"),
        ("[[panel]]\nitem = [{ step = true }]", "step is no number"),
        ("[[panel]]\nitem = [{ step = 1, at = [0] }]", "at is no point"),
        ("[[panel]]\nseconds = nan\nitem = []", "seconds is no number"),
        ("[film]\nfps = 0\n[[panel]]\nitem = []", "fps is no number"),
        ("panel = 3", "panel is no list"),
        ("[[panel]", "this is no storyboard"),
    ],
)
def test_what_a_storyboard_says_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    """The place and the value of every fault; nothing unknown is passed over."""
    with pytest.raises(UsageError, match=told):
        load_storyboard(write(tmp_path, text))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """Storyboard, document and sketches."""
    with pytest.raises(MissingError, match="no such file"):
        load_storyboard(tmp_path / "film.toml")
    with pytest.raises(MissingError, match=r"none\.svg"):
        load_storyboard(write(tmp_path, "[[panel]]\nitem = [{ sketch = 'none.svg' }]"))
    (tmp_path / "film.toml").write_text('title = "T"\ndocument = "none.md"\npanel = []')
    with pytest.raises(MissingError, match=r"none\.md"):
        load_storyboard(tmp_path / "film.toml")


def checked(*verdicts: str) -> Checked:
    """The page with verdicts that are set by hand: what is under test is who may be shown."""
    found: list[Formula] = list(formulas_in(PAGE))
    assert len(found) == len(verdicts)
    steps = [
        Step(number, formula, formula.latex, Verdict(verdict, "a rule"))
        for number, (formula, verdict) in enumerate(zip(found, verdicts, strict=True), 1)
    ]
    return Checked(Path("page.md"), tuple(steps))


def test_only_what_is_proved_or_assumed_is_shown(tmp_path: Path) -> None:
    """Every other step that is asked for is refused by its name and verdict."""
    page = checked("assumed", "assumed", "assumed", "proved", "refuted", "supported")
    asked = ", ".join(f"{{ step = {n} }}" for n in (2, 3, 4))
    shown = equations_of(load_storyboard(write(tmp_path, f"[[panel]]\nitem = [{asked}]")), page)
    assert [shown[n].typst for n in (2, 3, 4)] == ["x > 0", "a := x^(2)", "a = x x"]
    assert shown[4].caption == "step 4: proved by a rule"
    asked = ", ".join(f"{{ step = {n} }}" for n in (1, 4, 5, 6, 9))
    with pytest.raises(UsageError) as refused:
        equations_of(load_storyboard(write(tmp_path, f"[[panel]]\nitem = [{asked}]")), page)
    assert str(refused.value.seen) == (
        "step 1 (A invertible) is said in words; step 5 (a = x^3) is refuted; "
        "step 6 (a \\ge x) is supported; step 9 of 6 is not there"
    )


def test_things_stack_and_faults_are_measured() -> None:
    """What has no place stands below each other; what overlaps or leaves the frame is told by how much."""
    assert stacked([(4, 1), (4, 1), (1, 1)], [None, None, (5.0, 0.0)], 3.0) == [
        (0.0, pytest.approx(0.35)),
        (0.0, pytest.approx(-1.1)),
        (5.0, 0.0),
    ]
    one, other = Box("one", 0, 0, 2, 2), Box("other", 1.5, 0, 2, 2)
    assert list(faults([one, other], 14.2)) == ["one and other overlap by 0.50"]
    assert list(faults([one, Box("other", 2.0, 0, 2, 2)], 14.2)) == []
    assert list(faults([Box("it", 6.5, 0, 2, 2)], 14.0)) == ["it is off the frame to the right by 0.75"]
    assert list(faults([Box("it", 0, 0, 27, 2)], 14.0)) == [
        "it is off the frame to the left by 6.75 (fits at 0.50 of its size)"
    ]


@pytest.mark.parametrize("path", sorted(FILMS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_films_of_the_examples_can_be_read(path: Path) -> None:
    """Their documents and sketches are there, and they last between ten seconds and two minutes."""
    storyboard = load_storyboard(path)
    assert storyboard.document.parent.resolve() == EXAMPLES.resolve()
    assert 10 <= storyboard.seconds <= 120
