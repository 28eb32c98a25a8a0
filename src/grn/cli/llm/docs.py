"""``--with-docs``: passages of an index beside a question, and the answer's citations held against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.index import DEFAULT_INDEX

if TYPE_CHECKING:
    from grn.llm.calls import Caller, Terms
    from grn.llm.library.citations import Checked
    from grn.llm.library.index import Placed
    from grn.llm.request import Request

_Command = TypeVar("_Command", bound=Callable[..., object])

_OPTIONS = (
    click.option("--with-docs", is_flag=True, help="Send along what of an index answers: grn llm index."),
    click.option("--index", "index_name", default=DEFAULT_INDEX, show_default=True, help="Which index."),
    click.option("--docs-budget", default="4k", show_default=True, help="Tokens of passages at most."),
)
_MOST = 40  # passages that are tried


def docs_options(command: _Command) -> _Command:
    """Give a command the options that :func:`with_docs` reads."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Docs:
    """A request with passages in it, which ones, and the cite keys of the whole library."""

    request: Request
    given: tuple[Placed, ...]
    keys: frozenset[str]

    def check(self, answer: str) -> Checked:
        """Hold an answer's citations against the passages, and say which were not given."""
        from grn.llm.library.citations import check

        found = check(answer, self.given, self.keys)
        for cited in found.unknown:
            notify(f"cited, but not among the passages given: [{cited}]")
        return found


def with_docs(
    caller: Caller, request: Request, question: str, terms: Terms, options: Mapping[str, Any]
) -> Docs:
    """Put the passages that answer a question before its words.

    Raises
    ------
    UsageError
        There are no words to search by, no such index, or the budget takes no passage.
    """
    from dataclasses import replace

    from grn.cli.llm.options import read_tokens
    from grn.kit.errors import UsageError
    from grn.llm.library.citations import context
    from grn.llm.library.index import open_index
    from grn.llm.library.retrieve import retrieve
    from grn.llm.request import Text
    from grn.llm.room import indexes_dir
    from grn.llm.tokens.count import counter_of

    if not question.strip():
        raise UsageError("there are no words to search by", hint='grn ask --with-docs "…"')
    name, budget = options["index_name"], read_tokens(options["docs_budget"])
    found = retrieve(caller, question, name, indexes_dir(), limit=_MOST, terms=terms, notify=notify)
    counter = counter_of(request.model)
    text, given = context([one.placed for one in found], budget, lambda some: counter.count(some).most)
    if found and not given:
        raise UsageError("the budget takes none of the passages", seen=budget, hint="--docs-budget 4k")
    if not found:
        notify("nothing in the index answers that: asked without passages")
        return Docs(request, (), frozenset())
    *before, last = request.messages
    *parts, words = last.parts
    asked = replace(request, messages=(*before, replace(last, parts=(*parts, Text(text), words))))
    with open_index(name, indexes_dir()) as index:
        return Docs(asked, tuple(given), frozenset(index.keys()))
