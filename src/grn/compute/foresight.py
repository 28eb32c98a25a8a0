"""A fine-tuning run as a job: which cards can hold it, how long it takes on each, and how long here.

What decides is predicted by :mod:`grn.fit`; every prediction has its arithmetic, for a person to check.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from grn.compute.clusters import Cluster
from grn.compute.job import Job, Shape
from grn.compute.train.recipe import Recipe, read_recipe
from grn.fit.architecture import Architecture
from grn.fit.card import GIB, Place, cluster_cards, named_card
from grn.fit.subject import find_subject
from grn.fit.training import Job as Training
from grn.fit.tuning import TrainingPlan, plan_training
from grn.kit.errors import MissingError, UsageError

BYTES_OF_A_TOKEN = 3
"""Of text: English and code have 3.5 to 4.5 (GPT-2's and Llama 3's vocabularies); fewer make more tokens, and
a longer walltime."""
MARGIN = 2.0
"""Walltime for the predicted time: speeds are a guess at half a card's peak, and a queue ends who is late."""
STARTING_MIN = 15
"""Of every attempt: libraries and weights are read, and the longest batch is tried."""
LONGEST_MIN, SHORT_MIN = 24 * 60, 60
"""No attempt is longer, for queues rarely take more; and one of an hour is offered beside, for those start
sooner."""
_SIGNAL_S = 300
_LOCK = "requirements.lock"


@dataclass(frozen=True)
class Foreseen:
    """A fine-tuning run as it would be sent.

    Attributes
    ----------
    job
        With the shapes that can hold it.
    reasons
        The arithmetic of each, in the order of the job's shapes.
    here
        What it would be here; ``None`` where it does not fit.
    """

    job: Job
    reasons: tuple[str, ...]
    here: Here


@dataclass(frozen=True)
class Here:
    """The person's own machine as one of the shapes.

    Attributes
    ----------
    place
        Its card, or its processor.
    end_s
        Seconds until the work would be done; ``None`` where that is not known, or where it does not fit.
    reason
        The arithmetic, or what stands in the way.
    """

    place: str
    end_s: float | None
    reason: str


def foresee(path: Path, cluster: Cluster, place: Place) -> Foreseen:
    """Make a job of a recipe: cards, memory and walltime as they are predicted.

    Parameters
    ----------
    path
        The recipe; its data and the model's folder lie beside it.
    cluster
        Its ``cards`` say what its card types are; without, the smallest common card that is enough is
        counted with, and any card is asked for.
    place
        Of this machine (:func:`grn.fit.card.best_place`).

    Raises
    ------
    MissingError, UnsupportedError, UsageError
        The recipe, its model or its data are not there, or make no sense; no card of the cluster is enough.
    """
    recipe = read_recipe(path)
    if recipe.model.hub or recipe.model.path is None:
        raise UsageError(
            "what a recipe takes is foreseen for models in a folder beside it",
            seen=recipe.model.path,
            hint="download it there; for anything else write a job file with [resources]",
        )
    model = find_subject(str(recipe.find(recipe.model.path))).model
    tokens, longest, counted = _count_tokens(recipe)
    tuning, steps = recipe.tuning, recipe.steps
    training = Training(
        tuning.method, min(longest, model.context), steps.batch, tuning.rank, tuning.targets,
        tuning.checkpointing,
    )  # fmt: skip
    shapes: list[tuple[Shape, str]] = []
    refused: list[str] = []
    for gpu_type, card in _cards(cluster, model, training):
        plan = plan_training(model, training, named_card(card))
        if plan.memory.upper > plan.place.memory:
            refused.append(f"{card}: {_room(plan)}")
            continue
        shapes += _shapes(plan, gpu_type, tokens, counted)
    if not shapes:
        raise UsageError(
            "no single card is enough, and training over several is not implemented",
            seen="; ".join(refused),
            hint="`grn fit MODEL --train` names the cheapest change: a smaller batch, checkpointing, 4 bits",
        )
    own = cluster.environment is None
    if own and not (path.parent / _LOCK).exists():
        raise MissingError(
            "training there needs an environment",
            seen=f"no {_LOCK} beside {path.name}",
            hint="write one there (pip freeze, with this package's extra train), or name `environment` in "
            "clusters.toml",
        )
    job = Job(
        f"grn compute train {shlex.quote(path.name)} --out $GRN_OUT/run",
        "tune",
        _files(recipe, path),
        _LOCK if own else None,
        signal_s=_SIGNAL_S,
        shape=shapes[0][0],
        shapes=tuple(shape for shape, _ in shapes),
    )
    here = _here(plan_training(model, training, place), tokens, counted)
    return Foreseen(job, tuple(reason for _, reason in shapes), here)


def _count_tokens(recipe: Recipe) -> tuple[float, int, str]:
    """Tokens of the whole run, of its longest example, and how they were counted."""
    steps, seq = recipe.steps, recipe.data.seq
    sizes = [len(line) for line in recipe.find(recipe.data.train).read_bytes().splitlines() if line.strip()]
    if not sizes:
        raise UsageError("there is no example", seen=recipe.data.train)
    lengths = [min(seq, -(-size // BYTES_OF_A_TOKEN)) for size in sizes]
    mean = sum(lengths) / len(lengths)
    examples = steps.epochs * len(lengths)
    if steps.most is not None:
        examples = min(examples, float(steps.most * steps.batch * steps.accumulate))
    words = f"{examples:,.0f} examples × {mean:,.0f} tokens (a token has {BYTES_OF_A_TOKEN} bytes)"
    return examples * mean, max(lengths), words


def _cards(cluster: Cluster, model: Architecture, training: Training) -> list[tuple[str | None, str]]:
    """Names of card types on the cluster, and what cards they are."""
    if cluster.cards:
        return list(cluster.cards.items())
    upper = plan_training(model, training, named_card("A100-SXM4-40GB")).memory.upper
    return [(None, cluster_cards(upper)[0])]


def _shapes(plan: TrainingPlan, gpu_type: str | None, tokens: float, counted: str) -> list[tuple[Shape, str]]:
    """A shape that ends in one attempt if it can, and one of an hour where that is shorter."""
    speed = plan.tokens_per_s
    assert speed is not None, "every card of the table has its products"
    work_min = tokens / speed / 60
    longest = min(LONGEST_MIN, math.ceil(MARGIN * work_min) + STARTING_MIN)
    # The host holds the weights while they are read.
    memory = math.ceil(plan.memory.weights / GIB) + 8.0
    found = []
    for walltime in (longest, SHORT_MIN) if longest > 2 * SHORT_MIN else (longest,):
        # An attempt that is not the last gives up what a checkpoint takes, see grn.compute.ranking.
        each_min = walltime - STARTING_MIN - _SIGNAL_S / 60 - 1
        starts = 1 if work_min + STARTING_MIN <= walltime else math.ceil(work_min / each_min)
        run_min = work_min + starts * STARTING_MIN
        work = f"{counted} / {speed:,.0f} tokens/s + {starts} × {STARTING_MIN} min = {run_min:,.0f} min"
        shape = Shape(None, 1, gpu_type, 4, memory, walltime, run_min)
        found.append((shape, f"{plan.place.name}: {_room(plan)}; {work}"))
    return found


def _here(plan: TrainingPlan, tokens: float, counted: str) -> Here:
    name = plan.place.name
    if plan.place.is_card and plan.memory.upper > plan.place.memory:
        return Here(name, None, f"does not fit: {_room(plan)}")
    if plan.tokens_per_s is None:
        return Here(name, None, "its speed is not known")
    end_s = tokens / plan.tokens_per_s
    work = f"{counted} / {plan.tokens_per_s:,.0f} tokens/s = {end_s / 60:,.0f} min"
    return Here(name, end_s, f"{_room(plan)}; {work}")


def _room(plan: TrainingPlan) -> str:
    return f"{plan.memory.upper / GIB:.1f} GiB at most of {plan.place.memory / GIB:.0f}"


def _files(recipe: Recipe, path: Path) -> tuple[str, ...]:
    """What the run reads, as patterns below the recipe's folder."""
    names = [path.name, recipe.model.path, recipe.data.train, recipe.data.evaluate]
    return tuple(name for name in names if name is not None)
