"""Models on this machine, through llama.cpp: no key, no network, no bill."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, Protocol, Self

from grn.kit.errors import GrnError, ProviderError, UnsupportedError
from grn.llm.events import Event, Finished, Started, TextDelta, ThinkingDelta, Vectors
from grn.llm.local.resident import open_model
from grn.llm.port import Fault, Wire
from grn.llm.request import Embedding, Message, Request, Rerank, Text
from grn.llm.usage import Usage

NAME = "local"
_REASONS = {"stop": "end", "length": "length", "tool_calls": "tool"}


class Model(Protocol):
    """A loaded model, in this process or another."""

    @property
    def chat(self) -> bool:
        """Whether it was trained to answer in turns."""
        ...

    def stream(self, fields: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        """Complete a prompt or a conversation."""
        ...

    def count(self, text: str) -> int:
        """Count the tokens of a text."""
        ...

    def close(self) -> None:
        """Let go of it; it stays loaded."""
        ...


class Local:
    """llama.cpp, in a process that stays for the next call."""

    def __init__(self, open_engine: Callable[[str], Model] = open_model) -> None:
        self._open = open_engine

    @classmethod
    def connect(cls, timeout_s: float) -> Self:
        """Make it ready; nothing is loaded yet."""
        return cls(lambda model: open_model(model, timeout_s=timeout_s))

    def complete(self, ask: Request, model: str, wire: Wire) -> Iterator[Event]:
        """Stream an answer; see :class:`grn.llm.port.Provider`. Greedy unless a temperature is given."""
        try:
            with closing(self._open(model)) as engine, closing(engine.stream(body(ask, engine))) as chunks:
                yield from read_stream(chunks, model, wire)
        except GrnError as error:
            raise Fault(error, billed="no") from error

    def count(self, ask: Request, model: str) -> int | None:
        """Count the prompt's tokens as the model cuts them; ``None`` for one that answers in turns."""
        try:
            with closing(self._open(model)) as engine:
                return None if engine.chat else engine.count(plain_prompt(ask))
        except GrnError as error:
            raise Fault(error, billed="no") from error

    def embed(self, ask: Embedding | Rerank, model: str, wire: Wire) -> Iterator[Event]:
        """Turn texts into vectors; queries and documents are read alike."""
        from grn.llm.local.encoder import load_encoder

        if isinstance(ask, Rerank):
            raise Fault(
                UnsupportedError("the local model does not rerank", hint="--model rerank-2.5"), billed="no"
            )
        try:
            encoder = load_encoder(model)
            found = [encoder.encode(text) for text in ask.texts]
        except GrnError as error:
            raise Fault(error, billed="no") from error
        yield Vectors(tuple(one.vector for one in found))
        yield Finished("end", model, Usage(input=sum(one.tokens for one in found)))

    def close(self) -> None:
        """Leave the model loaded: another call will want it."""


def read_stream(chunks: Iterator[dict[str, Any]], model: str, wire: Wire) -> Iterator[Event]:
    """Turn llama.cpp's chunks into events.

    Raises
    ------
    Fault
        It refused.
    """
    usage, reason = Usage(), "end"
    started = False
    for chunk in chunks:
        wire.frames.append(json.dumps(chunk, ensure_ascii=False, sort_keys=True))
        if "error" in chunk:
            raise _fault(chunk["error"])
        if not started:
            started = True
            yield Started(model, usage)
        for choice in chunk.get("choices", ()):
            delta = choice.get("delta", choice)
            if thought := delta.get("reasoning_content"):
                yield ThinkingDelta(thought)
            if text := delta.get("content") or delta.get("text"):
                yield TextDelta(text)
            reason = _REASONS.get(choice.get("finish_reason"), choice.get("finish_reason")) or reason
        if counted := chunk.get("usage"):
            usage = read_usage(counted)
    yield Finished(reason, model, usage)


def body(ask: Request, engine: Model) -> dict[str, Any]:
    """Write a request in llama.cpp's words.

    Raises
    ------
    UnsupportedError
        It has tools or attachments, which a local model is not given, or asks for what only others do.
    """
    if ask.tools or any(ask.files()):
        raise UnsupportedError(
            "a local model is given text only", seen="tools or attachments", hint="--model sonnet, or flash"
        )
    if ask.effort is not None or ask.cache is not None:
        raise UnsupportedError(
            "a local model has neither degrees of thinking nor a cache to pay for",
            seen="--effort" if ask.effort is not None else "--cache",
            hint="leave it out",
        )
    fields: dict[str, Any] = {
        "max_tokens": ask.max_tokens,
        "temperature": 0.0 if ask.temperature is None else ask.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
        # A warm cache may split the prompt into other batches, and another split may round differently.
        "cache_prompt": False,
    }
    if ask.schema is not None:
        fields["json_schema" if not engine.chat else "response_format"] = (
            dict(ask.schema)
            if not engine.chat
            else {"type": "json_schema", "json_schema": {"schema": dict(ask.schema)}}
        )
    if not engine.chat:
        return {**fields, "prompt": plain_prompt(ask)}
    system = [] if ask.system is None else [{"role": "system", "content": ask.system}]
    turns = [{"role": message.role, "content": _words(message)} for message in ask.messages]
    return {**fields, "messages": [*system, *turns]}


def plain_prompt(ask: Request) -> str:
    """Give the text that a model without a chat template goes on with: the words, and nothing around them."""
    return "\n\n".join(
        [*([ask.system] if ask.system else []), *(_words(message) for message in ask.messages)]
    )


def read_usage(counted: dict[str, Any]) -> Usage:
    """Read llama.cpp's count, in the OpenAI form: ``prompt_tokens`` includes what the cache gave."""
    cached = int((counted.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    prompt = int(counted["prompt_tokens"])
    return Usage(input=prompt - cached, cache_read=cached, output=int(counted["completion_tokens"]))


def _words(message: Message) -> str:
    return "\n\n".join(part.text for part in message.parts if isinstance(part, Text))


def _fault(error: dict[str, Any]) -> Fault:
    return Fault(
        ProviderError(
            "the local model refused the call",
            seen=error.get("message"),
            hint="a shorter prompt, or room for more: GRN_LOCAL_CONTEXT=32768",
        ),
        billed="no",
    )
