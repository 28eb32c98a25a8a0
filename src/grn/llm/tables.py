"""Tables out of documents: rows against a schema, as a typed frame.

The model is held to a JSON Schema made from the columns; what it answers is read strictly, so a number that
is none is an error with its row and column, and never a text in a column of numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from grn.kit.errors import DataError, ProviderError, UsageError
from grn.llm.calls import Caller, Terms, answer_text
from grn.llm.request import Message, Part, Request, Text

if TYPE_CHECKING:
    import polars as pl

TYPES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": ["string", "null"]},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "date": {"type": ["string", "null"], "description": "YYYY-MM-DD"},
    "boolean": {"type": ["boolean", "null"]},
}
"""Types of columns; a cell that the document leaves open is null."""

_RULES = (
    "Read the table that is asked for out of the document. One object per row, in the document's order. Copy "
    "numbers exactly, without separators of thousands; apply units and signs as the document states them. "
    "A cell that the document leaves open is null. Invent nothing."
)


def read_table(
    caller: Caller,
    document: Sequence[Part],
    columns: Mapping[str, str],
    question: str,
    *,
    model: str,
    max_tokens: int = 32_000,
    terms: Terms | None = None,
) -> pl.DataFrame:
    """Ask a model for a table of a document.

    Parameters
    ----------
    document
        Its parts, see :func:`grn.llm.attach.attach`.
    columns
        Type of every column by its name, see :data:`TYPES`; the frame has them in this order.
    question
        Which table.

    Returns
    -------
    polars.DataFrame
        One row per row of the table: String, Int64, Float64, Date or Boolean columns, null where a cell is
        open.

    Raises
    ------
    UsageError
        No columns, or a type that is none.
    DataError
        A cell that is not of its column's type; row, column and value are named.
    ProviderError
        The answer is not the table that was asked for.
    """
    schema = schema_of(columns)
    words = Message("user", (*document, Text(f"{_RULES}\n\n{question}")))
    ask = Request(model, (words,), max_tokens=max_tokens, schema=schema)
    answer = answer_text(list(caller.stream(ask, terms)))
    try:
        rows = json.loads(answer)["rows"]
        assert isinstance(rows, list)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise ProviderError(
            "the model did not answer with a table", seen=answer[:80], hint="try again"
        ) from error
    return frame_of(rows, columns)


def schema_of(columns: Mapping[str, str]) -> dict[str, Any]:
    """Make the JSON Schema of a table with these columns.

    Raises
    ------
    UsageError
        No columns, or a type that is none.
    """
    for name, kind in columns.items():
        if kind not in TYPES:
            raise UsageError(f"the type of column {name!r} is none", seen=kind, hint=", ".join(TYPES))
    if not columns:
        raise UsageError("a table has columns", hint='{"year": "integer", "revenue": "number"}')
    row = {
        "type": "object",
        "properties": {name: dict(TYPES[kind]) for name, kind in columns.items()},
        "required": list(columns),
        "additionalProperties": False,
    }
    table = {"rows": {"type": "array", "items": row}}
    return {"type": "object", "properties": table, "required": ["rows"], "additionalProperties": False}


def frame_of(rows: Sequence[Any], columns: Mapping[str, str]) -> pl.DataFrame:
    """Make a typed frame of rows.

    Raises
    ------
    DataError
        A cell that is not of its column's type, or a row with other columns.
    """
    import polars as pl

    kinds = {
        "text": pl.String,
        "integer": pl.Int64,
        "number": pl.Float64,
        "date": pl.Date,
        "boolean": pl.Boolean,
    }
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) != set(columns):
            raise DataError(f"row {number} does not have the columns asked for", seen=row)
    data = {
        name: [_cell(row[name], kind, number, name) for number, row in enumerate(rows)]
        for name, kind in columns.items()
    }
    return pl.DataFrame(data, schema={name: kinds[kind] for name, kind in columns.items()}, strict=True)


def _cell(value: object, kind: str, row: int, column: str) -> object:
    if value is None:
        return None
    match kind:
        case "text" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "integer" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "number" if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        case "date" if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
    raise DataError(
        f"row {row}, column {column!r} is no {kind}", seen=value, hint="ask again, or make it text"
    )
