"""A fine-tuning run from beginning to end, or from a checkpoint on."""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.compute.train.examples import Example, Scan, collate, longest_batch, read_examples
from grn.compute.train.place import Place, choose_place, price
from grn.compute.train.recipe import Recipe
from grn.compute.train.weights import load_model, load_tokenizer, merge, save
from grn.fit.training import Memory
from grn.hw.lease import Card
from grn.kit.canonical import canonical_json
from grn.kit.clock import Clock, SystemClock
from grn.kit.errors import BudgetError, GrnError, UsageError, require_extra
from grn.kit.files import make_dir, write_atomic

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes
    ----------
    finished
        Whether it came to its end; otherwise it was asked to stop and has saved a checkpoint.
    steps, tokens
        Done so far.
    first_loss, last_loss
        Mean losses of the first and the last fifth of all steps so far.
    evaluated
        Loss on the examples that are held out, before and after; ``None`` without any.
    """

    finished: bool
    steps: int
    tokens: int
    first_loss: float
    last_loss: float
    evaluated: tuple[float, float] | None


@dataclass(frozen=True)
class Prepared:
    """What is known before the first step."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    scan: Scan
    memory: Memory | None
    place: Place


def train(
    recipe: Recipe, out: Path, *, cards: Sequence[Card] = (), cap_bytes: int, threads: int | None = None,
    export: bool = False, notify: Callable[[str], None] = lambda _: None, clock: Clock | None = None,
    callbacks: Sequence[object] = (),
) -> Trained:  # fmt: skip
    """Train a model, or go on with it: the same recipe into the same folder gives the same bytes.

    The same bytes need the same number of threads, versions and kind of processor or card: sums of floats
    depend on how they are split.

    Parameters
    ----------
    recipe
        What to do.
    out
        Folder of results: ``adapter`` (``model`` for all weights), ``losses.jsonl``, ``result.json``;
        ``checkpoints`` while it is not done.
    cards, cap_bytes
        Where it may train, see :func:`grn.compute.train.place.choose_place`.
    threads
        On a processor; ``None`` leaves them to torch.
    export
        Write the model with its adapter folded in as well, as ``merged``.
    notify
        Is told what is done, and how far it is.
    clock
        For pace and time left.
    callbacks
        Further callbacks of `transformers`.

    Raises
    ------
    MissingExtraError, MissingError, UsageError
        Something is not installed or not there, or examples make no sense.
    BudgetError
        It takes more memory than there is: said before the first step, for the longest batch is tried first.
    GrnError
        The loss is no number any more.
    """
    require_extra("torch", "train")
    require_extra("transformers", "train")
    require_extra("accelerate", "train")
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    with warnings.catch_warnings():
        # Theirs, of what they will rename: their users cannot do anything about it.
        for kind in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", category=kind)
        return _train(recipe, out, cards, cap_bytes, export, notify, clock or SystemClock(), callbacks)


def _train(
    recipe: Recipe, out: Path, cards: Sequence[Card], cap_bytes: int, export: bool,
    notify: Callable[[str], None], clock: Clock, callbacks: Sequence[object],
) -> Trained:  # fmt: skip
    transformers = require_extra("transformers", "train")
    from grn.compute.train.watch import Watch

    key, checkpoints = recipe.key(), out / "checkpoints"
    _claim(out, key)
    tokenizer = load_tokenizer(recipe)
    prepared = _prepare(recipe, tokenizer, cards, cap_bytes, notify)
    place = prepared.place
    try:
        model = load_model(recipe, place.device)
        watch = Watch(notify, clock)
        arguments = _arguments(recipe, checkpoints, place, has_held_out=bool(prepared.held_out))
        trainer = transformers.Trainer(
            model=model,
            args=arguments,
            train_dataset=list(prepared.train),
            eval_dataset=list(prepared.held_out) or None,
            data_collator=lambda batch: collate(batch, tokenizer.pad_token_id),
            callbacks=[watch, *callbacks],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        _probe(trainer, longest_batch(prepared.train, recipe.steps.batch), tokenizer.pad_token_id, notify)
        resumed = _newest(checkpoints)
        if resumed is not None:
            notify(f"going on from {resumed.name}")
        with watch.listening():
            trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY):
            raise _too_much(recipe, place, error) from error
        raise
    return _end(recipe, out, trainer, tokenizer, key, watch.asked, export, notify)


def _prepare(
    recipe: Recipe, tokenizer: Any, cards: Sequence[Card], cap_bytes: int, notify: Callable[[str], None]
) -> Prepared:
    seq = recipe.data.seq
    examples, scan = read_examples(recipe.find(recipe.data.train), tokenizer, seq)
    notify(f"data: {scan.describe(seq)}")
    held_out: tuple[Example, ...] = ()
    if recipe.data.evaluate is not None:
        held_out, _ = read_examples(recipe.find(recipe.data.evaluate), tokenizer, seq)
    memory = price(recipe, min(seq, scan.longest))
    place = choose_place(memory, cards, cap_bytes)
    notify(f"place: {place.reason}")
    return Prepared(examples, held_out, scan, memory, place)


def _arguments(recipe: Recipe, checkpoints: Path, place: Place, *, has_held_out: bool) -> Any:
    from transformers import TrainingArguments

    steps, tuning = recipe.steps, recipe.tuning
    return TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=steps.batch,
        per_device_eval_batch_size=steps.batch,
        gradient_accumulation_steps=steps.accumulate,
        num_train_epochs=steps.epochs,
        max_steps=-1 if steps.most is None else steps.most,
        learning_rate=steps.rate,
        warmup_steps=steps.warmup,
        lr_scheduler_type="cosine" if steps.decay == "cosine" else "constant_with_warmup",
        optim="adamw_torch",
        seed=steps.seed,
        data_seed=steps.seed,
        full_determinism=True,
        activation_checkpointing=tuning.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if tuning.checkpointing else None,
        use_cpu=place.device == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        eval_strategy="steps" if has_held_out else "no",
        eval_steps=steps.evaluate_every,
        eval_on_start=has_held_out,
        prediction_loss_only=True,
        save_steps=steps.save_every,
        save_total_limit=2,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        # A share of the way through an epoch is skipped over on resuming, so that each example comes once.
        ignore_data_skip=False,
    )


def _probe(trainer: Any, batch: list[Example], pad: int, notify: Callable[[str], None]) -> None:
    """One pass there and back with the longest batch, before all others: it fails now or not at all."""
    import torch

    model = trainer.model
    model.train()
    inputs = trainer._prepare_inputs(collate(batch, pad))
    if trainer.args.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model(**inputs).loss.backward()
    model.zero_grad(set_to_none=True)
    longest = inputs["input_ids"].shape
    if torch.cuda.is_available() and inputs["input_ids"].is_cuda:
        peak = torch.cuda.max_memory_reserved() / (1 << 30)
        notify(f"longest batch: {longest[0]} × {longest[1]:,} tokens, {peak:.2f} GiB reserved")
    else:
        notify(f"longest batch: {longest[0]} × {longest[1]:,} tokens went through")


def _claim(out: Path, key: str) -> None:
    """A folder belongs to one recipe: what another left there would be gone on from."""
    make_dir(out)
    mark = out / "recipe.key"
    if mark.exists() and mark.read_text().strip() != key:
        raise UsageError(
            "this folder has another run in it", seen=str(out), hint="name another with --out, or remove it"
        )
    if (out / "result.json").exists():
        raise UsageError("this run is done", seen=str(out), hint="name another folder to train again")
    write_atomic(mark, f"{key}\n")


def _newest(checkpoints: Path) -> Path | None:
    """The newest checkpoint that is whole; others are removed."""
    from grn.compute.train.watch import WHOLE

    found = sorted(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = [path for path in found if (path / WHOLE).exists()]
    for path in found:
        if path not in whole:
            shutil.rmtree(path)
    return whole[-1] if whole else None


def _end(
    recipe: Recipe, out: Path, trainer: Any, tokenizer: Any, key: str, asked: bool, export: bool,
    notify: Callable[[str], None],
) -> Trained:  # fmt: skip
    state = trainer.state
    history: list[dict[str, Any]] = state.log_history
    losses = [(int(entry["step"]), float(entry["loss"])) for entry in history if "loss" in entry]
    if not all(math.isfinite(loss) for _, loss in losses):
        raise GrnError(
            "the loss is no number any more",
            seen=f"at step {losses[-1][0]}",
            hint="lower the rate, or raise warmup",
        )
    evaluated = [float(entry["eval_loss"]) for entry in history if "eval_loss" in entry]
    finished = not (asked and state.global_step < state.max_steps)
    fifth = max(1, len(losses) // 5)
    trained = Trained(
        finished,
        int(state.global_step),
        int(state.num_input_tokens_seen),
        sum(loss for _, loss in losses[:fifth]) / fifth,
        sum(loss for _, loss in losses[-fifth:]) / fifth,
        (evaluated[0], evaluated[-1]) if len(evaluated) > 1 else None,
    )
    if not finished:
        return trained
    target = out / ("model" if recipe.tuning.method == "full" else "adapter")
    save(recipe, trainer.model, tokenizer, target)
    if export and recipe.tuning.method != "full":
        notify("folding the adapter into the weights")
        merge(recipe, target, out / "merged")
    lines = [canonical_json({"step": step, "loss": loss}).decode() for step, loss in losses]
    write_atomic(out / "losses.jsonl", "".join(f"{line}\n" for line in lines))
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    write_atomic(out / "result.json", canonical_json({"recipe": key, **trained.__dict__}))
    return trained


def _too_much(recipe: Recipe, place: Place, error: BaseException) -> BudgetError:
    return BudgetError(
        f"training takes more memory than {place.device} has for it",
        seen=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
        hint=f"grn fit {recipe.model.path} --train {recipe.tuning.method} names the cheapest change",
    )
