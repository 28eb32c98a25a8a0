"""What the trials of other runs on the same data are worth: computed again once, and the number kept.

Every trial ever made on some data counts. As luck, ten thousand neighbours of each other count for the few
that they amount to; of trials that nothing is known of, each counts as one.
"""

from __future__ import annotations

import json
import math
from typing import Final

from grn.kit.canonical import canonical_json
from grn.kit.errors import GrnError
from grn.kit.files import sha256_hex
from grn.ledger import Ledger
from grn.quant.replay import replay
from grn.quant.returns import trial_returns
from grn.quant.validate.clusters import effective_trials

FEW: Final = 8
"""Trials that count as one each: to look closer is not worth a replay."""
MANY: Final = 100_000
"""Trials of one run above which they count as one each: a replay would take minutes."""


def worth_elsewhere(ledger: Ledger, data_ids: list[str], *, watermark: int, but: str) -> float:
    """Independent trials, at most, that other runs made on some data or its markets up to a watermark.

    Parameters
    ----------
    but
        The run whose own trials are not meant.
    """
    runs = ledger.runs_on(data_ids, watermark=watermark, but=but)
    return math.fsum(_worth(ledger, run, n) for run, n in runs)


def _worth(ledger: Ledger, run: str, n: int) -> float:
    """Independent trials of a run, at most ``n``; all of them where it cannot be computed again."""
    if not FEW < n <= MANY:
        return float(n)
    name = sha256_hex(b"grn.worth.1", run.encode())
    if (kept := ledger.kept_returns(name)) is not None:
        return min(float(n), float(json.loads(kept)["independent"]))
    try:
        again = replay(ledger, run)
        if not again.same:
            return float(n)
        found = trial_returns(again.result)
    except GrnError:  # erased, unfinished, of a package that is gone: nothing is known of them
        return float(n)
    worth = effective_trials(found.returns, sampled=len(again.result))
    ledger.keep_returns(run, name, canonical_json({"independent": worth, "trials": len(again.result)}))
    return min(float(n), worth)
