"""A storyboard: panels with equations of a checked document, words and sketches, each with its time. TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import MissingError, UsageError

LARGEST = 2**20
LONGEST_S = 3600.0
ENTRANCES = ("write", "fade", "replace")
"""How an item comes: drawn, faded in, or out of the item before it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on a panel: a step's equation, words, or a sketch.

    Attributes
    ----------
    step
        Number of a step of the document.
    text
        Words; no markup.
    sketch
        An SVG file.
    at
        Centre in units of the frame, which is 8 high and has 0 in its middle; None: below the item before.
    scale
        Of equations and words; of a sketch with respect to a height of 3.
    enter
        One of :data:`ENTRANCES`.
    seconds
        How long its entrance takes.
    """

    step: int | None
    text: str | None
    sketch: Path | None
    at: tuple[float, float] | None = None
    scale: float = 1.0
    enter: str = "write"
    seconds: float = 1.0

    @property
    def told(self) -> str:
        """What it is, for messages."""
        if self.step is not None:
            return f"step {self.step}"
        return f"the text {self.text!r}" if self.text is not None else f"the sketch {self.sketch}"


@dataclass(frozen=True, slots=True)
class Panel:
    """What is seen at one time; ``seconds`` is how long it stays when all is there."""

    title: str
    items: tuple[Item, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Storyboard:
    """A film as it is planned.

    Attributes
    ----------
    document
        The derivation whose steps are shown.
    width, height, fps
        Pixels, and frames a second.
    """

    path: Path
    title: str
    document: Path
    panels: tuple[Panel, ...]
    width: int = 1280
    height: int = 720
    fps: int = 30

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return sum(panel.seconds + sum(item.seconds for item in panel.items) for panel in self.panels)


def load_storyboard(path: Path) -> Storyboard:
    """Read a storyboard; its paths are relative to its own folder.

    Raises
    ------
    MissingError
        The file, its document or a sketch is not there.
    UsageError
        It is no TOML, or says something that is not known; the place is named.
    """
    try:
        text = path.read_bytes()
        if len(text) > LARGEST:
            raise UsageError("the storyboard is too large", seen=f"{len(text):,} bytes")
        told = tomllib.loads(text.decode("utf-8"))
    except FileNotFoundError as error:
        raise MissingError("there is no such file", seen=str(path)) from error
    except (OSError, ValueError) as error:
        raise UsageError("this is no storyboard", seen=f"{path}: {error}") from error
    top = _Table(told, "the storyboard")
    size = _Table(top.take("film", dict, {}), "[film]")
    made = Storyboard(
        path,
        top.take("title", str),
        _file(path, top.take("document", str)),
        tuple(_panel(path, row, number) for number, row in enumerate(top.take("panel", list), 1)),
        size.number("width", 1280, 32, 7680, whole=True),
        size.number("height", 720, 18, 4320, whole=True),
        size.number("fps", 30, 1, 120, whole=True),
    )
    size.end()
    top.end()
    if not made.panels:
        raise UsageError("a storyboard has panels", seen=str(path), hint="[[panel]]")
    if made.seconds > LONGEST_S:
        raise UsageError("the film is too long", seen=f"{made.seconds:g} s", hint=f"at most {LONGEST_S:g} s")
    return made


class _Table:
    """A table of the file, whose keys are taken one after the other; one that is left is an error."""

    def __init__(self, told: Any, place: str) -> None:
        if not isinstance(told, Mapping):
            raise UsageError(f"{place} is no table", seen=str(told))
        self.left = dict(told)
        self.place = place

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.left.pop(key, default)
        if not isinstance(value, kind):
            what = "is missing" if value is None else f"is no {kind.__name__}"
            raise UsageError(f"{self.place}: {key} {what}", seen=None if value is None else str(value))
        return value

    def number(self, key: str, default: float, low: float, high: float, *, whole: bool = False) -> Any:
        value = self.left.pop(key, default)
        right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not right or not low <= value <= high:
            raise UsageError(f"{self.place}: {key} is no number from {low:g} to {high:g}", seen=str(value))
        return value if whole else float(value)

    def end(self) -> None:
        if self.left:
            raise UsageError(f"{self.place}: unknown key", seen=", ".join(sorted(self.left)))


def _panel(path: Path, row: Any, number: int) -> Panel:
    table = _Table(row, f"panel {number}")
    rows = table.take("item", list)
    title, seconds = table.take("title", str, ""), table.number("seconds", 2.0, 0.0, 600.0)
    items = tuple(_item(path, told, f"panel {number}, item {place}") for place, told in enumerate(rows, 1))
    table.end()
    if items and items[0].enter == "replace":
        raise UsageError(f"panel {number}, item 1: there is nothing that it could replace")
    return Panel(title, items, seconds)


def _item(path: Path, row: Any, place: str) -> Item:
    table = _Table(row, place)
    kinds = [kind for kind in ("step", "text", "sketch") if kind in table.left]
    if len(kinds) != 1:
        raise UsageError(f"{place}: one of step, text, sketch", seen=", ".join(kinds) or "none")
    sketch = table.take("sketch", str, "")
    where = table.left.pop("at", None)
    if where is not None and not _is_point(where):
        raise UsageError(f"{place}: at is no point", seen=str(where), hint="at = [0, 1.5]")
    enter = table.take("enter", str, "write")
    if enter not in ENTRANCES:
        raise UsageError(f"{place}: no such entrance", seen=enter, hint=", ".join(ENTRANCES))
    made = Item(
        table.number("step", 1, 1, 100_000, whole=True) if kinds == ["step"] else None,
        table.take("text", str) if kinds == ["text"] else None,
        _file(path, sketch) if kinds == ["sketch"] else None,
        None if where is None else (float(where[0]), float(where[1])),
        table.number("scale", 1.0, 0.05, 20.0),
        enter,
        table.number("seconds", 1.0, 0.0, 600.0),
    )
    table.end()
    return made


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(
        isinstance(x, int | float) and not isinstance(x, bool) and abs(x) <= 100 for x in value
    )  # fmt: skip


def _file(path: Path, name: str) -> Path:
    place = path.parent / name
    if not place.is_file():
        raise MissingError("there is no such file", seen=str(place), hint=f"{path.name} names it")
    return place
