"""``grn llm table``: a table out of a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.output import json_option, write_json_lines, write_table

if TYPE_CHECKING:
    import polars as pl


@click.command()
@click.argument("document", type=click.Path(path_type=Path))
@click.argument("question")
@click.option("--columns", required=True, help='Columns as JSON, or a file with it: {"year": "integer"}.')
@click.option("-m", "--model", default="flash", show_default=True, help="Model to ask.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write a .parquet or .csv file instead."
)
@click.option(
    "--max-tokens", type=click.IntRange(min=1), default=32_000, show_default=True, help="Bound on the answer."
)
@terms_options
@tape_options
@json_option
def table(document: Path, question: str, columns: str, model: str, as_json: bool, **options: Any) -> None:
    """Read a table out of a document, with typed columns.

    DOCUMENT is a PDF, a picture, a text or a folder; QUESTION says which table. Types of columns: text,
    integer, number, date, boolean. A cell that is not of its column's type is an error that names it.
    """
    from grn.kit.errors import OutputError, UsageError
    from grn.llm.attach import attach
    from grn.llm.room import open_caller
    from grn.llm.tables import read_table, schema_of

    tape, mode = read_tape(options)
    output: Path | None = options["output"]
    if output is not None and output.suffix not in (".parquet", ".csv"):
        raise UsageError("the output is a .parquet or a .csv file", seen=str(output))
    if output is not None and not output.parent.is_dir():  # before a model is paid
        raise OutputError(f"cannot write {output}", seen="no such folder", hint=f"mkdir -p {output.parent}")
    wanted = _columns(columns)
    schema_of(wanted)
    parts, terms = attach(document), read_terms(options)
    with open_caller(tape=tape, mode=mode, notify=notify) as caller:
        frame = read_table(
            caller, parts, wanted, question, model=model, max_tokens=options["max_tokens"], terms=terms
        )
    if output is not None:
        _save(frame, output)
    elif as_json:
        write_json_lines(json.loads(line) for line in frame.write_ndjson().splitlines())
    else:
        write_table(frame.columns, frame.rows())


def _columns(text: str) -> dict[str, str]:
    from grn.kit.errors import UsageError

    try:
        read = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError("--columns is neither JSON nor a file with it", seen=str(error)) from error
    if not isinstance(read, dict) or not all(isinstance(kind, str) for kind in read.values()):
        raise UsageError("--columns gives a type to each name", seen=text, hint='{"year": "integer"}')
    return read


def _save(frame: pl.DataFrame, output: Path) -> None:
    import io

    from grn.kit.files import write_atomic

    data = io.BytesIO()
    if output.suffix == ".parquet":
        frame.write_parquet(data)
    else:
        frame.write_csv(data)
    write_atomic(output, data.getvalue())
