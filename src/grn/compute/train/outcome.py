"""What comes of a run: its files, its figures, and what it took beside what was foreseen."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.compute.train.recipe import Recipe
from grn.compute.train.weights import merge, save
from grn.kit.canonical import canonical_json
from grn.kit.errors import GrnError
from grn.kit.files import write_atomic


@dataclass(frozen=True)
class Exports:
    """What is written beside what was trained.

    Attributes
    ----------
    merged
        The model with its adapter folded in.
    gguf
        The model as a file for llama.cpp.
    """

    merged: bool = False
    gguf: bool = False


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes
    ----------
    finished
        Whether it came to its end; otherwise it was asked to stop and has saved a checkpoint.
    steps, tokens
        Done so far; no tokens are counted of a module of one's own.
    first_loss, last_loss
        Mean losses of the first and the last fifth of all steps so far.
    evaluated
        Loss on the examples that are held out, before and after; ``None`` without any.
    correct
        Share of them that a classifier names rightly, before and after.
    """

    finished: bool
    steps: int
    tokens: int
    first_loss: float
    last_loss: float
    evaluated: tuple[float, float] | None
    correct: tuple[float, float] | None = None


def sum_up(state: Any, asked: bool) -> tuple[Trained, list[tuple[int, float]]]:
    """Figures of a run out of the trainer's state, and the loss of every step.

    Raises
    ------
    GrnError
        The loss is no number any more.
    """
    history: list[dict[str, Any]] = state.log_history
    losses = [(int(entry["step"]), float(entry["loss"])) for entry in history if "loss" in entry]
    if not all(math.isfinite(loss) for _, loss in losses):
        raise GrnError(
            "the loss is no number any more",
            seen=f"at step {losses[-1][0]}",
            hint="lower the rate, or raise warmup",
        )
    fifth = max(1, len(losses) // 5)
    trained = Trained(
        not (asked and state.global_step < state.max_steps),
        int(state.global_step),
        int(state.num_input_tokens_seen),
        sum(loss for _, loss in losses[:fifth]) / fifth,
        sum(loss for _, loss in losses[-fifth:]) / fifth,
        _ends(history, "eval_loss"),
        _ends(history, "eval_correct"),
    )
    return trained, losses


def write_results(
    recipe: Recipe, out: Path, model: Any, tokenizer: Any, trained: Trained, losses: list[tuple[int, float]],
    exports: Exports, notify: Callable[[str], None], classes: int = 0,
) -> None:  # fmt: skip
    """Write what was trained, exports of it, losses, and last ``result.json``; checkpoints are removed.

    Raises
    ------
    UnsupportedError
        llama.cpp has no form for this architecture or this tokenizer.
    """
    whole = recipe.tuning.method == "full"
    target = out / ("model" if whole else "adapter")
    save(recipe, model, tokenizer, target)
    if exports.merged and not whole:
        notify("folding the adapter into the weights")
        merge(recipe, target, out / "merged", classes)
    if exports.gguf:
        from grn.compute.train.llama import write_gguf

        notify("writing model.gguf for llama.cpp")
        write_gguf(target if whole else out / "merged", out / "model.gguf")
    lines = [canonical_json({"step": step, "loss": loss}).decode() for step, loss in losses]
    write_atomic(out / "losses.jsonl", "".join(f"{line}\n" for line in lines))
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    write_atomic(out / "result.json", canonical_json({"recipe": recipe.key(), **trained.__dict__}))


def _ends(history: list[dict[str, Any]], name: str) -> tuple[float, float] | None:
    found = [float(entry[name]) for entry in history if name in entry]
    return (found[0], found[-1]) if len(found) > 1 else None
