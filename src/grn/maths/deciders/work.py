"""Limits of work: SymPy's algorithms are stopped after so many calls, the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

from sympy.core.cache import clear_cache

CALLS = 1_000_000
"""Calls of Python functions that one algorithm may make: about a second."""

P = ParamSpec("P")
R = TypeVar("R")


class OverworkedError(BaseException):
    """An algorithm has used up its work.

    Not an ``Exception``: SymPy catches those where it tries one way after another, and would go on uncounted.
    """


def limited(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function, and stop it after :data:`CALLS` calls within.

    Raises
    ------
    OverworkedError
        It was stopped.
    """
    left = CALLS

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if event == "call":
            left -= 1
            if left < 0:
                raise OverworkedError

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return work(*args, **kwargs)
    finally:
        sys.setprofile(before)


def forget() -> None:
    """Empty SymPy's memory of results: the work of a step must not depend on the steps before it."""
    clear_cache()
