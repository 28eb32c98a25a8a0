"""``grn llm index``: folders and files that can be searched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.output import json_option, write_facts, write_json
from grn.kit.progress import Progress

if TYPE_CHECKING:
    from grn.llm.library.follow import Followed
    from grn.llm.library.index import Index

DEFAULT_INDEX = "docs"


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--index", "name", default=DEFAULT_INDEX, show_default=True, help="Name of the index.")
@click.option(
    "-m",
    "--model",
    help="What makes the vectors: local, voyage-code-4, voyage-4, or none (default: as before, else local).",
)
@click.option("--forget", is_flag=True, help="Take PATHS out of the index.")
@click.option("--dry-run", is_flag=True, help="Show what vectors would cost; make none.")
@terms_options
@tape_options
@json_option
def index(paths: tuple[Path, ...], name: str, forget: bool, dry_run: bool, **options: Any) -> None:
    """Make folders and files searchable: grn llm search, grn ask --with-docs.

    PATHS are added to the index and followed from then on; without PATHS what is followed is read anew
    where it changed. Read are PDFs (text and tables by page), HTML, Markdown, notebooks, code and its
    docstrings, texts; BibTeX files say which PDF is which paper. What Git ignores and what holds secrets is
    left out. It may be ended at any time and goes on there. Vectors are made on this machine, free, unless
    --model says otherwise.
    """
    from grn.llm.library.follow import follow
    from grn.llm.library.index import open_index
    from grn.llm.room import indexes_dir, open_caller

    tape, mode = read_tape(options)
    terms = read_terms(options)
    _check(paths, name, forget=forget)
    chosen = _known_model(options["model"]) if options["model"] else None
    with (
        open_index(name, indexes_dir()) as library,
        open_caller(tape=tape, mode=mode, notify=notify) as caller,
    ):
        for path in paths:
            (library.remove if forget else library.add)(path)
        if chosen:
            library.put("model", chosen)
        model = library.setting("model") or "local"
        with _telling("reading", "files") as tell:
            followed = follow(library, tell)
        made, price = _embed(library, model, caller, terms, dry_run=dry_run)
        _report(library, name, model, followed, made, price, as_json=options["as_json"])


def _check(paths: tuple[Path, ...], name: str, *, forget: bool) -> None:
    """Refuse a slip of the keyboard before it makes an index of its own."""
    from grn.kit.errors import UsageError
    from grn.llm.library.index import names_of
    from grn.llm.room import indexes_dir

    known = names_of(indexes_dir())
    if name not in known and (forget or not paths):
        hint = f"there are: {', '.join(known)}" if known else "make it: grn llm index FOLDER"
        raise UsageError("there is no index of that name", seen=name, hint=hint)
    for path in paths:
        if not forget and not path.exists():
            raise UsageError("there is no such folder or file", seen=str(path))


def _known_model(model: str) -> str:
    from grn.kit.errors import UsageError
    from grn.llm import lifecycle
    from grn.llm.room import open_catalogue

    if model == "none":
        return model
    full = lifecycle.full_name(model)
    if lifecycle.provider_of(full) is None:
        raise UsageError(
            "nobody is known to serve this model", seen=model, hint="local, voyage-code-4 or none"
        )
    if lifecycle.provider_of(full) == lifecycle.LOCAL:
        return full
    resolved = open_catalogue().resolve(full)
    if resolved.notice:
        notify(resolved.notice)
    return resolved.sent


def _embed(library: Index, model: str, caller: Any, terms: Any, *, dry_run: bool) -> tuple[int, str | None]:
    """Make the vectors that are missing, or price them."""
    from grn.llm.library.vectors import Asked, embed, encoder_of, told
    from grn.llm.money import usd_text

    if model == "none":
        return 0, None
    encoder = encoder_of(model, caller, terms)
    if dry_run:
        texts = [told(placed) for _, placed in library.missing(encoder.model)]
        pusd = encoder.price_pusd(texts) if isinstance(encoder, Asked) else 0
        return 0, f"{len(texts):,} passages, at most {usd_text(pusd)}; nothing is sent"
    with _telling("vectors", "passages") as tell:
        return embed(library, encoder, tell), None


def _report(
    library: Index,
    name: str,
    model: str,
    followed: Followed,
    made: int,
    price: str | None,
    *,
    as_json: bool,
) -> None:
    sources, counts = library.sources(), library.counts()
    if as_json:
        write_json(
            {
                "index": name,
                "sources": [str(path) for path in sources],
                "model": model,
                **counts,
                "read": followed.read,
                "gone": followed.gone,
                "vectors_made": made,
                "unreadable": [{"path": path, "why": why} for path, why in followed.faults],
            }
        )
        return
    facts: list[tuple[str, object]] = [("index", name)]
    facts += [("follows", str(path)) for path in sources] or [
        ("follows", "nothing yet: grn llm index FOLDER")
    ]
    facts.append(("files", f"{counts['files']:,}"))
    facts.append(("changed", f"{followed.read:,} read, {followed.gone:,} gone"))
    facts.append(("passages", f"{counts['passages']:,}"))
    if counts["papers"]:
        facts.append(("papers", f"{counts['papers']:,} with a cite key"))
    facts.append(("vectors", price or f"{model}, {made:,} made now"))
    write_facts(facts)
    for path, why in followed.faults:
        notify(f"not read: {path}: {why}")


@contextmanager
def _telling(label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Say on a terminal how far it is, and elsewhere nothing."""
    with ExitStack() as stack:
        drawn: list[Progress] = []

        def tell(done: int, every: int) -> None:
            if not drawn:
                drawn.append(stack.enter_context(Progress(label, every, unit=unit)))
            drawn[0].advance(done - drawn[0].done)

        yield tell
