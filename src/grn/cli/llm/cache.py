"""``grn llm cache``: prompts that a provider keeps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.lazy import LazyGroup
from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_terms, terms_options
from grn.cli.output import json_option, write_facts, write_json, write_table

if TYPE_CHECKING:
    from grn.llm.caches import Cache

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.group(cls=LazyGroup)
def cache() -> None:
    """Have a provider keep a long prompt: read at a lower price by every question until its time is over.

    Gemini models only; Claude's caching is grn ask --cache. Keeping costs rent, billed at once for the whole
    time.
    """


@cache.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-m", "--model", default="flash", show_default=True, help="The model that will be asked.")
@click.option("-s", "--system", help="System prompt, kept with it.")
@click.option("--ttl", default="1h", show_default=True, help="How long: 90s, 30m, 2h, 1d.")
@terms_options
@json_option
def add(
    sources: tuple[Path, ...], model: str, system: str | None, ttl: str, as_json: bool, **options: Any
) -> None:
    """Lay SOURCES down: text, PDF, pictures, folders. Prints the name for grn ask --cached NAME."""
    from grn.llm.attach import attach
    from grn.llm.caches import keep
    from grn.llm.request import Message, Request
    from grn.llm.room import caches_dir, open_caller

    ttl_s = _seconds(ttl)
    parts = tuple(part for source in sources for part in attach(source))
    terms = read_terms(options)
    with open_caller(notify=notify) as caller:
        made = keep(caller, Request(model, (Message("user", parts),), system), ttl_s, caches_dir(), terms)
    _show(made, as_json=as_json)


@cache.command()
@json_option
def ls(as_json: bool) -> None:
    """List what is kept, the first to end first."""
    from grn.kit.clock import SystemClock
    from grn.llm.caches import list_caches
    from grn.llm.money import usd_text
    from grn.llm.room import caches_dir

    now_ns = SystemClock().now_ns()
    found = list_caches(caches_dir(), now_ns)
    if as_json:
        write_json(found)
        return
    if not found:
        click.echo("nothing is kept", err=True)
        return
    write_table(
        ("NAME", "MODEL", "TOKENS", "ENDS IN", "COST"),
        (
            (one.id, one.model, one.tokens, _left(one.expires_ns - now_ns), usd_text(one.cost_pusd))
            for one in found
        ),
    )


@cache.command()
@click.argument("name")
def rm(name: str) -> None:
    """Take a prompt out. Its rent is not given back."""
    from grn.llm.caches import forget
    from grn.llm.room import caches_dir, open_caller

    with open_caller() as caller:
        forget(caller, name, caches_dir())


def _show(made: Cache, *, as_json: bool) -> None:
    from grn.kit.clock import utc_text
    from grn.llm.money import usd_text

    if as_json:
        write_json(made)
        return
    write_facts(
        [
            ("name", made.id),
            ("model", made.model),
            ("tokens", made.tokens),
            ("until", utc_text(made.expires_ns)),
            ("cost", usd_text(made.cost_pusd)),
        ]
    )


def _seconds(text: str) -> int:
    from grn.kit.errors import UsageError

    found = re.fullmatch(r"([1-9]\d{0,6})([smhd])", text)
    if found is None:
        raise UsageError("this is no time", seen=text, hint="90s, 30m, 2h or 1d")
    return int(found[1]) * _UNITS_S[found[2]]


def _left(ns: int) -> str:
    minutes = ns // (60 * 10**9)
    return f"{minutes // 60}:{minutes % 60:02} h"
