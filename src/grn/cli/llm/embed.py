"""``grn llm embed``: texts as vectors."""

from __future__ import annotations

from typing import Any

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.llm.stdin import read_piped_lines
from grn.cli.output import write_json_lines


@click.command()
@click.argument("texts", nargs=-1)
@click.option(
    "-m", "--model", default="local", show_default=True, help="voyage-4, gemini-embedding-001, a .gguf file."
)
@click.option("--role", type=click.Choice(["query", "document"]), help="Where the model tells them apart.")
@terms_options
@tape_options
def embed(texts: tuple[str, ...], model: str, role: Any, **options: Any) -> None:
    """Turn TEXTS, or the lines of stdin, into vectors.

    One JSON object a line: "text" and "vector". The embedded model is all-MiniLM-L6-v2: 384 numbers a text,
    English, up to 256 tokens.
    """
    from grn.kit.errors import UsageError
    from grn.llm.events import Vectors
    from grn.llm.request import Embedding
    from grn.llm.room import open_caller

    tape, mode = read_tape(options)
    given = texts or tuple(read_piped_lines())
    if not given:
        raise UsageError("there is nothing to embed", hint='grn llm embed "…", or pipe lines in')
    terms = read_terms(options)
    with open_caller(tape=tape, mode=mode, notify=notify) as caller:
        events = list(caller.stream(Embedding(model, given, role), terms))
    (vectors,) = (event.vectors for event in events if isinstance(event, Vectors))
    write_json_lines({"text": text, "vector": vector} for text, vector in zip(given, vectors, strict=True))
