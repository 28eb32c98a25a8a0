"""A run of two dozen mixed calls that prints every event; recorded live, then replayed anywhere.

Run as ``python -m tests.llm.replayed_run TAPES``. It is told nothing of servers: in a replay there are none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grn.llm.calls import Caller
from grn.llm.events import plain_event
from grn.llm.request import Ask, Embedding, File, Message, Request, Rerank, Text, Tool
from grn.llm.tape import Tape

FOREIGN = ("anthropic", "google", "voyageai", "genai_prices", "httpx2", "requests", "keyring", "pypdf")


def asks() -> list[Ask]:
    """Give the calls of the run."""
    user = [Request("claude-haiku-5-5", (Message("user", (Text(f"question {n} – ünï"),)),)) for n in range(8)]
    flash = [Request("flash", (Message("user", (Text(f"Frage {n}"),)),), system="kurz") for n in range(6)]
    pdf = File("application/pdf", b"%PDF-1.4 a report", "report.pdf")
    tool = Tool("add", "adds", {"type": "object"})
    mixed: list[Ask] = [
        Request("haiku", (Message("user", (pdf, Text("what does it say?"))),), max_tokens=99),
        Request("haiku", (Message("user", (Text("1+1"),)),), tools=(tool,), effort="low"),
        Request("claude-3-5-sonnet-20241022", (Message("user", (Text("old name"),)),)),
        Request("haiku", (Message("user", (Text("as JSON"),)),), schema={"type": "object"}, cache="5m"),
        Embedding("voyage-4", ("eins", "zwei"), "document"),
        Embedding("voyage-code-2", ("def f(): ...",)),
        Embedding("gemini-embedding-001", ("drei",)),
        Rerank("rerank-2.5", "q", ("x", "y", "z")),
    ]
    return [*user, *flash, *mixed]


def run(caller: Caller) -> bytes:
    """Make every call; one line an event, so that the boundaries of the streams are in the bytes."""
    lines = []
    for number, ask in enumerate(asks()):
        for event in caller.stream(ask):
            lines.append(json.dumps([number, plain_event(event)], ensure_ascii=False))
    return "\n".join(lines).encode()


def nobody(*_: object) -> Any:
    """Stand for the book, the price list and every provider: a replay needs none of them."""
    raise AssertionError("a replay asked for more than its tape")


def main(tapes: Path) -> None:
    caller = Caller(
        book=nobody, catalogue=nobody, connect=nobody, tape=Tape(tapes, "run"), mode="replay", notify=nobody
    )
    sys.stdout.buffer.write(run(caller))
    loaded = sorted(name for name in FOREIGN if name in sys.modules)
    assert not loaded, loaded


if __name__ == "__main__":
    main(Path(sys.argv[1]))
