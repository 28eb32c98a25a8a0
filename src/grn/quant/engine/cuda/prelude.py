"""The head of every kernel's source: types, memory layout, and what Python's words are in C++.

The same text is read by two compilers: by NVRTC for a card, and by any C++ compiler for the tests, where the
few words of CUDA that the text uses become plain C++ and a launch becomes a loop.

Layout.  Neighbouring threads are neighbouring combinations, so what differs between combinations lies side by
side: ``table[bar][series]``, ``rows[leaf][combination]``, ``params[parameter][combination]``,
``out[accumulator][combination]``.  Columns of the market are the same for all threads: one broadcast each.
Bars and series are fewer than 2**31: their product is one instruction of two 32-bit factors, else it is five.
"""

from __future__ import annotations

from typing import Final, Literal

Real = Literal["double", "float"]

THREADS: Final = 128
"""Threads of a block."""

_WORDS: Final = """\
typedef long long i64;

#ifdef __CUDACC__
#define GRN_INSIDE static __device__ __forceinline__
#define GRN_APART static __device__ __noinline__
#define GRN_DEVICE __device__ __forceinline__
#define NOT_A_NUMBER real(__longlong_as_double(0x7ff8000000000000ll))
#define INFINITE real(__longlong_as_double(0x7ff0000000000000ll))
#define FLOOR(x) floor(x)
#define CEIL(x) ceil(x)
#define ROOT(x) sqrt(x)
#define SIZE(x) fabs(x)
#else
#define __global__
#define __launch_bounds__(n)
#define GRN_INSIDE static inline
#define GRN_APART static
#define GRN_DEVICE inline
#define NOT_A_NUMBER real(__builtin_nan(""))
#define INFINITE real(__builtin_inf())
#define FLOOR(x) (sizeof(real) == 4 ? real(__builtin_floorf(x)) : real(__builtin_floor(x)))
#define CEIL(x) (sizeof(real) == 4 ? real(__builtin_ceilf(x)) : real(__builtin_ceil(x)))
#define ROOT(x) (sizeof(real) == 4 ? real(__builtin_sqrtf(x)) : real(__builtin_sqrt(x)))
#define SIZE(x) (sizeof(real) == 4 ? real(__builtin_fabsf(x)) : real(__builtin_fabs(x)))
struct Place { unsigned x; };
static thread_local Place blockIdx, blockDim, threadIdx;
#endif

GRN_INSIDE i64 floor_of(real x) { return i64(FLOOR(x)); }
GRN_INSIDE i64 ceil_of(real x) { return i64(CEIL(x)); }
GRN_INSIDE real root_of(real x) { return ROOT(x); }
GRN_INSIDE real size_of(real x) { return SIZE(x); }
GRN_INSIDE i64 size_of(i64 x) { return x < 0 ? -x : x; }
GRN_INSIDE real larger(real a, real b) { return b > a ? b : a; }
GRN_INSIDE real smaller(real a, real b) { return b < a ? b : a; }
GRN_INSIDE i64 larger(i64 a, i64 b) { return b > a ? b : a; }
GRN_INSIDE i64 smaller(i64 a, i64 b) { return b < a ? b : a; }

struct Series {
    const real* data; i64 step;
    GRN_DEVICE real operator[](i64 bar) const { return data[i64(int(bar)) * int(step)]; }
};
struct Column {
    const real* data; i64 length;
    GRN_DEVICE real operator[](i64 bar) const { return data[int(bar)]; }
};
struct Table {
    const real* data; i64 series;
    GRN_DEVICE Series operator[](i64 row) const { Series s = {data + row, series}; return s; }
};
struct Market {
    const real* data; i64 bars;
    GRN_DEVICE Column operator[](i64 k) const { Column c = {data + k * bars, bars}; return c; }
};
struct Numbers {
    const real* data; i64 width;
    GRN_DEVICE real at(i64 c, i64 k) const { return data[k * width + c]; }
};
struct Places {
    const int* data; i64 width;
    GRN_DEVICE i64 at(i64 c, i64 k) const { return data[k * width + c]; }
};
struct Results {
    real* data; i64 width;
    GRN_DEVICE real& at(i64 c, i64 k) const { return data[k * width + c]; }
};
struct Log {
    real* data; i64 rows; i64 width;
    GRN_DEVICE real* operator[](i64 row) const { return data + row * width; }
};
"""


def print_prelude(real: Real) -> str:
    """The head for kernels that compute in `real`."""
    return f"typedef {real} real;\n{_WORDS}"
