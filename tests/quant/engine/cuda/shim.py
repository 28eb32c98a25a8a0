"""A card's stand-in: the printed source compiled by the C++ compiler, a launch as a loop over combinations.

Not an engine that anybody is offered: an oracle of the tests, and the evidence for the cuda engine where
there is no card.  Contraction is off, as it is for a card.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from grn.kit.files import sha256_hex
from grn.quant.engine.cuda.prelude import Real
from grn.quant.engine.cuda.source import Kernel, print_source
from grn.quant.engine.cuda.tables import Batch, Floats, Tables, dtype_of

COMPILER = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared")
POINTER, WHOLE = ctypes.c_void_p, ctypes.c_longlong


class Library:
    """Kernels compiled for this machine."""

    def __init__(self, path: Path, real: Real = "double") -> None:
        self._library = ctypes.CDLL(str(path))
        self._real: Real = real

    def run(self, number: int, tables: Tables, batch: Batch, n_sums: int) -> Floats:
        """Every combination of a batch through one kernel: [accumulators, combinations]."""
        out = np.empty((n_sums, len(batch)), dtype=dtype_of(self._real))
        shared = tables.series, tables.series.shape[1], tables.market, tables.market.shape[1]
        own = batch.places, batch.params, len(batch)
        arrays = (*shared, *own, tables.form, tables.terms, tables.initial, out)
        self.launch(number, [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arrays])
        return out

    def launch(self, number: int, arguments: Sequence[float]) -> None:
        """Call a kernel with its raw arguments."""
        kernel = getattr(self._library, f"kernel_{number}_on_host")
        real = ctypes.c_double if self._real == "double" else ctypes.c_float
        kernel.argtypes = [
            POINTER, WHOLE, POINTER, WHOLE, POINTER, POINTER, WHOLE, POINTER, POINTER, real, POINTER,
        ]  # fmt: skip
        kernel.restype = None
        kernel(*arguments)


def build(folder: Path, kernels: Iterable[Kernel], real: Real = "double") -> Library:
    """Print and compile kernels as one library."""
    return compile_source(folder, print_source(list(kernels), real), real)


def compile_source(folder: Path, source: str, real: Real = "double") -> Library:
    """Compile a printed source; its warnings are errors.

    But for variables that nothing reads, and for a value compared with itself: a strategy may.
    """
    assert COMPILER is not None, "no C++ compiler: install g++"
    name = sha256_hex(source.encode())[:16]
    text, library = folder / f"{name}.cpp", folder / f"{name}.so"
    if not library.exists():
        text.write_text(source, encoding="utf-8")
        flags = (
            "-Wall",
            "-Werror",
            "-Wno-unused-but-set-variable",
            "-Wno-unused-variable",
            "-Wno-unused-function",
            "-Wno-tautological-compare",
            *FLAGS,
        )
        ran = subprocess.run(
            [COMPILER, *flags, str(text), "-o", str(library)], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr[:4_000]
    return Library(library, real)
