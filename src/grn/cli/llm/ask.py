"""``grn ask``, the same as ``grn llm ask``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import answer_text, notify, say, say_stats, show_quote, write_answer
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.llm.stdin import read_piped_parts
from grn.cli.output import json_option

if TYPE_CHECKING:
    from grn.llm.calls import Caller, Terms
    from grn.llm.conversation import Conversation
    from grn.llm.events import Event
    from grn.llm.request import Cached, Request

_DEFAULT_MODEL = "claude-sonnet-5-5"
_SCHEMA_HINT = 'for example {"type": "object", "properties": {"year": {"type": "integer"}}}'


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
@click.option("--cache", type=click.Choice(["5m", "1h"]), help="Mark the prompt for the provider's cache.")
@click.option("--cached", metavar="NAME", help="Ask about what lies in the cache: grn llm cache add.")
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
@json_option
def ask(words: tuple[str, ...], **options: Any) -> int:
    """Ask a language model.

    The prompt is what is piped in, then the attachments, then WORDS; nothing else is sent with it.

    \b
    grn ask "why is the sky blue?" --model local
    git diff | grn ask "review this" --max-cost 0.05
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.llm.room import open_caller

    tape, mode = read_tape(options)
    request, terms = _request(words, options, replayed=mode == "replay"), read_terms(options)
    with open_caller(tape=tape, mode=mode, timeout_s=options["timeout_s"], notify=notify) as caller:
        return _run(caller, request, terms, options)


def _run(caller: Caller, request: Request, terms: Terms, options: dict[str, Any]) -> int:
    from grn.kit.errors import ExitCode
    from grn.llm.events import Finished

    if options["dry_run"]:
        show_quote(caller, request, as_json=options["as_json"])
        return ExitCode.DONE
    events = _answer(caller, request, terms, aloud=options["stream"] and not options["as_json"])
    end = next((event for event in events if isinstance(event, Finished)), None)
    if options["as_json"]:
        write_answer(events)
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
        schema=_schema(options["schema_text"]),
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


def _schema(text: str | None) -> dict[str, Any] | None:
    from grn.kit.errors import UsageError

    if text is None:
        return None
    try:
        given = text.lstrip().startswith(("{", "["))
        read = json.loads(text if given else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            "--json-schema is neither JSON nor a file with it", seen=str(error), hint=_SCHEMA_HINT
        ) from error
    if not isinstance(read, dict):
        raise UsageError("a JSON Schema is an object", seen=text, hint=_SCHEMA_HINT)
    return read


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
