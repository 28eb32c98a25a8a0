"""``grn llm import``: what coding agents and providers' exports tell of calls of the past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.llm.answer import notify
from grn.cli.output import json_option, write_json, write_table

if TYPE_CHECKING:
    from grn.llm.spend import CallRow


@click.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@json_option
def import_calls(paths: tuple[Path, ...], as_json: bool) -> None:
    """Read calls of the past from transcripts of coding agents and from usage exports.

    PATHS are files or folders; without any, the places where Claude Code, Codex and gemini-cli keep their
    transcripts. Known too is the CSV of Anthropic's console. Nothing that was said is kept, only tokens,
    times, models and names of conversations. Reading again adds only what is new; no budget counts any of it.

    \b
    grn llm import
    grn llm import ~/.claude/projects claude_api_tokens_2026_10.csv
    grn llm spend --imported; grn llm reprice
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.kit.errors import MissingError
    from grn.llm.catalogue import Catalogue
    from grn.llm.history.reading import PLACES, places, read
    from grn.llm.history.store import History
    from grn.llm.room import llm_dir

    chosen = list(paths) or places(Path.home())
    if not chosen:
        seen = ", ".join(f"~/{place}" for place in PLACES)
        raise MissingError("no transcripts of coding agents are here", seen=seen, hint="name a file")
    found = read(chosen)
    with History.open(llm_dir()) as history:
        done = history.add(found.calls.values(), Catalogue)
        rows = [row for row in history.rows() if row.call in found.calls]
    notify(
        f"files with calls: {found.files:,}; new calls: {done['new']:,}, known: {done['known']:,}"
        + (f", grown: {done['grown']:,}" if done["grown"] else "")
        + (f"; files of other formats: {len(found.unknown):,}" if found.unknown else "")
        + (f"; damaged lines: {found.damaged:,}" if found.damaged else "")
    )
    sources = [_sum(name, [row for row in rows if row.note == name]) for name in _names(rows)]
    if as_json:
        counts = {key: done[key] for key in ("new", "known", "grown")}
        left = {"damaged_lines": found.damaged, "unknown_files": found.unknown}
        write_json({"files": found.files, **counts, **left, "sources": sources})
    elif sources:
        write_table(
            ("SOURCE", "CALLS", "FROM", "TO", "PROMPT", "CACHE READ", "OUTPUT", "NO PRICE", "COST"),
            [tuple(source.values()) for source in sources],
        )


def _names(rows: list[CallRow]) -> list[str]:
    return sorted({row.note or "" for row in rows})


def _sum(name: str, rows: list[CallRow]) -> dict[str, object]:
    from grn.kit.clock import utc_text
    from grn.llm.money import usd_text

    return {
        "source": name,
        "calls": len(rows),
        "from": utc_text(rows[0].made_ns)[:10],
        "to": utc_text(rows[-1].made_ns)[:10],
        "prompt_tokens": sum(row.usage.prompt for row in rows),
        "cache_read_tokens": sum(row.usage.cache_read for row in rows),
        "output_tokens": sum(row.usage.output for row in rows),
        "unpriced": sum(row.cost_pusd is None for row in rows),
        "cost_usd": usd_text(sum(row.cost_pusd or 0 for row in rows)),
    }
