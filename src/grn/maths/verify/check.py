"""A module's contracts verified: bounds by intervals, search and paths in a jail; a row for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import UsageError
from grn.maths.implement.results import Derivation
from grn.maths.jailed import ask_in_jail
from grn.maths.verdict import BeyondError
from grn.maths.verify.bounds import bound
from grn.maths.verify.contracts import Contract

EXAMPLES, PATHS = 400, 40
SECONDS = 20
"""For one contract and one way to look at it, of clock and of processor."""

KINDS = ("proved", "searched", "failed", "unknown")


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one function by one means.

    Attributes
    ----------
    kind
        ``proved``: for all arguments of the ranges. ``searched``: nothing was found. ``failed``: an example
        stands in `detail`. ``unknown``: the means does not reach it; why stands in `detail`.
    """

    function: str
    kind: str
    by: str
    detail: str


def verify(
    module: Path,
    contracts: Sequence[Contract],
    derivation: Derivation | None,
    keys: Mapping[str, str],
    seen: Callable[[Row], None] = lambda _: None,
    *,
    examples: int = EXAMPLES,
    paths: int = PATHS,
) -> list[Row]:
    """Verify contracts.

    Parameters
    ----------
    derivation, keys
        Where the functions come from, and the result that each computes; without them no formula is bounded.
    examples, paths
        Limits of the search and of the solver, for each contract.

    Raises
    ------
    UsageError
        The module cannot be imported in the jail.
    MissingError
        There is no jail here.
    """
    rows: list[Row] = []

    def take(row: Row) -> None:
        rows.append(row)
        seen(row)

    # The jail first: where there is none, nothing else is of use.
    told = _in_jail(module, contracts, examples, paths)
    for contract, searched in zip(contracts, told, strict=True):
        for row in searched:
            take(row)
        if derivation is not None and contract.function in keys:
            take(_bounded(contract, keys[contract.function], derivation))
    return rows


def _bounded(contract: Contract, key: str, derivation: Derivation) -> Row:
    try:
        found = bound(contract, key, derivation)
    except BeyondError as error:
        return Row(contract.function, "unknown", "intervals", str(error))
    ranges = ", ".join(f"{p.low:g} <= {p.name} <= {p.high:g}" for p in contract.parameters)
    told = f"the formula is real, {found.low:.6g} <= value <= {found.high:.6g}"
    return Row(contract.function, "proved", "intervals", f"{told}, for {ranges} ({found.boxes} boxes)")


def _in_jail(module: Path, contracts: Sequence[Contract], examples: int, paths: int) -> list[list[Row]]:
    """What search and solver say of each contract."""
    if not contracts:
        return []
    question = {
        "module": module.stem,
        "source": module.read_text(encoding="utf-8"),
        "contracts": [contract.data() for contract in contracts],
        "examples": examples,
        "paths": paths,
        "seconds": SECONDS,
    }
    limit_s = 60.0 + 2 * SECONDS * len(contracts)
    answer = ask_in_jail(Path(__file__).with_name("inside.py"), question, time_s=limit_s)
    if "fault" in answer:
        raise UsageError("the module cannot be imported in the jail", seen=answer["fault"])
    if "ended" in answer:
        return [[Row(contract.function, "unknown", "sandbox", answer["ended"])] for contract in contracts]
    return [
        [
            _searched(contract.function, found["search"]),
            _followed(contract.function, contract, found["paths"]),
        ]
        for contract, found in zip(contracts, answer["found"], strict=True)
    ]


def _searched(name: str, told: Mapping[str, Any]) -> Row:
    if "ended" in told:
        return Row(name, "unknown", "Hypothesis", f"ended by its limit: {told['ended']}")
    if "why" in told:
        call = ", ".join(f"{key}={value!r}" for key, value in told["arguments"].items())
        return Row(name, "failed", "Hypothesis", f"{name}({call}): {told['why']}")
    if not told["examples"]:
        return Row(name, "unknown", "Hypothesis", "no arguments meet what is required before")
    return Row(name, "searched", "Hypothesis", f"{told['examples']} examples")


def _followed(name: str, contract: Contract, told: Mapping[str, Any]) -> Row:
    by = "CrossHair on the formula" if contract.twin else "CrossHair"
    if "ended" in told:
        return Row(name, "unknown", by, f"ended by its limit: {told['ended']}")
    messages = told["messages"]
    states = {state for state, _, _ in messages}
    wrong = [row for row in messages if row[0] in ("POST_FAIL", "POST_ERR", "EXEC_ERR")]
    for _, text, replayed in wrong:
        shown = text.replace("held(", f"{name}(")
        if replayed == "":  # what breaks is another way to compute the same, or the solver's idea of it
            return Row(name, "searched", by, f"{shown}; the code itself does not break there")
        return Row(name, "failed", by, shown)
    if states == {"CONFIRMED"}:
        return Row(name, "proved", by, "every path")
    if "CANNOT_CONFIRM" in states:
        return Row(name, "searched", by, "every path that was followed")
    return Row(name, "unknown", by, "; ".join(text for _, text, _ in messages) or "nothing to follow")
