"""``grn llm pack``: what of a folder answers a question, within a budget of tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.llm.answer import notify
from grn.cli.output import json_option, write_json

if TYPE_CHECKING:
    from grn.llm.tokens.pack.meaning import Encode

_DEFAULT_MODEL = "claude-sonnet-5-5"
_MOST_PROCESSES = 4  # that cut files: this one, which takes them in, is what more would wait for


@click.command()
@click.argument("query")
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option("--budget", default="8k", show_default=True, help="Tokens at most: 8000, or 8k.")
@click.option("-m", "--model", help="Model that is billed, or o200k (default: $GRN_MODEL, else sonnet).")
@click.option("--meaning", is_flag=True, help="Order the best by meaning too (extra local); slower.")
@click.option("--stats", is_flag=True, help="Say on stderr what was packed.")
@json_option
def pack(
    query: str, path: Path, budget: str, model: str | None, meaning: bool, stats: bool, as_json: bool
) -> int:
    """Pack what of the folder PATH answers QUERY, for a model to read: never more than the budget.

    Functions and classes that answer best are shown whole, of others the head; each line has its number.
    QUERY may hold names, paths and tracebacks. What Git ignores and what holds secrets is left out. Exit code
    1 when nothing answers.

    \b
    grn llm pack "where is money moved?" src/ --budget 8k | grn ask "explain" -m opus
    pytest 2>&1 | grn llm squeeze > failed.txt; grn llm pack "$(cat failed.txt)"
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.kit.clock import SystemClock
    from grn.kit.errors import ExitCode
    from grn.kit.paths import cache_dir
    from grn.llm.catalogue import Catalogue
    from grn.llm.room import today
    from grn.llm.tokens.count import counter_of
    from grn.llm.tokens.pack.index import open_index
    from grn.llm.tokens.pack.pack import pack as pack_pieces

    named = model or os.environ.get("GRN_MODEL") or _DEFAULT_MODEL
    most = _tokens(budget)
    resolved = Catalogue(today(SystemClock())).resolve(named)
    if resolved.notice:
        notify(resolved.notice)
    counter = counter_of(resolved.sent)
    with open_index(path, cache_dir() / "llm" / "folders", _processes()) as index:
        found = pack_pieces(index, query, most, lambda text: counter.count(text).most, _encoder(meaning))
    if stats:
        shown = f"{found.whole} pieces whole, the heads of {found.heads}, in {len(found.files)} files"
        weighed = f"{found.tokens:,} of {most:,} tokens for {counter.model} ({counter.certainty})"
        notify(f"{weighed}: {shown}; {found.found} pieces answer")
    if as_json:
        write_json(
            {
                "model": counter.model,
                "certainty": counter.certainty,
                "budget": most,
                "tokens_most": found.tokens,
                "whole": found.whole,
                "heads": found.heads,
                "found": found.found,
                "files": found.files,
                "text": found.text,
            }
        )
    else:
        click.echo(found.text, nl=False)
    if not found.text:
        notify("nothing there answers that")
        return ExitCode.NO
    return ExitCode.DONE


def _encoder(meaning: bool) -> Encode | None:
    if not meaning:
        return None
    from grn.llm.lifecycle import LOCAL
    from grn.llm.local.encoder import load_encoder

    encoder = load_encoder(LOCAL)
    return lambda text: encoder.encode(text).vector


def _processes() -> int:
    """One for each core that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, _MOST_PROCESSES)


def _tokens(text: str) -> int:
    from grn.kit.errors import UsageError

    number = text.strip().lower()
    times = 1000 if number.endswith("k") else 1
    number = number.removesuffix("k")
    if not (number.isascii() and number.isdigit() and 0 < int(number) * times <= 10**8):
        raise UsageError("this is no number of tokens", seen=text, hint="for example 8000, or 8k")
    return int(number) * times
