"""Verdicts that were asked for: each is entered in the ledger, so that none can be picked among many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from grn.kit.errors import ExitCode
from grn.ledger import Ledger

COMMAND: Final = "quant validate"


@dataclass(frozen=True)
class Asked:
    """One verdict on a result, and how it was asked for.

    Attributes
    ----------
    shuffles, block, seed
        As in :func:`grn.quant.judge.validate`.
    counted
        Trials that were held against the winner.
    decision
        ``"pass"``, ``"weak"`` or ``"reject"``.
    """

    shuffles: int
    block: int
    seed: int
    counted: int
    decision: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, by name."""
        return asdict(self)


def verdicts_on(ledger: Ledger, result_key: str) -> list[Asked]:
    """Different verdicts that were computed on a result, whatever run it came from; the earliest first."""
    found: dict[Asked, None] = {}
    for entry in ledger.invocations_of(COMMAND, "result_key", result_key):
        if entry.outcome is not None:
            inputs: Mapping[str, Any] = entry.inputs
            asked = {name: inputs[name] for name in ("shuffles", "block", "seed", "counted")}
            found[Asked(**asked, decision=str(entry.outcome.outputs["decision"]))] = None
    return list(found)


def enter_verdict(ledger: Ledger, run: str, result_key: str, asked: Asked, watermark: int) -> None:
    """Enter a verdict, unless the same one was entered before."""
    if asked in verdicts_on(ledger, result_key):
        return
    inputs = asked.to_dict()
    decision = inputs.pop("decision")
    code = ExitCode.NO if decision == "reject" else ExitCode.DONE
    entry = ledger.begin(COMMAND, {"run": run, "result_key": result_key, **inputs})
    ledger.finish(entry, exit_code=code, watermark=watermark, outputs={"decision": decision})


def tell(others: Sequence[Asked]) -> str:
    """Say how often the same result was judged in another way, and what came of it."""
    times = "once" if len(others) == 1 else f"{len(others):,} times"
    decisions = [one.decision for one in others]
    counts = ", ".join(
        f"{decisions.count(name)} {name}" for name in ("pass", "weak", "reject") if name in decisions
    )
    return f"{times} before with other shuffles, blocks, seeds or counts: {counts}"
