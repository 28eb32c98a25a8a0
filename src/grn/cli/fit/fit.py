"""``grn fit MODEL``: a prediction, or a measurement beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.fit.known import Known, know_better
from grn.cli.fit.measure import recall_here, threads_here, time_model
from grn.cli.fit.module import fit_module, is_module
from grn.cli.output import json_option, write_facts, write_json
from grn.kit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from grn.fit.card import Place
    from grn.fit.history import Calibration, Measured
    from grn.fit.inference import InferencePlan
    from grn.fit.subject import Subject
    from grn.fit.training import Loss, Method, Targets
    from grn.fit.tuning import TrainingPlan

_GIB = 1 << 30


class Tokens(click.ParamType[int]):
    """A number of tokens: ``8192`` or ``8k``."""

    name = "tokens"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; k is 1,024."""
        matched = re.fullmatch(r"(\d+)(k?)", str(value).strip().lower().replace(",", "").replace("_", ""))
        if matched is None or int(matched[1]) < 1:
            self.fail(f"{value!r} is no number of tokens, such as 8192 or 8k", param, ctx)
        return int(matched[1]) * (1024 if matched[2] else 1)


@click.command()
@click.argument("model")
@click.option("--infer", is_flag=True, help="Run it (the default).")
@click.option("--train", "method", type=click.Choice(["qlora", "lora", "full"]), help="Train it in this way.")
@click.option(
    "--context", type=Tokens(), help="Running: tokens of the conversation (default: 8k, or all it has)."
)
@click.option("--quant", "quantisation", help="Running: quantisation (default: the file's own, else Q4_K_M).")
@click.option(
    "--cache",
    type=click.Choice(["f16", "q8_0", "q4_0"]),
    default="f16",
    show_default=True,
    help="Running: kind of keys and values.",
)
@click.option(
    "--seq", type=Tokens(), default="2048", show_default=True, help="Training: tokens of a sequence."
)
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Training: sequences of a step."
)
@click.option(
    "--rank", type=click.IntRange(1), default=16, show_default=True, help="Training: of the adapters."
)
@click.option(
    "--targets",
    type=click.Choice(["all", "qv"]),
    default="all",
    show_default=True,
    help="Training: matrices with an adapter.",
)
@click.option(
    "--checkpointing/--no-checkpointing",
    default=True,
    show_default=True,
    help="Training: compute layers again rather than keep them.",
)
@click.option(
    "--attention",
    type=click.Choice(["sdpa", "flash", "flash2", "flash3", "flash4", "eager"]),
    default="sdpa",
    show_default=True,
    help="Training: attention kernel.",
)
@click.option(
    "--optimizer",
    type=click.Choice(["adamw", "adamw_8bit", "paged_adamw_8bit", "sgd"]),
    default="adamw",
    show_default=True,
    help="Training: optimiser.",
)
@click.option(
    "--loss",
    type=click.Choice(["full", "chunked"]),
    help="Training: logits at once, or chunked or "
    "fused (default: chunked with checkpointing and a large vocabulary).",
)
@click.option("--mixed", is_flag=True, help="Training in full: float32 weights with autocast, not bf16.")
@click.option("--compiled", is_flag=True, help="Training: with torch.compile.")
@click.option("--gpu", help="Judge by this card, such as 'RTX 4070 Laptop' (default: this machine's).")
@click.option("--memory-gib", type=float, help="Memory to judge by, GiB.")
@click.option("--bandwidth", type=float, metavar="GB/S", help="Of that memory (`grn hw show --bandwidth`).")
@click.option(
    "--measure",
    is_flag=True,
    help="Run the file on this processor and keep its speed: later predictions are calibrated by it.",
)
@click.option(
    "--trace",
    is_flag=True,
    help="Training: run the model's own code on tensors without content and count them, for half a minute "
    "(always so for a module).",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Training a module: the .npz file it reads (default: its example_inputs(batch, seq)).",
)
@click.option("--hub", is_flag=True, help="Fetch the config.json of OWNER/NAME from Hugging Face.")
@json_option  # fmt: skip
def fit(
    model: str, infer: bool, method: Method | None, context: int | None, quantisation: str | None, cache: str,
    seq: int, batch: int, rank: int, targets: Targets, checkpointing: bool, attention: str, optimizer: str,
    loss: Loss | None, mixed: bool, compiled: bool, gpu: str | None, memory_gib: float | None,
    bandwidth: float | None, measure: bool, trace: bool, data: Path | None, hub: bool, as_json: bool,
) -> int:  # fmt: skip
    """Predict whether MODEL fits, how fast it is, and what makes it fit.

    MODEL is a name such as llama3.1:8b, a config.json, a .gguf file, "local" for the embedded model,
    OWNER/NAME with --hub, or the import path of a PyTorch module, net:Net. Nothing is downloaded or started
    unless asked for. Exit code 1 when it does not fit here as it was asked.

    Example: grn fit llama3.1:8b --train qlora --seq 2048 --batch 2 --gpu "RTX 4070 Laptop"
    """
    from grn.fit.inference import Use, plan_inference
    from grn.fit.subject import find_subject
    from grn.fit.training import Job
    from grn.fit.tuning import plan_training

    if infer and method is not None:
        raise UsageError("a model is run or trained", hint="leave out --infer or --train")
    for name, value in (("--memory-gib", memory_gib), ("--bandwidth", bandwidth)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} must be positive", seen=value)
    if measure and (method is not None or gpu is not None or memory_gib is not None):
        raise UsageError(
            "--measure runs a model on this processor", hint="leave out --train, --gpu, --memory-gib"
        )
    path = _embedded() if model == "local" else model
    place = _place(gpu, memory_gib, bandwidth)
    if is_module(model):
        job = Job(method or "full", seq, batch, optimizer=optimizer, mixed=mixed, checkpointing=False)
        return fit_module(model, job, place, data, infer=infer, as_json=as_json)
    if (trace and method is None) or data is not None:
        raise UsageError(
            "--trace and --data are for training", seen=model, hint="add --train; --data is for net:Net"
        )
    subject = find_subject(path, hub=hub)
    calibration = None
    if measure:
        place = _processor()
    if not place.is_card and bandwidth is None and method is None:
        calibration = recall_here(place.name)
        if calibration is not None:
            place = replace(place, bandwidth_gb_s=calibration.rate_gb_s)
    plan: InferencePlan | TrainingPlan
    measured: Measured | None = None
    if method is None:
        exact = subject.weights if quantisation is None else None
        use = Use(
            quantisation or subject.quantisation or "Q4_K_M",
            context or min(8192, subject.model.context),
            cache,
        )
        plan = plan_inference(subject.model, use, place, exact)
        if measure:
            measured = _measure(path, plan, subject)
        facts = _inference(plan, calibration, measured)
    else:
        job = Job(
            method, seq, batch, rank, targets, checkpointing, attention, optimizer, loss, mixed, compiled
        )  # fmt: skip
        known = know_better(subject, job, place, trace=trace)
        plan = plan_training(subject.model, job, place, factor=known.factor, error=known.error)
        facts = _training(plan, known)
    if as_json:
        told = {"calibration": calibration, "measured": measured}
        write_json({"source": subject.source, **_headline(plan), **told, "plan": plan})
    else:
        write_facts([("model", f"{plan.model.name} ({subject.source})"), ("", plan.model.describe()), *facts])
    return ExitCode.DONE if plan.verdict.where in ("here", "tight") else ExitCode.NO


def _headline(plan: InferencePlan | TrainingPlan) -> dict[str, object]:
    """What a program most often wants, in the units that a person is shown."""
    from grn.fit.tuning import TrainingPlan

    speed: float | None
    if isinstance(plan, TrainingPlan):
        device, upper, speed = plan.memory.device, plan.memory.upper, plan.tokens_per_s
    else:
        device, upper, speed = plan.device, plan.upper, plan.speed.decode if plan.speed else None
    return {
        "verdict": plan.verdict.where,
        "memory_gib": device / _GIB,
        "error_gib": plan.error / _GIB,
        "upper_gib": upper / _GIB,
        "tokens_per_s": speed,
        "changes": [change.what for change in plan.changes],
    }


def _place(gpu: str | None, memory_gib: float | None, bandwidth: float | None) -> Place:
    from grn.fit.card import Place, best_place, named_card

    if gpu is not None:
        place = named_card(gpu)
    elif memory_gib is not None:
        place = Place("a card", memory_gib * _GIB, bandwidth, None, None)
    else:
        from grn.hw.probe import probe

        place = best_place(probe())
    if memory_gib is not None:
        place = replace(place, memory=memory_gib * _GIB)
    return place if bandwidth is None else replace(place, bandwidth_gb_s=bandwidth)


def _embedded() -> str:
    from grn.llm.local.weights import find_weights

    return str(find_weights("local"))


def _processor() -> Place:
    from grn.fit.card import best_place
    from grn.hw.probe import probe

    return best_place(replace(probe(), cards=()))


def _measure(path: str, plan: InferencePlan, subject: Subject) -> Measured:
    from grn.fit.history import Measured, enter
    from grn.kit.paths import ledger_dir
    from grn.ledger import Ledger

    if subject.weights is None:
        raise UsageError("only a .gguf file can be measured", seen=path, hint='name one, or "local"')
    measured = Measured(
        plan.place.name, threads_here(), plan.model.name, plan.use.quantisation, subject.weights.read,
        plan.speed.decode if plan.speed else None, time_model(Path(path)),
    )  # fmt: skip
    with Ledger.open(ledger_dir()) as book:
        enter(book, measured)
    return measured


def _inference(
    plan: InferencePlan, calibration: Calibration | None, measured: Measured | None
) -> Iterator[tuple[str, object]]:
    yield "weights", f"{_gib(plan.weights)} in {plan.use.quantisation}"
    yield "cache", f"{_gib(plan.cache)} for {plan.use.context:,} tokens in {plan.use.cache}"
    yield "working", _gib(plan.working + plan.context)
    yield "memory", f"{_gib(plan.device)} ± {plan.error / _GIB:.2f}, {plan.upper / _GIB:.2f} at most"
    if plan.speed is None:
        yield "writes", "- (not known here: --measure a .gguf file once, or give --bandwidth or --gpu)"
    else:
        where = "" if plan.verdict.where in ("here", "tight") else ", were there room for it"
        yield "writes", f"about {plan.speed.decode:.3g} tokens/s{where}"
        if calibration is not None:
            yield (
                "calibrated",
                f"by {calibration.count} measured here, within {calibration.spread:.0%} of each other",
            )
        if plan.speed.prefill is not None:
            yield "reads", f"about {plan.speed.prefill:,.0f} tokens/s, a guess at half the card's peak"
    if measured is not None:
        missed = measured.tokens_per_s / measured.predicted - 1 if measured.predicted else None
        beside = "kept for the next prediction" if missed is None else f"{missed:+.0%} of what was predicted"
        yield "measured", f"{measured.tokens_per_s:.3g} tokens/s on {measured.threads} threads, {beside}"
    yield "largest context", f"{plan.largest_context:,} tokens" if plan.largest_context else "none"
    yield from _end(plan)


def _training(plan: TrainingPlan, known: Known) -> Iterator[tuple[str, object]]:
    memory = plan.memory
    yield "weights", _gib(memory.weights)
    if memory.adapters:
        yield "adapters", _gib(memory.adapters)
    yield "gradients", _gib(memory.gradients)
    yield "optimizer", _gib(memory.optimizer)
    yield "activations", _gib(memory.kept)
    yield "logits", f"{_gib(memory.logits)} ({memory.loss}: {memory.loss_reason})"
    yield (
        "memory",
        (
            f"{_gib(memory.device)} ± {plan.error / _GIB:.2f}, {memory.upper / _GIB:.2f} at most; "
            f"torch reserves {memory.reserved / _GIB:.1f}, most at the {memory.moment}"
        ),
    )
    yield from known.rows
    if plan.tokens_per_s is not None:
        yield "speed", f"about {plan.tokens_per_s:,.0f} tokens/s, a guess at half the card's peak"
    yield "attention", f"{plan.kernel.name}: {plan.kernel.reason}"
    yield "largest sequence", f"{plan.largest_seq:,} tokens" if plan.largest_seq else "none"
    yield "largest batch", plan.largest_batch or "none"
    yield from _end(plan)


def _end(plan: InferencePlan | TrainingPlan) -> Iterator[tuple[str, object]]:
    for change in plan.changes:
        yield "change", f"{change.what} ({change.cost})"
    where = {
        "here": "fits",
        "tight": "fits, tightly",
        "changed": "fits with the change above",
        "cluster": "the cluster",
    }
    yield "verdict", f"{where[plan.verdict.where]}: {plan.verdict.reason}"


def _gib(n_bytes: float) -> str:
    return f"{n_bytes / _GIB:.2f} GiB"
