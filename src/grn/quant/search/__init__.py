"""Searches beyond grids: some of a lattice's combinations, drawn or proposed, each counted as a trial.

==============  =====================================================================
``method``      what a method is, and what it may ask: a desk that evaluates settings
``draws``       random and Latin hypercube
``halving``     many settings on the first bars, the best of them on more
``proposals``   Optuna proposes, a batch at a time
``screening``   all of them in float32 on a card, and in float64 those that may be among the best
``desk``        evaluates settings on bars
``run``         a search, checked, priced, run, and recorded
==============  =====================================================================
"""

from __future__ import annotations
