"""A verdict together with what it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from grn.quant.validate.verdict import Verdict

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Validation:
    """A verdict with what it was computed from.

    Attributes
    ----------
    verdict
        The decision, its three reasons and all its numbers.
    row
        Row of the winner in the result's frame.
    null_best
        Annualised Sharpe ratio of the best row of each shuffled sweep: float64 [shuffles].
    shuffles, block, seed
        How the data was shuffled (`block` in bars).
    """

    verdict: Verdict
    row: int
    null_best: Array
    shuffles: int
    block: int
    seed: int

    @property
    def decision(self) -> str:
        """``"pass"``, ``"weak"`` or ``"reject"``."""
        return self.verdict.decision

    def to_dict(self) -> Mapping[str, object]:
        """Plain values for JSON."""
        return self.verdict.to_dict()

    def __repr__(self) -> str:
        v = self.verdict
        deflated = f"deflated Sharpe ratio {v.dsr:.4f} over {v.trials:,} trials"
        return f"Validation({v.decision}: {v.winner}, {deflated})"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def __str__(self) -> str:
        return "\n".join(self.verdict.lines())
