"""The film as a scene of Manim: things made, placed and held against the frame; frames are hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from manim import (
    DOWN,
    UP,
    CairoRenderer,
    FadeIn,
    MathTypst,
    Mobject,
    ReplacementTransform,
    Scene,
    SVGMobject,
    Typst,
    VGroup,
    Write,
)

from grn.kit.errors import UsageError
from grn.maths.film.equations import Equation
from grn.maths.film.layout import GAP, HEIGHT, MARGIN, Box, faults, stacked
from grn.maths.film.storyboard import Item, Panel, Storyboard
from grn.maths.film.typeset import quoted

INK, FAINT, PAPER = "#1b1b1b", "#6b6b6b", "#ffffff"
TITLE, WORDS, MATHS, SMALL = 40.0, 30.0, 44.0, 18.0
SKETCH = 3.0


class Watched(CairoRenderer):
    """A renderer that hashes every frame before it is encoded, and keeps the last one of each panel."""

    def __init__(self, seen: Callable[[int], None], **options: Any) -> None:
        super().__init__(**options)
        self.digest = hashlib.sha256()
        self.frames = 0
        self.seen = seen

    def add_frame(self, frame: Any, num_frames: int = 1) -> None:
        """Count and hash a frame on its way to the film."""
        if not self.skip_animations:
            data = frame.tobytes()
            for _ in range(num_frames):
                self.digest.update(data)
            self.frames += num_frames
            self.seen(num_frames)
        super().add_frame(frame, num_frames)


class Laid:
    """A panel's things, each where it stands.

    Attributes
    ----------
    things
        By item; the title is apart.
    """

    def __init__(self, panel: Panel, equations: Mapping[int, Equation], width: float) -> None:
        self.panel = panel
        self.title: Any = (
            Typst(f"#{quoted(panel.title)}", font_size=TITLE, color=INK) if panel.title else None
        )
        top = HEIGHT / 2 - MARGIN
        if self.title is not None:
            self.title.move_to((top - self.title.height / 2) * UP)
            top -= self.title.height + GAP
        self.things: list[Any] = [_make(item, equations) for item in panel.items]
        # What takes another one's place needs none of its own.
        own = [n for n, item in enumerate(panel.items) if item.enter != "replace"]
        centres = stacked(
            [(max(t.width for t in self._turns(n)), max(t.height for t in self._turns(n))) for n in own],
            [panel.items[n].at for n in own],
            top,
        )
        for n, (x, y) in zip(own, centres, strict=True):
            for thing in self._turns(n):
                thing.move_to((x, y, 0.0))
        self.faults = list(faults(self._boxes(own), width))

    def _turns(self, place: int) -> list[Any]:
        """Something and what takes its place after it."""
        last = place + 1
        while last < len(self.things) and self.panel.items[last].enter == "replace":
            last += 1
        return self.things[place:last]

    def _boxes(self, own: list[int]) -> list[Box]:
        boxes = [] if self.title is None else [_box("the title", self.title)]
        for n in own:
            turns = self._turns(n)
            widest = max(range(len(turns)), key=lambda k: (turns[k].width, -k))
            highest = max(turns, key=lambda thing: float(thing.height))
            box = _box(self.panel.items[n + widest].told, turns[widest])
            boxes.append(Box(box.told, box.x, box.y, box.width, float(highest.height)))
        return boxes


def _box(told: str, thing: Mobject) -> Box:
    x, y, _ = thing.get_center()
    return Box(told, float(x), float(y), float(thing.width), float(thing.height))


def _make(item: Item, equations: Mapping[int, Equation]) -> Any:
    if item.sketch is not None:
        return SVGMobject(str(item.sketch), height=SKETCH * item.scale)
    if item.text is not None:
        return Typst(f"#{quoted(item.text)}", font_size=WORDS * item.scale, color=INK)
    assert item.step is not None
    equation = equations[item.step]
    formula = MathTypst(equation.typst, font_size=MATHS * item.scale, color=INK)
    caption = Typst(f"#{quoted(equation.caption)}", font_size=SMALL, color=FAINT)
    return VGroup(formula, caption.next_to(formula, DOWN, buff=0.15))


def lay_out(storyboard: Storyboard, equations: Mapping[int, Equation]) -> list[Laid]:
    """Make and place everything.

    Raises
    ------
    UsageError
        Something overlaps or reaches beyond the frame: everything that does is named.
    """
    width = HEIGHT * storyboard.width / storyboard.height
    panels = [Laid(panel, equations, width) for panel in storyboard.panels]
    wrong = [f"panel {n}: {told}" for n, laid in enumerate(panels, 1) for told in laid.faults]
    if wrong:
        raise UsageError(
            "the panels do not fit", seen="; ".join(wrong), hint="set scale, at, or another panel"
        )
    return panels


class Film(Scene):
    """Plays a storyboard's panels.

    Attributes
    ----------
    stills
        The last frame of each panel, (height, width, 4).
    """

    def __init__(self, panels: list[Laid], renderer: Watched) -> None:
        super().__init__(renderer=renderer)
        self.panels = panels
        self.watched = renderer
        self.stills: list[Any] = []

    def construct(self) -> None:
        """Play every panel, and leave an empty frame after each."""
        for laid in self.panels:
            if laid.title is not None:
                self.add(laid.title)
            before: Any = None
            for item, thing in zip(laid.panel.items, laid.things, strict=True):
                entrance = _entrance(item.enter, thing, before)
                if item.seconds > 0:
                    self.play(entrance, run_time=item.seconds)
                else:
                    self.remove(*([before] if item.enter == "replace" else []))
                    self.add(thing)
                before = thing
            if laid.panel.seconds > 0:
                self.wait(laid.panel.seconds)
            self.watched.static_image = None
            self.watched.update_frame(self)
            self.stills.append(self.watched.get_frame())
            self.clear()


def _entrance(enter: str, thing: Any, before: Any) -> Any:
    if enter == "replace":
        return ReplacementTransform(before, thing)
    return FadeIn(thing) if enter == "fade" else Write(thing)
