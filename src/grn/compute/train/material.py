"""What a recipe trains on: examples, batches of them, and the batch that needs the most memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.compute.train.examples import (
    Example,
    collate,
    collate_labelled,
    longest_batch,
    measure_lengths,
    read_examples,
)
from grn.compute.train.recipe import Recipe
from grn.fit.module import read_kinds
from grn.kit.errors import UsageError


@dataclass(frozen=True)
class Material:
    """Examples of a run.

    Attributes
    ----------
    train, held_out
        Examples, in the order of their file.
    worst
        The batch that needs the most memory.
    longest
        Tokens of the longest example; 1 where examples are arrays.
    told
        What was read, for a person.
    collate
        Makes a batch of some examples: tensors by name.
    classes
        Of a classifier, else 0.
    """

    train: Sequence[Any]
    held_out: Sequence[Any]
    worst: Sequence[Any]
    longest: int
    told: str
    collate: Callable[[Sequence[Any]], dict[str, Any]]
    classes: int = 0


def read_material(recipe: Recipe, tokenizer: Any) -> Material:
    """Read a recipe's examples; `tokenizer` is ``None`` for a module of one's own.

    Raises
    ------
    UsageError, DataError, MissingError
        A line or an array that makes no sense, or a file that is not there.
    """
    if recipe.model.module is not None:
        return _arrays(recipe)
    if recipe.model.task == "classify":
        return _labelled(recipe, tokenizer)
    seq = recipe.data.seq
    train, scan = read_examples(recipe.find(recipe.data.train), tokenizer, seq)
    held_out: tuple[Example, ...] = ()
    if recipe.data.evaluate is not None:
        held_out, _ = read_examples(recipe.find(recipe.data.evaluate), tokenizer, seq)
    return Material(
        train, held_out, longest_batch(train, recipe.steps.batch), min(seq, scan.longest), scan.describe(seq),
        lambda batch: collate(batch, tokenizer.pad_token_id),
    )  # fmt: skip


def read_labelled(path: Path, tokenizer: Any, seq: int) -> tuple[Example, ...]:
    """Read JSON Lines ``{"text", "label"}``; a label is a number from 0.

    Raises
    ------
    UsageError
        A line that is none; its number is named.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise UsageError(
                f"{where} is no JSON", seen=str(error), hint="one object on each line"
            ) from error
        match fields:
            case {"text": str(text), "label": int(label)} if label >= 0 and not isinstance(label, bool):
                tokens = tokenizer(text, truncation=True, max_length=seq)["input_ids"]
                found.append(Example(tuple(tokens), (label,)))
            case _:
                raise UsageError(
                    f"{where} is no labelled example", seen=line[:80], hint='{"text": "…", "label": 0}'
                )
    if not found:
        raise UsageError(
            "there is no example", seen=str(path), hint='write lines like {"text": "…", "label": 0}'
        )
    return tuple(found)


def _labelled(recipe: Recipe, tokenizer: Any) -> Material:
    seq = recipe.data.seq
    train = read_labelled(recipe.find(recipe.data.train), tokenizer, seq)
    held_out: tuple[Example, ...] = ()
    if recipe.data.evaluate is not None:
        held_out = read_labelled(recipe.find(recipe.data.evaluate), tokenizer, seq)
    classes = 1 + max(example.labels[0] for example in (*train, *held_out))
    scan = measure_lengths([len(example.tokens) for example in train], seq)
    return Material(
        train, held_out, longest_batch(train, recipe.steps.batch), max(len(each.tokens) for each in train),
        f"{scan.describe(seq)}, {classes} classes",
        lambda batch: collate_labelled(batch, tokenizer.pad_token_id), max(2, classes),
    )  # fmt: skip


def _arrays(recipe: Recipe) -> Material:
    train = _rows(recipe.find(recipe.data.train))
    held_out = _rows(recipe.find(recipe.data.evaluate)) if recipe.data.evaluate is not None else []
    shapes = ", ".join(f"{name} {each.dtype}{list(each.shape)}" for name, each in train[0].items())
    return Material(
        train, held_out, train[: recipe.steps.batch], 1, f"{len(train):,} examples of {shapes}", _stack
    )


def _rows(path: Path) -> list[Mapping[str, Any]]:
    import numpy as np

    read_kinds(path)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in sorted(file.files)}
    count = len(next(iter(arrays.values())))
    return [{name: array[row] for name, array in arrays.items()} for row in range(count)]


def _stack(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    import numpy as np
    import torch

    return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
