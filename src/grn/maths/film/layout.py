"""Where the things of a panel stand, and whether they fit: boxes in units of the frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEIGHT = 8.0
"""Height of the frame in its own units, as Manim has it."""

MARGIN = 0.25
"""What nothing reaches into at the frame's edges."""

GAP = 0.45
"""Between what stands below each other."""


@dataclass(frozen=True, slots=True)
class Box:
    """Centre and size of something."""

    told: str
    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Its left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """Its upper edge."""
        return self.y + self.height / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y - self.height / 2


def stacked(
    sizes: Sequence[tuple[float, float]], fixed: Sequence[tuple[float, float] | None], below: float
) -> list[tuple[float, float]]:
    """Centres of things: the given ones, and the others below each other in the middle of what is free.

    Parameters
    ----------
    sizes
        Width and height of each.
    fixed
        Centres that are given.
    below
        Where what is free begins, counted upwards from the middle of the frame.
    """
    free = [height for (_, height), at in zip(sizes, fixed, strict=True) if at is None]
    used = sum(free) + GAP * max(0, len(free) - 1)
    bottom = -HEIGHT / 2 + MARGIN
    top = below - max(0.0, (below - bottom - used) / 2)
    centres = []
    for (_, height), at in zip(sizes, fixed, strict=True):
        if at is not None:
            centres.append(at)
            continue
        centres.append((0.0, top - height / 2))
        top -= height + GAP
    return centres


def faults(boxes: Sequence[Box], width: float) -> Iterator[str]:
    """What reaches beyond a frame of some width, and what overlaps, each with by how much."""
    for box in boxes:
        beyond = {
            "to the left": -width / 2 + MARGIN - box.left,
            "to the right": box.right - width / 2 + MARGIN,
            "above": box.top - HEIGHT / 2 + MARGIN,
            "below": -HEIGHT / 2 + MARGIN - box.bottom,
        }
        side, by = max(beyond.items(), key=lambda pair: pair[1])
        if by > 1e-6:
            largest = min((width - 2 * MARGIN) / box.width, (HEIGHT - 2 * MARGIN) / box.height)
            fits = f" (fits at {largest:.2f} of its size)" if largest < 1 else ""
            yield f"{box.told} is off the frame {side} by {by:.2f}{fits}"
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            across = min(one.right, other.right) - max(one.left, other.left)
            along = min(one.top, other.top) - max(one.bottom, other.bottom)
            if across > 1e-6 and along > 1e-6:
                yield f"{one.told} and {other.told} overlap by {min(across, along):.2f}"
