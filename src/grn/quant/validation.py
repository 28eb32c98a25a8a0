"""A verdict together with what it was computed from."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from grn.quant.asked import Asked, tell
from grn.quant.examination import Examination, describe
from grn.quant.validate.verdict import Assessment, Noise, say_number

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Validation:
    """The verdict on a sweep, with what it was computed from.

    Attributes
    ----------
    verdict
        The decision, its three reasons and all its numbers.
    winner, row, trades
        Symbol and parameters of the winner, its row in the result's frame, and how many trades it made.
    watermark
        The ledger's row up to which trials were counted.
    examination
        What else is known about the winner and about choosing it; no part of the decision.
    null_best
        Annualised Sharpe ratio of the best row of each shuffled sweep: float64 [shuffles].
    shuffles, block, seed
        How the data was shuffled (`block` in bars).
    asked
        Other verdicts on the same result that the ledger has; no part of the decision.
    """

    verdict: Assessment
    winner: str
    row: int
    trades: int
    watermark: int
    examination: Examination
    null_best: Array
    shuffles: int
    block: int
    seed: int
    asked: tuple[Asked, ...] = ()

    @property
    def decision(self) -> str:
        """``"pass"``, ``"weak"`` or ``"reject"``."""
        return self.verdict.decision

    @property
    def noise(self) -> Noise:
        """The shuffled sweeps, which every validation asks for."""
        assert self.verdict.noise is not None
        return self.verdict.noise

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; NaN and the infinities as text."""
        found = self.verdict.to_dict()
        head = {name: found.pop(name) for name in ("decision", "reasons", "change")}
        return {
            **head,
            "winner": self.winner,
            "row": self.row,
            "trades": self.trades,
            "watermark": self.watermark,
            "shuffles": self.shuffles,
            "block": self.block,
            "seed": self.seed,
            "asked": [one.to_dict() for one in self.asked],
            "compared_by": self.examination.unit,
            **{name: value for name, value in found.items() if name != "best"},
            "examination": self.examination.to_dict(),
        }

    def lines(self) -> list[str]:
        """The verdict as at most nine lines of plain text."""
        said = self.verdict.lines(winner=self.winner, trades=self.trades)
        return [*said, f"asked     {tell(self.asked)}"] if self.asked else said

    def table(self) -> list[str]:
        """What else is known, a line each: corrections for the number of trials, then the examination."""
        v, annual = self.verdict, self.examination.annual
        cuts = ", ".join(f"{say_number(annual(cut.sharpe))} {cut.method}" for cut in v.haircuts)
        return [
            f"deflated  probability {say_number(v.effective_dsr, 4)} by {v.effective:,.0f} independent "
            f"trials, {say_number(v.dsr, 4)} by all {v.counted:,} as if they were",
            *([f"haircut   Sharpe after correcting for every trial counted: {cuts}"] if cuts else []),
            *describe(self.examination),
        ]

    def __repr__(self) -> str:
        v = self.verdict
        deflated = f"deflated Sharpe ratio {v.effective_dsr:.4f} over {v.counted:,} trials"
        return f"Validation({v.decision}: {self.winner}, {deflated})"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def __str__(self) -> str:
        return "\n".join(self.lines())
