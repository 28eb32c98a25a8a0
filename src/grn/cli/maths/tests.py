"""``grn maths tests MODULE``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import ExitCode

if TYPE_CHECKING:
    from grn.maths.gate.proposals import Proposal


@click.command()
@click.argument("module", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Where tests go.  Default: test_MODULE_gate.py."
)
@click.option(
    "--document", type=click.Path(path_type=Path), help="The derivation, if it is not where it was."
)
@click.option(
    "--proposals",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Recorded proposals, JSON; repeatable.",
)
@click.option("--only-proposals", is_flag=True, help="Nothing from the derivation.")
@json_option
def tests(
    module: Path,
    out: Path | None,
    document: Path | None,
    proposals: tuple[Path, ...],
    only_proposals: bool,
    as_json: bool,
) -> ExitCode:
    """Propose tests of a module and keep those that pass the gate.

    Proposals come from the derivation (relations, symmetries, bounds, values) and from files. Each runs in a
    sandbox without network, files or home: it must collect, pass five times in random order, and kill a
    mutant that no test before it killed. Every proposal gets a receipt. Exit code 1 when fewer than 85 % of
    the mutants are killed.
    """
    from grn.kit.errors import require_extra
    from grn.kit.files import write_atomic
    from grn.kit.progress import Progress
    from grn.maths.gate.judge import judge_all, load_proposals, receipts_of, receipts_path, suite_source
    from grn.maths.gate.sandbox import Sandbox

    for name in ("coverage", "hypothesis", "pytest"):
        require_extra(name, "gate")
    asked = [proposal for path in proposals for proposal in load_proposals(path)]
    if not only_proposals:
        asked = [*_from_derivation(module, document), *asked]
    with Sandbox() as sandbox, Progress("judging", len(asked), unit="tests") as progress:
        judged = judge_all(module, asked, sandbox, seen=lambda _: progress.advance())
    place = out or module.with_name(f"test_{module.stem}_gate.py")
    write_atomic(place, suite_source(judged))
    told = receipts_of(judged, module)
    write_atomic(receipts_path(module), json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        write_json(told)
    else:
        rows = [
            (r.name, r.kind, "kept" if r.accepted else "-", len(r.killed), r.reason) for r in judged.receipts
        ]
        write_table(("test", "from", "", "kills", "because"), rows)
    kept, total = len(judged.kept), len(judged.receipts)
    click.echo(
        f"kept {kept} of {total}; {len(judged.killed)} of {len(judged.mutants)} mutants killed "
        f"({judged.score:.0%}); wrote {place}, {receipts_path(module)}",
        file=sys.stderr,
    )
    return ExitCode.DONE if judged.score >= 0.85 else ExitCode.NO


def _from_derivation(module: Path, document: Path | None) -> list[Proposal]:
    """Proposals of the document that the module was written from."""
    from grn.cli.maths.checking import read_checked
    from grn.kit.errors import UsageError
    from grn.kit.files import sha256_hex
    from grn.maths.gate.proposals import propose
    from grn.maths.implement.accuracy import numeric, run_source
    from grn.maths.implement.build import implement
    from grn.maths.implement.module import module_source
    from grn.maths.trace import read_trace

    trace = read_trace(module)
    place = document or module.parent / trace["document"]
    derivation = read_checked(place)
    if sha256_hex(place.read_bytes()) != trace["document_sha256"]:
        hint = f"grn maths implement {place} -o {module}"
        raise UsageError(
            "the derivation has changed since the module was written", seen=str(place), hint=hint
        )
    made = implement(derivation, {row["of"]: row["name"] for row in trace["functions"]}, points=0)
    room = numeric()
    run_source(module_source(made), room)
    return list(propose(made, module.stem, room))
