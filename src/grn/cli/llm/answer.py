"""What a person is told of an answer: its text, what it would cost, what it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grn.cli.output import write_facts, write_json

if TYPE_CHECKING:
    from grn.llm.calls import Caller
    from grn.llm.events import Event
    from grn.llm.request import Request


def answer_text(events: list[Event]) -> str:
    """Join the pieces of an answer."""
    from grn.llm.events import TextDelta

    return "".join(event.text for event in events if isinstance(event, TextDelta))


def say(text: str) -> None:
    """Write a text to stdout; its last line ends."""
    click.echo(text, nl=not text.endswith("\n"))


def write_answer(events: list[Event], citations: dict[str, tuple[str, ...]] | None = None) -> None:
    """Write a whole answer as JSON, where passages were given with its citations."""
    from grn.llm.events import Finished, ThinkingDelta

    end = next((event for event in events if isinstance(event, Finished)), None)
    thinking = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    write_json(
        {
            "text": answer_text(events),
            "thinking": thinking or None,
            "model": end.served if end else None,
            "reason": end.reason if end else None,
            "usage": end.usage.plain() if end else None,
            **({} if citations is None else {"citations": citations}),
        }
    )


def show_quote(caller: Caller, request: Request, *, as_json: bool) -> None:
    """Show tokens and price of a call that is not made."""
    from grn.llm.money import usd_text

    quote = caller.quote(request)
    if quote.notice:
        notify(quote.notice)
    placement = caller.placed(request)
    if as_json:
        write_json(
            {
                "model": quote.model.name,
                "provider": quote.model.provider,
                "notice": quote.notice,
                "prompt_tokens_about": quote.prompt_about,
                "prompt_tokens_most": quote.prompt_most,
                "answer_tokens_most": request.max_tokens,
                "cost_usd_about": usd_text(quote.about_pusd).lstrip("$"),
                "cost_usd_most": usd_text(quote.most_pusd).lstrip("$"),
                **({} if placement is None else {"cache": placement.plain()}),
            }
        )
        return
    write_facts(
        [
            ("model", quote.model.name),
            ("prompt", f"about {quote.prompt_about:,} tokens, at most {quote.prompt_most:,}"),
            ("answer", f"at most {request.max_tokens:,} tokens"),
            ("cost", f"about {usd_text(quote.about_pusd)} if the answer is that long"),
            ("reserved", usd_text(quote.most_pusd)),
            *([] if placement is None else [("cache", placement.words())]),
            ("sent", "nothing"),
        ]
    )


def say_stats(caller: Caller) -> None:
    """Say what a call used, cost and took."""
    from grn.llm.money import usd_text

    if caller.mode == "replay":
        notify("replayed: nothing was sent, nothing was billed")
        return
    row = caller.book.calls(limit=1)[0]
    used = row.usage
    rate = ""
    if row.first_ms is not None and row.total_ms is not None and row.total_ms > row.first_ms:
        per_s = (used.output - 1) * 1000 / (row.total_ms - row.first_ms)
        rate = f"; first token after {row.first_ms} ms, then {per_s:.1f} tokens/s"
    notify(
        f"{row.served}: {used.prompt:,} tokens in ({used.cache_read:,} from the cache), {used.output:,} out, "
        f"{usd_text(row.cost_pusd or 0)}{rate}"
    )


def notify(text: str) -> None:
    """Tell a person something, on stderr."""
    click.echo(text, err=True)
