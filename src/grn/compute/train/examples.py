"""Examples as tokens, and what their lengths say before anything is trained."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import UsageError

NO_LOSS = -100
"""Of a token that is read and not learnt: PyTorch's own sign (``cross_entropy``, ``ignore_index``)."""


@dataclass(frozen=True)
class Example:
    """One example: ``(n,)`` tokens, and what is to be learnt at each, or :data:`NO_LOSS`."""

    tokens: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Scan:
    """What lengths say.

    Attributes
    ----------
    examples, tokens
        How many, after the cut.
    median, longest
        Tokens of an example, before the cut.
    cut
        How many were cut.
    """

    examples: int
    tokens: int
    median: float
    longest: int
    cut: int

    def describe(self, seq: int) -> str:
        """One line for a person."""
        cut = f", {self.cut:,} cut at {seq:,}" if self.cut else ""
        return (
            f"{self.examples:,} examples, {self.tokens:,} tokens, "
            f"{self.median:,.0f} in the middle, {self.longest:,} at most{cut}"
        )


def read_examples(path: Path, tokenizer: Any, seq: int) -> tuple[tuple[Example, ...], Scan]:
    """Read JSON Lines: ``{"text"}``, ``{"prompt", "completion"}`` or ``{"messages"}`` in each.

    Of a prompt and its completion, the completion alone is learnt. Messages go through the tokenizer's own
    template, and what the assistant said last is learnt.

    Raises
    ------
    UsageError
        A line that is none of these, or has nothing to learn; its number is named.
    """
    examples: list[Example] = []
    lengths: list[int] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        read, learnt = _texts(line, tokenizer, where)
        head = _tokens(tokenizer, read) if read else []
        begin = [] if tokenizer.bos_token_id is None or "messages" in line else [tokenizer.bos_token_id]
        end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        tail = _tokens(tokenizer, learnt) + end
        tokens = [*begin, *head, *tail]
        lengths.append(len(tokens))
        labels = [NO_LOSS] * (len(begin) + len(head)) + tail
        if all(label == NO_LOSS for label in labels[1:seq]):
            raise UsageError(
                f"nothing is left to learn in {where}",
                seen=f"{len(head):,} tokens before it",
                hint="raise seq, or shorten the prompt",
            )
        examples.append(Example(tuple(tokens[:seq]), tuple(labels[:seq])))
    if not examples:
        raise UsageError("there is no example", seen=str(path), hint='write lines like {"text": "…"}')
    return tuple(examples), measure_lengths(lengths, seq)


def measure_lengths(lengths: Sequence[int], seq: int) -> Scan:
    """What lengths of examples say, of which each is cut at `seq` tokens."""
    return Scan(
        len(lengths),
        sum(min(length, seq) for length in lengths),
        statistics.median(lengths),
        max(lengths),
        sum(length > seq for length in lengths),
    )


def longest_batch(examples: Sequence[Example], batch: int) -> list[Example]:
    """The batch that needs the most memory: the longest examples together."""
    return sorted(examples, key=lambda example: -len(example.tokens))[:batch]


def collate(examples: Sequence[Example], pad: int) -> dict[str, Any]:
    """Examples as one batch, ``(batch, longest)``, filled up at their end."""
    import torch

    labels = _filled([example.labels for example in examples], NO_LOSS)
    return {**_read(examples, pad), "labels": torch.tensor(labels)}


def collate_labelled(examples: Sequence[Example], pad: int) -> dict[str, Any]:
    """Examples with one label each as a batch; labels are ``(batch,)``."""
    import torch

    return {**_read(examples, pad), "labels": torch.tensor([example.labels[0] for example in examples])}


def _read(examples: Sequence[Example], pad: int) -> dict[str, Any]:
    import torch

    rows = [example.tokens for example in examples]
    return {
        "input_ids": torch.tensor(_filled(rows, pad)),
        "attention_mask": torch.tensor(_filled([[1] * len(row) for row in rows], 0)),
    }


def _filled(rows: Sequence[Sequence[int]], end: int) -> list[list[int]]:
    longest = max(len(row) for row in rows)
    return [[*row, *[end] * (longest - len(row))] for row in rows]


def _texts(line: str, tokenizer: Any, where: str) -> tuple[str, str]:
    """What is read, and what is learnt."""
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where} is no JSON", seen=str(error), hint="one object on each line") from error
    match fields:
        case {"text": str(text)}:
            return "", text
        case {"prompt": str(prompt), "completion": str(completion)}:
            return prompt, completion
        case {"messages": [*before, {"role": "assistant", "content": str(said)}]}:
            if tokenizer.chat_template is None:
                raise UsageError(
                    "this tokenizer has no template for messages",
                    seen=where,
                    hint='write {"prompt", "completion"}',
                )
            read = tokenizer.apply_chat_template(before, tokenize=False, add_generation_prompt=True)
            return str(read), said
    raise UsageError(
        f"{where} is no example",
        seen=line[:80],
        hint='known are {"text"}, {"prompt", "completion"}, {"messages"} that end with the assistant',
    )


def _tokens(tokenizer: Any, text: str) -> list[int]:
    tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tokens
