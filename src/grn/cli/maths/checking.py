"""A document checked on the way to something else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.errors import UsageError, require_extra

if TYPE_CHECKING:
    from grn.maths.implement.results import Derivation


def read_checked(file: Path) -> Derivation:
    """A document's results; every step is decided first, or taken from the cache.

    Raises
    ------
    UsageError
        A step is refuted: nothing follows from it.
    """
    from grn.kit.paths import cache_dir
    from grn.kit.progress import Progress
    from grn.maths.check import check_document
    from grn.maths.documents import load_document
    from grn.maths.implement.results import read_derivation
    from grn.maths.worker import Worker

    for module in ("sympy", "flint", "z3", "mpmath"):
        require_extra(module, "maths")
    with Worker() as worker, Progress("checking", None, unit="steps") as progress:
        checked = check_document(
            load_document(file), worker, cache=cache_dir() / "maths", seen=lambda _: progress.advance()
        )
    wrong = [step for step in checked.steps if step.verdict.kind == "refuted"]
    if wrong:
        told = f"step {wrong[0].number}: {wrong[0].printed}"
        raise UsageError("a step is refuted", seen=told, hint=f"grn maths check {file} shows where it fails")
    return read_derivation(checked)
