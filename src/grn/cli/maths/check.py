"""``grn maths check FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import ExitCode


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--given", multiple=True, metavar="LATEX", help="Assumed before the document; repeatable.")
@click.option("--marks", type=click.Path(path_type=Path), help="Write a copy with marks behind displays.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one HTML page.")
@click.option(
    "--time-s", type=click.FloatRange(min=0.1), default=20.0, show_default=True, help="Limit of a step."
)
@click.option(
    "--memory-mib", type=click.IntRange(min=64), default=2048, show_default=True, help="Limit of a step."
)
@click.option("--no-cache", is_flag=True, help="Decide every step anew.")
@json_option
def check(
    file: Path,
    given: tuple[str, ...],
    marks: Path | None,
    page: Path | None,
    time_s: float,
    memory_mib: int,
    no_cache: bool,
    as_json: bool,
) -> ExitCode:
    """Check every step of a derivation in a notebook, Markdown or LaTeX file.

    Each formula is proved, refuted with a witness, supported by numbers, undecided, unparsed or assumed.
    Exit code 1 when one is refuted.
    """
    from grn.kit.errors import require_extra
    from grn.kit.paths import cache_dir
    from grn.kit.progress import Progress
    from grn.maths.check import check_document
    from grn.maths.documents import Document, load_document
    from grn.maths.report import tell, write_marks, write_page
    from grn.maths.worker import Worker

    for module in ("sympy", "flint", "z3"):
        require_extra(module, "maths")
    document = load_document(file)
    if given:
        said = "\n".join(f"<!-- assume: {latex} -->" for latex in given)
        document = Document(file, ((-1, said), *document.texts))
    cache = None if no_cache else cache_dir() / "maths"
    with Worker(time_s, memory_mib) as worker, Progress("checking", None, unit="steps") as progress:
        checked = check_document(document, worker, cache=cache, seen=lambda _: progress.advance())
    if marks is not None:
        write_marks(checked, load_document(file), marks)
    if page is not None:
        write_page(checked, page)
    if as_json:
        write_json({"file": str(file), "counts": checked.counts(), "steps": checked.steps})
    elif checked.steps:
        rows = [
            (s.number, f"{s.formula.cell}:{s.formula.line}" if s.formula.cell > 0 else s.formula.line,
             s.printed or s.formula.latex, tell(s))
            for s in checked.steps
        ]  # fmt: skip
        write_table(("step", "line", "read as", "verdict"), rows)
    counts = ", ".join(f"{count} {kind}" for kind, count in checked.counts().items()) or "no formulas"
    click.echo(counts, file=sys.stderr)
    return ExitCode.NO if checked.refuted else ExitCode.DONE
