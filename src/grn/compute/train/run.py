"""A fine-tuning run from beginning to end, or from a checkpoint on."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grn.compute.train.material import Material, read_material
from grn.compute.train.outcome import Exports, Trained, sum_up, write_results
from grn.compute.train.place import Place, choose_place, price
from grn.compute.train.recipe import Recipe
from grn.compute.train.watermark import Took, Watermark
from grn.compute.train.weights import forbid_network, load_model, load_tokenizer
from grn.fit.tracing import quieten
from grn.hw.lease import Card
from grn.kit.clock import Clock, SystemClock
from grn.kit.errors import BudgetError, UsageError, require_extra
from grn.kit.files import make_dir, write_atomic

_NONE = Exports()
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def train(
    recipe: Recipe, out: Path, *, cards: Sequence[Card] = (), cap_bytes: int, threads: int | None = None,
    exports: Exports = _NONE, notify: Callable[[str], None] = lambda _: None, clock: Clock | None = None,
    callbacks: Sequence[object] = (), took: Callable[[Took], None] = lambda _: None,
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
    exports
        What is written beside: ``merged``, ``model.gguf``.
    notify
        Is told what is done, and how far it is.
    clock
        For pace and time left.
    callbacks
        Further callbacks of `transformers`.
    took
        Is told, after the last step, what the run took: no file of results holds it.

    Raises
    ------
    MissingExtraError, MissingError, UsageError, DataError, UnsupportedError
        Something is not installed or not there, examples make no sense, or there is no such export.
    BudgetError
        It takes more memory than there is: said before the first step, for the longest batch is tried first.
    GrnError
        The loss is no number any more.
    """
    quieten()
    forbid_network(recipe)
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
        return _train(recipe, out, cards, cap_bytes, exports, notify, clock or SystemClock(), callbacks, took)


def _train(
    recipe: Recipe, out: Path, cards: Sequence[Card], cap_bytes: int, exports: Exports,
    notify: Callable[[str], None], clock: Clock, callbacks: Sequence[object], took: Callable[[Took], None],
) -> Trained:  # fmt: skip
    transformers = require_extra("transformers", "train")
    from grn.compute.train.watch import Watch

    checkpoints = out / "checkpoints"
    _claim(out, recipe.key())
    if exports.gguf:
        from grn.compute.train.llama import check_exportable

        check_exportable(recipe)
    tokenizer = None if recipe.model.module is not None else load_tokenizer(recipe)
    material = read_material(recipe, tokenizer)
    notify(f"data: {material.told}")
    place = choose_place(price(recipe, material, on_card=bool(cards)), cards, cap_bytes)
    notify(f"place: {place.reason}")
    watermark = Watermark(place.device)
    try:
        model = load_model(recipe, place.device, material.classes)
        watch = Watch(notify, clock)
        trainer = transformers.Trainer(
            model=model,
            args=_arguments(recipe, checkpoints, place, has_held_out=bool(material.held_out)),
            train_dataset=list(material.train),
            eval_dataset=list(material.held_out) or None,
            data_collator=material.collate,
            compute_metrics=_correct if material.classes else None,
            callbacks=[watch, *callbacks],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        _probe(trainer, material, notify)
        resumed = _newest(checkpoints)
        if resumed is not None:
            notify(f"going on from {resumed.name}")
        with watch.listening():
            trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY):
            raise _too_much(recipe, place, error) from error
        raise
    trained, losses = sum_up(trainer.state, watch.asked)
    method = recipe.tuning.method + (", mixed" if recipe.tuning.mixed else "")
    took(
        Took(place.name, method, place.n_bytes or None, watermark.bytes(), watch.tokens_per_s(trainer.state))
    )
    if trained.finished:
        write_results(
            recipe, out, trainer.model, tokenizer, trained, losses, exports, notify, material.classes
        )
    return trained


def _correct(said: Any) -> dict[str, float]:
    """Share of examples whose label a classifier names."""
    return {"correct": float((said.predictions.argmax(-1) == said.label_ids).mean())}


def _arguments(recipe: Recipe, checkpoints: Path, place: Place, *, has_held_out: bool) -> Any:
    from transformers import TrainingArguments

    steps, tuning, own = recipe.steps, recipe.tuning, recipe.model.module is not None
    recompute = tuning.checkpointing and not own
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
        activation_checkpointing=recompute,
        activation_checkpointing_kwargs={"use_reentrant": False} if recompute else None,
        bf16=tuning.mixed,
        use_cpu=place.device == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="no" if own else "non_padding",
        eval_strategy="steps" if has_held_out else "no",
        eval_steps=steps.evaluate_every,
        eval_on_start=has_held_out,
        prediction_loss_only=recipe.model.task != "classify",
        save_steps=steps.save_every,
        save_total_limit=2,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        # A share of the way through an epoch is skipped over on resuming, so that each example comes once.
        ignore_data_skip=False,
    )


def _probe(trainer: Any, material: Material, notify: Callable[[str], None]) -> None:
    """One pass there and back with the longest batch, before all others: it fails now or not at all."""
    import torch

    model = trainer.model
    model.train()
    inputs = trainer._prepare_inputs(material.collate(material.worst))
    if trainer.args.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    with trainer.compute_loss_context_manager():
        loss = model(**inputs)["loss"]
    loss.backward()
    model.zero_grad(set_to_none=True)
    tokens = inputs.get("input_ids")
    size = f"{len(material.worst)}" + ("" if tokens is None else f" × {tokens.shape[1]:,} tokens")
    if loss.is_cuda:
        notify(f"longest batch: {size}, {torch.cuda.max_memory_reserved() / (1 << 30):.2f} GiB reserved")
    else:
        notify(f"longest batch: {size} went through")


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


def _too_much(recipe: Recipe, place: Place, error: BaseException) -> BudgetError:
    return BudgetError(
        f"training takes more memory than {place.device} has for it",
        seen=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
        hint=f"grn fit {recipe.model.name} --train {recipe.tuning.method} names the cheapest change",
    )
