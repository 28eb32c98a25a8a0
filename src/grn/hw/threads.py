"""How many threads libraries start: the variables that each of them reads when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VARIABLES: Final[Mapping[str, str]] = {
    "OMP_NUM_THREADS": "OpenMP, and with it torch, scikit-learn and llama.cpp's builds on it",
    "MKL_NUM_THREADS": "Intel MKL",
    "OPENBLAS_NUM_THREADS": "OpenBLAS: NumPy and SciPy",
    "BLIS_NUM_THREADS": "BLIS",
    "NUMBA_NUM_THREADS": "Numba",
    "POLARS_MAX_THREADS": "Polars",
    "RAYON_NUM_THREADS": "Rust libraries on Rayon, such as tokenizers",
    "NUMEXPR_MAX_THREADS": "NumExpr",
}
"""Variables and who reads them."""


def thread_variables(threads: int) -> dict[str, str]:
    """Variables under which every library starts so many threads: as many as there are processors to use.

    Libraries count the machine's processors, not those of the mask: eight processors would get thirty-two
    threads, which wait for each other.
    """
    return dict.fromkeys(VARIABLES, str(threads))
