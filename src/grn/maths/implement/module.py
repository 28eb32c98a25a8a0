"""The module of a derivation, the formulas that it is held against, and its trace."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.files import sha256_hex
from grn.maths.implement.function import Function, write_function, write_original
from grn.maths.implement.plot import Panel
from grn.maths.implement.results import Derivation, identifier


@dataclass(frozen=True, slots=True)
class Implemented:
    """Functions of a derivation, in the order in which they use each other.

    Attributes
    ----------
    skipped
        Results without a function, each with the reason.
    """

    derivation: Derivation
    functions: tuple[Function, ...]
    panels: tuple[Panel, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def names(self) -> dict[str, str]:
        """Python's names by key."""
        return {function.key: function.name for function in self.functions}


def module_source(made: Implemented) -> str:
    """The module: typed functions that take arrays."""
    names = made.names
    bodies = [write_function(function, made.derivation, names) for function in made.functions]
    text = "\n\n".join(bodies)
    imports = ["import numpy as np", "from numpy.typing import ArrayLike, NDArray"]
    if "special." in text:
        imports.append("from scipy import special")
    if "Callable[" in text:
        imports = ["from collections.abc import Callable", "", *imports]
    head = f'"""Computed from {made.derivation.checked.path.name}, whose steps are checked."""\n'
    return (
        f"{head}\nfrom __future__ import annotations\n\n" + "\n".join(imports) + "\n\n"
        "Array = NDArray[np.float64]\n\n\n" + text
    )


def originals_source(made: Implemented, keys: Sequence[str] | None = None) -> str:
    """Formulas as they stand in the document, for mpmath."""
    names = made.names
    chosen = [f for f in made.functions if keys is None or f.key in keys]
    return "\n\n".join(write_original(function, made.derivation, names) for function in chosen)


def trace_of(made: Implemented, module: Path) -> dict[str, Any]:
    """What of the document each function computes."""
    document = made.derivation.checked.path
    return {
        "document": Path(os.path.relpath(document, module.parent)).as_posix(),
        "document_sha256": sha256_hex(document.read_bytes()),
        "module": module.name,
        "module_sha256": sha256_hex(module_source(made).encode()),
        "functions": [
            {
                "name": function.name,
                "of": function.key,
                "step": function.form.step.number,
                "latex": function.form.step.formula.latex,
                "verdict": function.form.step.verdict.kind,
                "rule": function.form.step.verdict.rule,
                "arguments": [identifier(key) for key in function.arguments],
                "rewritten": function.rules,
                "error_units": units(function.error),
                "error_units_as_written": units(function.naive_error),
            }
            for function in made.functions
        ],
    }


def units(error: float) -> float | None:
    """An error to three digits; None where a value is no number at all."""
    return float(f"{error:.3g}") if math.isfinite(error) else None


def trace_path(module: Path) -> Path:
    """Where the trace of a module lies: beside it."""
    return module.with_suffix(".trace.json")
