"""NVIDIA's compiler takes the printed source, and rounds every operation."""

from __future__ import annotations

import pytest

from grn.quant.engine.cuda.prelude import Real
from grn.quant.engine.cuda.source import COMPILER_OPTIONS, print_source
from tests.property.cases import NIGHTLY
from tests.quant.engine.cuda import nvrtc
from tests.quant.engine.cuda.shapes import BLOCKS, kernel_of, shapes_of

COMPILED = range(BLOCKS) if NIGHTLY else range(1)
TARGETS: list[tuple[Real, str]] = [("double", a) for a in nvrtc.ARCHITECTURES] + [("float", "sm_89")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", COMPILED)
@pytest.mark.parametrize(("real", "architecture"), TARGETS)
def test_every_operation_is_rounded(block: int, real: Real, architecture: str) -> None:
    """PTX without contracted, approximate or unrounded arithmetic; in float32 none is done in float64."""
    # Architectures differ behind PTX: in CI one of them takes all shapes of the block, and float32 does.
    some = None if NIGHTLY or (real, architecture) in (TARGETS[0], TARGETS[-1]) else 3
    ptx = nvrtc.compile_ptx(print_source([kernel_of(s) for s in shapes_of(block)[:some]], real), architecture)
    assert len(nvrtc.ROUNDED.findall(ptx)) > 100
    assert not nvrtc.CONTRACTED.findall(ptx)
    assert not nvrtc.UNROUNDED.findall(ptx)
    if real == "float":
        assert "rn.f64 " not in ptx.replace("cvt.rn.f64", "")


def test_the_assembler_accepts_it() -> None:
    """A kernel becomes machine code of an H100."""
    source = print_source([kernel_of(shapes_of(0)[0])])
    assert nvrtc.compile_cubin(source, "sm_90")[:4] == b"\x7fELF"


def test_the_search_finds_contraction() -> None:
    """With the compiler's own defaults the same source has contracted operations: the search sees them."""
    source = print_source([kernel_of(shapes_of(0)[0])])
    ptx = nvrtc.compile_ptx(source, "sm_90", [o for o in COMPILER_OPTIONS if "fmad" not in o])
    assert nvrtc.CONTRACTED.findall(ptx)
    assert nvrtc.UNROUNDED.findall(ptx)
