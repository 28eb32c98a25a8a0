"""Sweeps of any size: chunk by chunk into a folder of Parquet parts, resumed where they stopped.

==============  ====================================================================================
``chunks``      how a lattice is cut
``folder``      the files: what they hold, how they are written, whose they are
``piece``       a chunk that has been computed, here or elsewhere
``plan``        what is asked for, checked and priced
``writer``      chunk after chunk into the folder and the ledger, wherever they come from
``run``         a sweep run here, begun to be run elsewhere, or brought home
``result``      the parts as one lazy frame; the best rows, quantiles
``order``       exact order statistics of more numbers than fit into memory
==============  ====================================================================================
"""

from __future__ import annotations
