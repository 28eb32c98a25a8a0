"""``grn llm embed``: texts as vectors."""

from __future__ import annotations

from typing import Any

import click

from grn.cli.llm.stdin import read_piped
from grn.cli.output import write_json_lines


@click.command()
@click.argument("texts", nargs=-1)
@click.option(
    "-m", "--model", default="local", show_default=True, help="voyage-4, gemini-embedding-001, a .gguf file."
)
@click.option("--role", type=click.Choice(["query", "document"]), help="Where the model tells them apart.")
@click.option("--max-cost", help="Refuse if it may cost more, in dollars.")
@click.option("--private", is_flag=True, help="Only where texts are not used for training.")
@click.option(
    "--project", envvar="GRN_PROJECT", default="", help="Tag in the book of calls (also: GRN_PROJECT)."
)
@click.option("--record", metavar="TAPE", help="Answer from this tape, else ask and record.")
@click.option("--replay", metavar="TAPE", help="Answer from this tape; ask nobody.")
def embed(texts: tuple[str, ...], model: str, role: Any, **options: Any) -> None:
    """Turn TEXTS, or the lines of stdin, into vectors.

    One JSON object a line: "text" and "vector". The embedded model is all-MiniLM-L6-v2: 384 numbers a text,
    English, up to 256 tokens.
    """
    from grn.kit.errors import UsageError
    from grn.llm.calls import Mode, Terms
    from grn.llm.events import Vectors
    from grn.llm.money import parse_usd
    from grn.llm.request import Embedding
    from grn.llm.room import open_caller

    if options["record"] and options["replay"]:
        raise UsageError("a call has one tape", seen="--record, --replay")
    given = texts or tuple(line for line in read_piped().splitlines() if line.strip())
    if not given:
        raise UsageError("there is nothing to embed", hint='grn llm embed "…", or pipe lines in')
    mode: Mode = "record" if options["record"] else "replay" if options["replay"] else "live"
    limit = options["max_cost"]
    terms = Terms(options["project"], None if limit is None else parse_usd(limit), private=options["private"])
    with open_caller(
        tape=options["record"] or options["replay"], mode=mode, notify=lambda text: click.echo(text, err=True)
    ) as caller:
        events = list(caller.stream(Embedding(model, given, role), terms))
    (vectors,) = (event.vectors for event in events if isinstance(event, Vectors))
    write_json_lines({"text": text, "vector": vector} for text, vector in zip(given, vectors, strict=True))
