"""``grn ask``, the same as ``grn llm ask``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import answer_text, notify, say, say_stats, show_quote, write_answer
from grn.cli.llm.docs import Docs, docs_options, with_docs
from grn.cli.llm.options import read_schema, read_tape, read_terms, tape_options, terms_options
from grn.cli.llm.stdin import read_piped_parts
from grn.cli.output import json_option

if TYPE_CHECKING:
    from grn.llm.calls import Caller, Terms
    from grn.llm.conversation import Conversation
    from grn.llm.events import Event
    from grn.llm.request import Cached, Request

_DEFAULT_MODEL = "claude-sonnet-5-5"


@click.command()
@click.argument("words", nargs=-1)
@click.option(
    "-m", "--model", help="Model: a name, a short name or a .gguf file (default: $GRN_MODEL, else sonnet)."
)
@click.option("-s", "--system", help="System prompt.")
@click.option(
    "-a",
    "--attach",
    "attachments",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder to send along: text, PDF, picture.",
)
@click.option("-t", "--template", "template_name", help="Template by name.")
@click.option("-c", "--continue", "going_on", is_flag=True, help="Go on with the last conversation.")
@click.option("--json-schema", "schema_text", help="JSON Schema of the answer, or a file with it.")
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    help="Bound on the answer, thinking included (default 4096; 256 for local, which seldom ends).",
)
@click.option("--temperature", type=click.FloatRange(min=0), help="Randomness, where the model takes it.")
@click.option("--effort", type=click.Choice(["low", "medium", "high"]), help="How hard to think.")
@click.option(
    "--cache",
    type=click.Choice(["plan", "5m", "1h"]),
    help="Have the provider keep the prompt: what pays by your calls until now, or all of it for that long.",
)
@click.option("--cached", metavar="NAME", help="Ask about what lies in the cache: grn llm cache add.")
@docs_options
@click.option("--stream/--no-stream", default=True, show_default=True, help="Print the answer as it comes.")
@terms_options
@tape_options
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=600.0,
    show_default=True,
    help="Seconds to wait for the next byte.",
)
@click.option("--stats", is_flag=True, help="Say on stderr what it used, cost and took.")
@click.option("--dry-run", is_flag=True, help="Show tokens and price; send nothing.")
@click.option("--later", is_flag=True, help="Keep it for a batch at a lower price: grn llm later.")
@json_option
def ask(words: tuple[str, ...], **options: Any) -> int:
    """Ask a language model.

    The prompt is what is piped in, then the attachments, then WORDS; nothing else is sent with it.

    \b
    grn ask "why is the sky blue?" --model local
    git diff | grn ask "review this" --max-cost 0.05
    grn ask --with-docs "what is the standard error of a Sharpe ratio?"
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.llm.room import open_caller

    tape, mode = read_tape(options)
    request, terms = _request(words, options, replayed=mode == "replay"), read_terms(options)
    with open_caller(tape=tape, mode=mode, timeout_s=options["timeout_s"], notify=notify) as caller:
        docs = None
        if options["with_docs"]:
            docs = with_docs(caller, request, " ".join(words), terms, options)
            request = docs.request
        if options["later"]:
            return _put_off(caller, request, terms)
        return _run(caller, request, terms, options, docs)


def _run(caller: Caller, request: Request, terms: Terms, options: dict[str, Any], docs: Docs | None) -> int:
    from grn.kit.errors import ExitCode
    from grn.llm.events import Finished

    if options["dry_run"]:
        show_quote(caller, request, as_json=options["as_json"])
        return ExitCode.DONE
    events = _answer(caller, request, terms, aloud=options["stream"] and not options["as_json"])
    end = next((event for event in events if isinstance(event, Finished)), None)
    cited = docs.check(answer_text(events)) if docs else None
    if options["as_json"]:
        write_answer(events, {"given": cited.given, "unknown": cited.unknown} if cited else None)
    elif not options["stream"]:
        say(answer_text(events))
    if not options["private"]:  # after the answer is out: a full disk must not lose what was paid for
        _keep(request, events, replayed=caller.mode == "replay")
    reason = end.reason if end else "end"
    if reason == "length":
        notify(f"the answer was cut at {request.max_tokens} tokens: --max-tokens allows more")
    if options["stats"]:
        say_stats(caller)
    if reason == "refused":
        notify("the model refused to answer")
        return ExitCode.NO
    return ExitCode.DONE


def _put_off(caller: Caller, request: Request, terms: Terms) -> int:
    """Keep a question for a batch; what cannot be sent as one is told now and not tomorrow."""
    from grn.kit.clock import SystemClock
    from grn.kit.errors import ExitCode, UsageError
    from grn.llm.later import put_off
    from grn.llm.room import later_dir

    if caller.mode != "live":
        raise UsageError(
            "answers of batches are not on tapes", seen=caller.mode, hint="--later without a tape"
        )
    if request.cache == "plan":
        raise UsageError(
            "where a cache pays is decided when a question is sent, and nobody knows when a batch is",
            seen="--cache plan",
            hint="--cache 1h where questions of a batch begin alike, or none",
        )
    if terms.private:
        raise UsageError("a question that waits is kept on this disk", seen="--private", hint="ask it now")
    if caller.served(request.model).batch_price is None:
        raise UsageError(
            "no price for batches is known", seen=request.model, hint="grn llm models lists them"
        )
    say(put_off(later_dir(), request, terms.project, SystemClock().now_ns()))
    notify("kept; grn llm later --send hands in all that waits")
    return ExitCode.DONE


def _request(words: tuple[str, ...], options: dict[str, Any], *, replayed: bool) -> Request:
    from grn.kit.errors import UsageError
    from grn.llm.attach import attach
    from grn.llm.conversation import load_last
    from grn.llm.request import Message, Part, Request, Text
    from grn.llm.room import conversation_dir, llm_dir
    from grn.llm.template import Template, load_template

    name = options["template_name"]
    template = load_template(llm_dir() / "templates", name) if name else Template()
    parts: list[Part] = read_piped_parts()
    for path in options["attachments"]:
        parts += attach(path)
    if asked := template.fill(" ".join(words)):
        parts.append(Text(asked))
    if not parts:
        raise UsageError("there is nothing to ask", hint='grn ask "…", or pipe a text in')
    before = load_last(conversation_dir(replayed=replayed)) if options["going_on"] else None
    cached = _cached(options, before, replayed=replayed)
    model = options["model"] or template.model or (before.model if before else None)
    if cached is not None and model is None:
        model = cached.model
    model = model or os.environ.get("GRN_MODEL") or _DEFAULT_MODEL
    return Request(
        model=model,
        messages=(*(before.messages if before else ()), Message("user", tuple(parts))),
        system=options["system"] or template.system or (before.system if before else None),
        max_tokens=options["max_tokens"] or template.max_tokens or (256 if model == "local" else 4096),
        temperature=options["temperature"],
        schema=read_schema(options["schema_text"]),
        effort=options["effort"],
        cache=options["cache"],
        cached=cached,
    )


def _cached(options: dict[str, Any], before: Conversation | None, *, replayed: bool) -> Cached | None:
    name = options["cached"] or (before.cached if before else None)
    if name is None:
        return None
    from grn.kit.clock import SystemClock
    from grn.llm.caches import find
    from grn.llm.room import caches_dir

    # An answer on a tape outlives the cache that it was made with.
    return find(caches_dir(), name, 0 if replayed else SystemClock().now_ns())


def _answer(caller: Caller, request: Request, terms: Terms, *, aloud: bool) -> list[Event]:
    """Draw the events, printing text as it comes; the last line always ends."""
    from grn.llm.events import TextDelta

    events: list[Event] = []
    last = ""
    try:
        for event in caller.stream(request, terms):
            events.append(event)
            if aloud and isinstance(event, TextDelta):
                click.echo(event.text, nl=False)
                sys.stdout.flush()
                last = event.text or last
    finally:
        if last and not last.endswith("\n"):
            click.echo()
    return events


def _keep(request: Request, events: list[Event], *, replayed: bool) -> None:
    from grn.kit.errors import GrnError
    from grn.llm.conversation import save_last
    from grn.llm.keys import mask
    from grn.llm.request import Message, Text
    from grn.llm.room import conversation_dir

    text = mask(answer_text(events))
    if not text:
        return
    try:
        save_last(conversation_dir(replayed=replayed), request, Message("assistant", (Text(text),)))
    except GrnError as error:
        if not replayed:  # a replay writes nothing that it needs, and a read-only disk is no hindrance
            notify(f"the conversation is not kept, --continue will not find it: {error}")
