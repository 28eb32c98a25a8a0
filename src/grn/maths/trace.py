"""From a step to code, tests, docstring and scene: a chain, read from files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import MissingError, UsageError
from grn.kit.files import sha256_hex
from grn.maths.document.files import docs_path
from grn.maths.film.receipt import receipt_path
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
    docstring
        Who proposed the docstring that was kept; empty where none was judged.
    scenes
        Panels of films that show its step, each as film and number.
    """

    function: str
    step: int
    latex: str
    verdict: str
    rewritten: tuple[str, ...]
    tests: dict[str, int]
    mutants: int
    killed: int
    docstring: str = ""
    scenes: tuple[str, ...] = ()

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


def chain(module: Path, films: Sequence[Path] = ()) -> list[Link]:
    """The chain of each function of a module, in the module's order.

    Parameters
    ----------
    films
        Films of the same derivation, beside which their receipts lie.

    Raises
    ------
    MissingError
        Trace or receipts are not there.
    UsageError
        The module has changed since its tests were judged, or a film is of another derivation.
    """
    trace = read_trace(module)
    said = _docstrings(module)
    shown = _scenes(films, trace["document_sha256"]) if films else {}
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
                sum(tests.values()), said.get(row["name"], ""), tuple(shown.get(row["step"], ())),
            )
        )  # fmt: skip
    return links


def _docstrings(module: Path) -> dict[str, str]:
    """Who proposed each docstring; nothing where they were never judged, or the module has changed since."""
    try:
        told = json.loads(docs_path(module).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if told["module_sha256"] != sha256_hex(module.read_bytes()):
        return {}
    return {receipt["name"]: receipt["source"] for receipt in told["receipts"] if receipt["accepted"]}


def _scenes(films: Sequence[Path], document_sha256: str) -> dict[int, list[str]]:
    """Panels by the step that they show."""
    found: dict[int, list[str]] = {}
    for film in films:
        place = receipt_path(film)
        try:
            told = json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            hint = "grn maths film STORYBOARD writes it"
            raise MissingError("there is no receipt beside the film", seen=str(place), hint=hint) from error
        if told["document_sha256"] != document_sha256:
            raise UsageError("the film is of another derivation, or of another state of it", seen=str(film))
        for scene in told["scenes"]:
            found.setdefault(scene["step"], []).append(f"{film.stem} {scene['panel']}")
    return found
