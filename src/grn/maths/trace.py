"""From a step to the code that computes it and the tests that hold it: a chain, read from files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import MissingError, UsageError
from grn.kit.files import sha256_hex
from grn.maths.gate.judge import receipts_path
from grn.maths.implement.module import trace_path


@dataclass(frozen=True, slots=True)
class Link:
    """A function with its step before it and its tests behind it.

    Attributes
    ----------
    verdict
        Of the step, with its rule.
    tests
        Accepted tests that kill its mutants, each with how many.
    mutants, killed
        Of this function.
    """

    function: str
    step: int
    latex: str
    verdict: str
    rewritten: tuple[str, ...]
    tests: dict[str, int]
    mutants: int
    killed: int

    @property
    def whole(self) -> bool:
        """Whether every part of the chain is there: a step, a function, a test that catches a fault in it."""
        return bool(self.tests)


def read_trace(module: Path) -> dict[str, Any]:
    """What `grn maths implement` wrote of a module.

    Raises
    ------
    MissingError
        There is no trace beside the module.
    UsageError
        It cannot be read.
    """
    place = trace_path(module)
    try:
        return dict(json.loads(place.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        hint = "grn maths implement DOCUMENT -o MODULE writes it"
        raise MissingError("there is no trace beside the module", seen=str(place), hint=hint) from error
    except (OSError, ValueError, TypeError) as error:
        raise UsageError("this is no trace of a module", seen=f"{place}: {error}") from error


def chain(module: Path) -> list[Link]:
    """The chain of each function of a module, in the module's order.

    Raises
    ------
    MissingError
        Trace or receipts are not there.
    UsageError
        The module has changed since its tests were judged.
    """
    trace = read_trace(module)
    place = receipts_path(module)
    try:
        gate = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        hint = f"grn maths tests {module} writes them"
        raise MissingError("there are no receipts beside the module", seen=str(place), hint=hint) from error
    if gate["module_sha256"] != sha256_hex(module.read_bytes()):
        raise UsageError("the module has changed since its tests were judged", seen=str(module))
    mutants = {row["function"]: set(row["mutants"]) for row in gate["functions"]}
    accepted = [receipt for receipt in gate["receipts"] if receipt["accepted"]]
    links = []
    for row in trace["functions"]:
        own = mutants.get(row["name"], set())
        tests = {receipt["name"]: len(own & set(receipt["killed"])) for receipt in accepted}
        tests = {name: count for name, count in tests.items() if count}
        verdict = "definition" if row["verdict"] == "assumed" else f"{row['verdict']} by {row['rule']}"
        links.append(
            Link(
                row["name"], row["step"], row["latex"], verdict, tuple(row["rewritten"]), tests, len(own),
                sum(tests.values()),
            )
        )  # fmt: skip
    return links
