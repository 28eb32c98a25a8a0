"""Commands whose process may take no more memory than the settings allow."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


def within_memory(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a command under ``memory_gib`` of the settings: more is refused, with exit code 4."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        from grn.hw.cap import capped
        from grn.kit.config import load_settings

        with capped(int(load_settings().memory_gib * (1 << 30))):
            return command(*args, **kwargs)

    return run
