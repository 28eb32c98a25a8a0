"""Who passes the gate: a test is kept when it holds in every order and catches what nothing else did."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grn.kit.errors import UsageError
from grn.kit.files import sha256_hex
from grn.maths.gate.mutants import Mutant, make_mutants
from grn.maths.gate.policy import refusal, shape
from grn.maths.gate.proposals import Proposal
from grn.maths.gate.sandbox import Sandbox

RUNS = 5


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one proposal, and why.

    Attributes
    ----------
    sha256
        Of the proposed text.
    killed
        Mutants that no test before it had killed, by number.
    arcs
        Branches of the subject that no test before it had taken: from line, to line.
    """

    name: str
    kind: str
    step: int
    accepted: bool
    reason: str
    sha256: str
    killed: tuple[int, ...] = ()
    arcs: tuple[tuple[int, int], ...] = ()
    runs: int = 0


@dataclass(slots=True)
class Judged:
    """A module's gate: receipts, tests that were kept, mutants that live."""

    module: str
    mutants: list[Mutant]
    receipts: list[Receipt] = field(default_factory=list)
    kept: list[Proposal] = field(default_factory=list)

    @property
    def killed(self) -> set[int]:
        """Numbers of the mutants that are killed."""
        return {number for receipt in self.receipts if receipt.accepted for number in receipt.killed}

    @property
    def alive(self) -> list[Mutant]:
        """Mutants that every test lets pass."""
        killed = self.killed
        return [mutant for mutant in self.mutants if mutant.number not in killed]

    @property
    def score(self) -> float:
        """Killed mutants over all; 1 where there are none."""
        return len(self.killed) / len(self.mutants) if self.mutants else 1.0


class Gate:
    """Takes proposals one after the other.

    Parameters
    ----------
    module
        The file under test; it is read once and never written.
    sandbox
        Where tests run.
    """

    def __init__(self, module: Path, sandbox: Sandbox) -> None:
        self.source = module.read_text(encoding="utf-8")
        self.sandbox = sandbox
        self.judged = Judged(module.stem, make_mutants(self.source))
        self._shapes: dict[str, str] = {}
        self._covered: set[tuple[int, int]] = set()
        self._helpers: dict[str, str] = {}

    def judge(self, proposal: Proposal) -> Receipt:
        """Judge one proposal; it is kept, or the receipt says why not."""
        receipt = self._judge(proposal)
        self.judged.receipts.append(receipt)
        if receipt.accepted:
            self.judged.kept.append(proposal)
            self._shapes[shape(proposal.source)] = proposal.name
            self._covered |= set(receipt.arcs)
            self._helpers |= helpers_of(proposal.source)
        return receipt

    def _judge(self, proposal: Proposal) -> Receipt:
        def rejected(reason: str, runs: int = 0) -> Receipt:
            digest = sha256_hex(proposal.source.encode())
            return Receipt(proposal.name, proposal.kind, proposal.step, False, reason, digest, runs=runs)

        reason = refusal(proposal.source, self.judged.module)
        if reason:
            return rejected(reason)
        twin = self._shapes.get(shape(proposal.source))
        if twin:
            return rejected(f"a duplicate of {twin}")
        helpers = helpers_of(proposal.source)
        taken = [name for name, text in helpers.items() if self._helpers.get(name, text) != text]
        if taken or any(proposal.name == kept.name for kept in self.judged.kept):
            return rejected(f"another test has this name: {taken[0] if taken else proposal.name}")
        answer = self._ask(proposal)
        if "ended" in answer:
            return rejected(f"ended by its limit: {answer['ended']}")
        if answer["fault"] or not answer["collected"]:
            return rejected(f"does not collect: {_last(answer['fault'])}")
        runs = answer["runs"]
        if runs[-1] != "":
            if len(runs) > 1:
                return rejected(f"passes {len(runs) - 1} times, then not: {_last(runs[-1])}", len(runs))
            limit = runs[-1] in ("time", "memory") or str(runs[-1]).startswith("status")
            why = "ended by its limit" if limit else "fails on the subject"
            return rejected(f"{why}: {_last(runs[-1])}", 1)
        branches = {int(line) for line in answer["exits"]}
        ran = {(start, end) for start, end in answer["arcs"] if start in branches}
        gained = ran - self._covered
        if not answer["killed"]:
            return rejected("kills no mutant that is left", len(runs))
        met = {start for start, _ in ran}
        open_ones = [
            line for line in met
            if len({end for start, end in self._covered | ran if start == line}) < answer["exits"][str(line)]
        ]  # fmt: skip
        if not gained and open_ones:
            return rejected(f"takes no new branch, and line {min(open_ones)} has one left", len(runs))
        return Receipt(
            proposal.name,
            proposal.kind,
            proposal.step,
            True,
            "kills mutants that nothing killed",
            sha256_hex(proposal.source.encode()),
            tuple(sorted(answer["killed"])),
            tuple(sorted(gained)),
            len(runs),
        )

    def _ask(self, proposal: Proposal) -> dict[str, Any]:
        alive = [[m.number, m.function, m.first, m.last, m.source] for m in self.judged.alive]
        question = {
            "module": self.judged.module,
            "source": self.source,
            "test": proposal.source,
            "mutants": alive,
        }
        return self.sandbox.ask({**question, "runs": RUNS})


def judge_all(
    module: Path,
    proposals: Iterable[Proposal],
    sandbox: Sandbox,
    seen: Callable[[Receipt], None] | None = None,
) -> Judged:
    """Judge proposals in their order."""
    gate = Gate(module, sandbox)
    for proposal in proposals:
        receipt = gate.judge(proposal)
        if seen is not None:
            seen(receipt)
    return gate.judged


def load_proposals(path: Path) -> list[Proposal]:
    """Read proposals that were recorded: ``[{"name": ..., "kind": ..., "source": ...}]``.

    Raises
    ------
    UsageError
        The file cannot be read, or is something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [
            Proposal(
                str(row["name"]), str(row.get("kind", path.stem)), str(row["source"]), int(row.get("step", 0))
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            "these are no proposals", seen=f"{path}: {error}", hint='[{"name": ..., "source": ...}]'
        ) from error


def suite_source(judged: Judged) -> str:
    """The tests that were kept as one file: imports, helpers and tests once each."""
    imports: dict[str, None] = {}
    helpers: dict[str, str] = {}
    tests: list[str] = []
    for proposal in judged.kept:
        for node in ast.parse(proposal.source).body:
            text = ast.get_source_segment(proposal.source, node) or ""
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports[text] = None
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                lines = proposal.source.splitlines()
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
                tests.append("\n".join(lines[first : node.end_lineno]))
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                helpers[_name_of(node)] = text
    head = f'"""Tests of {judged.module} that passed the gate; each one catches what no other does."""'
    return "\n\n\n".join(["\n".join([head, "", *sorted(imports)]), *helpers.values(), *tests]) + "\n"


def helpers_of(source: str) -> dict[str, str]:
    """What a proposal defines beside its test, by name."""
    return {
        _name_of(node): ast.get_source_segment(source, node) or ""
        for node in ast.parse(source).body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
        and not (isinstance(node, ast.FunctionDef) and node.name.startswith("test"))
    }


def receipts_of(judged: Judged, module: Path) -> dict[str, Any]:
    """All receipts as data; no clock in them, so that the same proposals give the same bytes."""
    return {
        "module": module.name,
        "module_sha256": sha256_hex(module.read_bytes()),
        "mutants": len(judged.mutants),
        "killed": len(judged.killed),
        "score": round(judged.score, 4),
        "functions": [
            {"function": name, "mutants": [m.number for m in judged.mutants if m.function == name]}
            for name in dict.fromkeys(m.function for m in judged.mutants)
        ],
        "alive": [{"number": m.number, "function": m.function, "change": m.change} for m in judged.alive],
        "receipts": [asdict(receipt) for receipt in judged.receipts],
    }


def receipts_path(module: Path) -> Path:
    """Where the receipts of a module lie: beside it."""
    return module.with_suffix(".receipts.json")


def _name_of(node: ast.stmt) -> str:
    return (
        node.name
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        else ast.unparse(node).partition(" =")[0]
    )


def _last(text: object) -> str:
    lines = [line for line in str(text).splitlines() if line.startswith("E ")] or str(text).splitlines()
    return lines[0].removeprefix("E").strip()[:160] if lines else ""
