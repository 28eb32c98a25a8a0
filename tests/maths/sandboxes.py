"""Whether this machine shuts a program in: containers often do not give what it takes."""

from __future__ import annotations

from functools import cache

from grn.kit.errors import MissingError
from grn.maths.gate.sandbox import Sandbox


@cache
def no_sandbox() -> str:
    """Why there is no sandbox here; empty where there is one."""
    with Sandbox() as started:
        try:
            started.ask({"module": "one", "source": "ONE = 1\n", "test": "", "mutants": [], "runs": 1})
        except MissingError as error:
            return f"{error.what}: {error.seen}"
    return ""
