"""``grn maths verify MODULE``."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import ExitCode


@click.command()
@click.argument("module", type=click.Path(path_type=Path))
@click.option(
    "--document", type=click.Path(path_type=Path), help="The derivation, if it is not where it was."
)
@click.option("--name", "names", multiple=True, help="Only this function; repeatable.")
@click.option(
    "--examples", type=click.IntRange(1, 100_000), default=400, show_default=True, help="Of the search."
)
@click.option("--paths", type=click.IntRange(1, 10_000), default=40, show_default=True, help="Of the solver.")
@json_option
def verify(
    module: Path,
    document: Path | None,
    names: tuple[str, ...],
    examples: int,
    paths: int,
    as_json: bool,
) -> ExitCode:
    """Verify the contracts of a module.

    A function that was written from a derivation has to be real and finite wherever its arguments are
    declared to range; a function of numbers may say more in its docstring (lines `pre:` and `post:`).
    Intervals prove a formula's bounds, CrossHair follows its paths with an SMT solver, Hypothesis searches
    for arguments that break the code; both run in a sandbox. Exit code 1 when something failed.
    """
    from grn.cli.maths.document import find_derivation
    from grn.kit.errors import MissingError, UsageError, require_extra
    from grn.kit.progress import Progress
    from grn.maths.implement.module import trace_path
    from grn.maths.trace import read_trace
    from grn.maths.verify.check import KINDS
    from grn.maths.verify.check import verify as check
    from grn.maths.verify.contracts import from_derivation, from_docstrings

    for package in ("crosshair", "hypothesis"):
        require_extra(package, "verify")
    if not module.is_file() or module.suffix != ".py":
        raise MissingError("there is no such module", seen=str(module))
    contracts, left = from_docstrings(module.read_bytes())
    derivation, keys = None, {}
    if document is not None or trace_path(module).exists():
        trace = read_trace(module)
        derivation = find_derivation(module, document, trace)
        more, beyond = from_derivation(trace, derivation)
        contracts, left = [*more, *contracts], [*beyond, *left]
        keys = {row["name"]: row["of"] for row in trace["functions"]}
    if names:
        unknown = set(names) - {c.function for c in contracts} - {name for name, _ in left}
        if unknown:
            raise UsageError("no contract is known of this function", seen=min(unknown))
        contracts = [contract for contract in contracts if contract.function in names]
        left = [(name, why) for name, why in left if name in names]
    if not contracts and not left:
        hint = "write `pre:` and `post:` into a docstring, or take a module that grn maths implement wrote"
        raise UsageError("the module promises nothing", seen=str(module), hint=hint)
    with Progress("verifying", None, unit="contracts") as progress:
        rows = check(
            module, contracts, derivation, keys, lambda _: progress.advance(), examples=examples, paths=paths
        )
    if as_json:
        write_json({"module": str(module), "rows": rows, "left": [{"name": n, "why": w} for n, w in left]})
    elif rows:
        write_table(
            ("function", "", "by", "detail"), [(row.function, row.kind, row.by, row.detail) for row in rows]
        )
    for name, why in left:
        click.echo(f"not verified: {name}: {why}", file=sys.stderr)
    counted = Counter(row.kind for row in rows)
    told = ", ".join(f"{counted[kind]} {kind}" for kind in KINDS if counted[kind])
    click.echo(told or "nothing is verified", file=sys.stderr)
    return ExitCode.NO if counted["failed"] else ExitCode.DONE
