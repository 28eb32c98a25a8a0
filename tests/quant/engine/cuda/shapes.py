"""Generated shapes as kernels: what the tests of this room compile."""

from __future__ import annotations

from functools import lru_cache

from grn.quant.engine.cuda.source import Kernel, make_kernel
from tests.property.cases import NIGHTLY, Shape, make_shape

SHAPES = 400 if NIGHTLY else 40
PER_LIBRARY = 10
"""Kernels compiled together: the account's functions are compiled once for all of them."""
BLOCKS = SHAPES // PER_LIBRARY
CASES = 28 if NIGHTLY else 10


@lru_cache(maxsize=64)
def shapes_of(block: int) -> tuple[Shape, ...]:
    """The compiled shapes of one library: the first of those that the property suite runs."""
    found = (make_shape(seed) for seed in range(block * PER_LIBRARY, (block + 1) * PER_LIBRARY))
    return tuple(shape for shape in found if shape.engine == "cpu")


def kernel_of(shape: Shape) -> Kernel:
    """The kernel of a shape."""
    return make_kernel(shape.plan, shape.grid.params, shape.groups, shape.style.example())
