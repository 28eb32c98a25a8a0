"""Sweeps of any size: chunk by chunk into a folder of Parquet parts, resumed where they stopped.

==============  ====================================================================================
``chunks``      how a lattice is cut
``folder``      the files: what they hold, how they are written, whose they are
``run``         computes what is missing, and enters it in the ledger
``result``      the parts as one lazy frame; the best rows, quantiles
``order``       exact order statistics of more numbers than fit into memory
==============  ====================================================================================
"""

from __future__ import annotations
