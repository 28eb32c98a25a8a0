"""NVIDIA's run-time compiler, from the package nvidia-cuda-nvrtc: CuPy uses it too.  It needs no card."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import files, version
from pathlib import Path

from grn.quant.engine.cuda.source import COMPILER_OPTIONS

PACKAGE = "nvidia-cuda-nvrtc"
ARCHITECTURES = ("sm_80", "sm_89", "sm_90")
"""A100; RTX 4070; H100."""

CONTRACTED = re.compile(r"\b(?:fma|mad)\.(?:rn|rz|rm|rp|sat|f)\S*|\.approx\b|\.ftz\b|\bex2\b|\blg2\b")
"""Fused or approximate arithmetic on floating-point numbers.  (``mad.lo.s64`` is whole numbers.)"""
UNROUNDED = re.compile(r"\b(?:add|sub|mul)\.f(?:32|64)\b")
"""An operation without a rounding: one that the assembler may contract (PTX ISA, `mul`)."""
ROUNDED = re.compile(r"\b(?:add|sub|mul|div|sqrt)\.rn\.f(?:32|64)\b")


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL:
    """The compiler's library."""
    (library,) = (Path(str(f.locate())) for f in files(PACKAGE) or () if f.match("libnvrtc.so.*"))
    return ctypes.CDLL(str(library))


def describe() -> str:
    """Name and version."""
    return f"{PACKAGE} {version(PACKAGE)}"


def compile_ptx(source: str, architecture: str, options: Sequence[str] = COMPILER_OPTIONS) -> str:
    """PTX of a source; any complaint of the compiler is a failure."""
    return _compile(source, (f"-arch={architecture}", *options), "PTX").decode().rstrip("\0")


def compile_cubin(source: str, architecture: str, options: Sequence[str] = COMPILER_OPTIONS) -> bytes:
    """Machine code of a source: the assembler has accepted it."""
    return _compile(source, (f"-arch={architecture}", *options), "CUBIN")


def _compile(source: str, options: Sequence[str], kind: str) -> bytes:
    library, program = load(), ctypes.c_void_p()
    made = library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    assert made == 0, f"nvrtcCreateProgram: {made}"
    # Not 177 and 550, variables that nothing reads: every kernel has some, and no machine code comes of them.
    every = (*options, "--diag-suppress=177,550")
    flags = (ctypes.c_char_p * len(every))(*(option.encode() for option in every))
    failed = library.nvrtcCompileProgram(program, len(every), flags)
    said = _read(library, program, "ProgramLog").decode().strip("\0\n ")
    assert not failed, f"{describe()}: {said[:4_000]}"
    assert not said, said[:4_000]
    code = _read(library, program, kind)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return code


def _read(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    assert getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)) == 0
    text = ctypes.create_string_buffer(size.value)
    assert getattr(library, f"nvrtcGet{what}")(program, text) == 0
    return text.raw
