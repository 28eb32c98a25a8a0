"""``grn compute train``: a model fine-tuned here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.capped import within_memory
from grn.cli.compute.options import tell
from grn.cli.output import json_option, write_facts, write_json
from grn.kit.errors import ExitCode

if TYPE_CHECKING:
    from grn.compute.train.outcome import Exports, Trained
    from grn.compute.train.recipe import Recipe
    from grn.compute.train.watermark import Took

_GIB = 1 << 30
_AGAIN = 75
"""Exit code of a run that has saved and wants to go on: EX_TEMPFAIL of sysexits.h."""


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Folder of results; a run that was stopped goes on in it.")  # fmt: skip
@click.option("--export", is_flag=True, help="Also write the whole model with its adapter folded in.")
@click.option(
    "--gguf", is_flag=True, help="Also write the whole model for llama.cpp, as model.gguf; with --export."
)
@click.option("--threads", type=click.IntRange(1), help="On a processor (default: one on each fast core).")
@json_option
@within_memory
def train(recipe: Path, out: Path, export: bool, gguf: bool, threads: int | None, as_json: bool) -> int:
    """Train a model as RECIPE says: QLoRA, LoRA, or all weights; a language model, a classifier, your module.

    RECIPE is a TOML file: model, data, tuning, steps. The longest batch is tried first. At USR1 or TERM it
    saves a checkpoint and ends with 75; the same command goes on from there, to the same bytes. It takes a
    lease on a card where there is one, else as much memory as memory_gib of the settings allows. What it took
    goes into the ledger beside what was foreseen, and later predictions of grn fit count with it.

    Example: grn compute train tune.toml --out adapter
    """
    from grn.compute.train.outcome import Exports
    from grn.compute.train.recipe import read_recipe

    exports = Exports(merged=export or gguf, gguf=gguf)
    trained, took = _train(read_recipe(recipe), out, exports, threads)
    if as_json:
        write_json({**trained.__dict__, "took": took})
    else:
        write_facts([*_facts(trained), *_compare(took)])
    if not trained.finished:
        tell(f"stopped: the same command goes on from step {trained.steps}")
        return _AGAIN
    tell(f"done: {out}")
    return ExitCode.DONE


def _train(recipe: Recipe, out: Path, exports: Exports, threads: int | None) -> tuple[Trained, Took]:
    from grn.compute.train.run import train as run
    from grn.hw.lease import read_cards, visible
    from grn.hw.pin import place_sweep
    from grn.kit.config import load_settings
    from grn.kit.paths import ledger_dir
    from grn.ledger import Ledger

    settings, cards = load_settings(), visible(read_cards())
    cap_bytes = int(settings.memory_gib * _GIB)
    key = recipe.key()
    measured: list[Took] = []
    with Ledger.open(ledger_dir()) as book:
        entry = book.begin("compute train", {"recipe": key, "model": recipe.model.name})
        try:
            trained = run(
                recipe, out, cards=cards, cap_bytes=cap_bytes, exports=exports, notify=tell,
                took=measured.append,
                threads=threads or settings.threads or place_sweep().threads,
            )  # fmt: skip
        except BaseException as error:
            book.finish(entry, exit_code=int(getattr(error, "exit_code", ExitCode.ERROR)))
            raise
        (took,) = measured
        book.finish(
            entry,
            exit_code=0 if trained.finished else _AGAIN,
            outputs={
                "steps": trained.steps, "tokens": trained.tokens, "last_loss": trained.last_loss,
                **took.__dict__,
            },
        )  # fmt: skip
    return trained, took


def _facts(trained: Trained) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [("steps", trained.steps)]
    if trained.tokens:
        facts.append(("tokens", trained.tokens))
    facts.append(("loss", f"{trained.first_loss:.4g} at first, {trained.last_loss:.4g} at last"))
    if trained.evaluated is not None:
        before, after = trained.evaluated
        facts.append(("held out", f"{before:.4g} before, {after:.4g} after"))
    if trained.correct is not None:
        before, after = trained.correct
        facts.append(("correct", f"{before:.1%} before, {after:.1%} after"))
    return facts


def _compare(took: Took) -> list[tuple[str, object]]:
    """What it took, beside what was foreseen."""
    if took.actual_bytes is None:
        return []
    foreseen = (
        "" if took.predicted_bytes is None else f", {took.predicted_bytes / _GIB:.2f} GiB were foreseen"
    )
    return [("memory", f"{took.actual_bytes / _GIB:.2f} GiB{foreseen}")]
