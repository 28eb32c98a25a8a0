"""Searches beyond grids: some of a lattice's combinations, drawn or proposed, each counted as a trial.

==============  =====================================================================
``method``      what a method is, and what it may ask: a desk that evaluates settings
``draws``       random and Latin hypercube
``halving``     many settings on the first bars, the best of them on more
``proposals``   Optuna proposes, a batch at a time
``desk``        evaluates settings on bars
``run``         a search, checked, priced, run, and recorded
==============  =====================================================================
"""

from __future__ import annotations
