"""Whether two processors make the same of the same numbers.

Sums, products and square roots are fixed by IEEE 754.  Logarithms, exponentials and powers are not, and NumPy
takes other routines of them on processors with AVX-512 than on others (its release notes of 1.19 and 1.22):
their last bits may differ, and with them the bytes of a sweep whose strategy reads them.
"""

from __future__ import annotations

import numpy as np

from grn.kit.files import sha256_hex

_SEED, _COUNT = 20261123, 4096


def probe_arithmetic() -> str:
    """A hash of what this processor makes of some thousand numbers."""
    rng = np.random.Generator(np.random.PCG64(_SEED))
    raw = rng.integers(1, 1 << 52, _COUNT).astype(np.float64)
    # Powers of two scale exactly: no routine that is probed takes part in making the numbers.
    small, large = np.ldexp(raw, -51), np.ldexp(raw, -40)
    made = [
        *(np.log(small), np.log1p(small), np.exp(-small), np.power(large, 0.3), np.sqrt(large)),
        # NumPy adds in blocks whose width is the processor's.
        np.add.reduceat(large, np.arange(0, _COUNT, 100)),
        np.array([large.sum(), large.std()]),
    ]
    return sha256_hex(b"".join(one.astype("<f8").tobytes() for one in made))
