"""``grn llm embed``: texts as vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.llm.stdin import read_piped_lines
from grn.cli.output import write_json_lines

# Of one request: Google takes 100 texts (BatchEmbedContents), Voyage 1,000 texts and 120,000 tokens.
_TEXTS: Final = 100
_BYTES: Final = 300_000


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

    One JSON object a line: "text" and "vector", in order; a hundred texts go to a call. The embedded model is
    all-MiniLM-L6-v2: 384 numbers a text, English, up to 256 tokens.
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
        for some in in_calls(given):
            events = list(caller.stream(Embedding(model, some, role), terms))
            (vectors,) = (event.vectors for event in events if isinstance(event, Vectors))
            write_json_lines(
                {"text": text, "vector": vector} for text, vector in zip(some, vectors, strict=True)
            )


def in_calls(texts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Share texts out to calls, in order: as many to each as every provider takes at once."""
    some: list[str] = []
    n_bytes = 0
    for text in texts:
        size = len(text.encode("utf-8", "surrogatepass"))
        if some and (len(some) == _TEXTS or n_bytes + size > _BYTES):
            yield tuple(some)
            some, n_bytes = [], 0
        some.append(text)
        n_bytes += size
    yield tuple(some)
