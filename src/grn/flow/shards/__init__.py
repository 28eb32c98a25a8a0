"""A streamed sweep computed on a cluster, as a job array, and brought home to the same bytes.

===============  ====================================================================================
``errand``       sent, and brought home into the folder and the ledger in which it was begun
``note``         where it is brought home to
``task``         what a task of the array does there
``parcel``       what is sent: the sweep as plain data, its bars, this package and a lock file
``arithmetic``   whether two processors make the same of logarithms and sums
===============  ====================================================================================

A shard is a range of the chunks of one lattice, whose bytes do not depend on who computes them.  The run is
begun here before anything is sent, so that what is locked is never computed; its trials are entered once,
here, when its chunks are merged.
"""

from __future__ import annotations
