"""A fine-tuning run as a person writes it down."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from grn.compute.table import fill, read_toml
from grn.fit.module import names_module
from grn.kit.canonical import canonical_json
from grn.kit.errors import MissingError, UsageError
from grn.kit.files import sha256_hex


@dataclass(frozen=True)
class Model:
    """The model that is trained.

    Attributes
    ----------
    path
        Its folder, with `config.json`, weights and tokenizer, relative to the recipe; with `hub` OWNER/NAME.
    hub
        Whether it may be fetched from Hugging Face.
    module
        In place of `path`: the import path of a PyTorch module of one's own, ``net:Net``.
    task
        ``write``: a causal language model. ``classify``: a model, such as BERT, that gives a text one of some
        labels.
    """

    path: str | None = None
    hub: bool = False
    module: str | None = None
    task: Literal["write", "classify"] = "write"

    @property
    def name(self) -> str:
        """For a person."""
        return self.path or self.module or ""


@dataclass(frozen=True)
class Data:
    """What it is trained on: JSON Lines, or arrays (``.npz``) for a module.

    See :mod:`grn.compute.train.material`.

    Attributes
    ----------
    train, evaluate
        Files, relative to the recipe.
    seq
        Tokens of an example at most; longer ones are cut at their end.
    """

    train: str
    evaluate: str | None = None
    seq: int = 2048


@dataclass(frozen=True)
class Tuning:
    """Which weights are trained.

    Attributes
    ----------
    method
        ``qlora``: adapters beside weights in 4 bits. ``lora``: beside weights as they are. ``full``: all.
    rank, alpha, dropout
        Of the adapters; `alpha` defaults to twice the rank.
    targets
        ``all`` linear layers, or queries and values (``qv``).
    checkpointing
        Compute layers again rather than keep them; a module of one's own decides that itself.
    mixed
        Products in bf16 beside float32 weights (autocast). Without it weights are as the place computes best:
        bf16 on a card, float32 on a processor.
    """

    method: Literal["qlora", "lora", "full"] = "qlora"
    rank: int = 16
    alpha: int | None = None
    dropout: float = 0.0
    targets: Literal["all", "qv"] = "all"
    checkpointing: bool = True
    mixed: bool = False


@dataclass(frozen=True)
class Steps:
    """How long and how fast it learns.

    Attributes
    ----------
    epochs, most
        Times through the data; ``most`` steps, whichever ends first.
    batch, accumulate
        Examples of a pass, and passes of a step.
    rate, warmup, decay
        Learning rate, its share of steps for warming up, and whether it falls as a cosine or stays.
    seed
        Of everything that is drawn.
    save_every, evaluate_every
        In steps.
    """

    epochs: float = 1.0
    most: int | None = None
    batch: int = 1
    accumulate: int = 1
    rate: float = 2e-4
    warmup: float = 0.03
    decay: Literal["cosine", "constant"] = "cosine"
    seed: int = 0
    save_every: int = 50
    evaluate_every: int = 50


@dataclass(frozen=True)
class Recipe:
    """A model, data, which weights, how long; and the folder that names are relative to."""

    model: Model
    data: Data
    tuning: Tuning
    steps: Steps
    folder: Path

    def key(self) -> str:
        """Hash of all that decides the result, the data's own bytes among it."""
        files = [self.find(name) for name in (self.data.train, self.data.evaluate) if name is not None]
        if self.model.module is not None:
            source = self.folder / (self.model.module.partition(":")[0].replace(".", "/") + ".py")
            files += [source] if source.is_file() else []
        decides = {name: value for name, value in asdict(self).items() if name != "folder"}
        return sha256_hex(canonical_json([decides, [sha256_hex(file.read_bytes()) for file in files]]))[:16]

    def find(self, name: str) -> Path:
        """A file of the recipe.

        Raises
        ------
        MissingError
            It is not there.
        """
        path = self.folder / Path(name).expanduser()
        if not path.exists():
            raise MissingError("a file of the recipe is not there", seen=str(path), hint="correct its path")
        return path


def read_recipe(path: Path) -> Recipe:
    """Read a recipe: tables ``[model]``, ``[data]``, ``[tuning]`` and ``[steps]``.

    Raises
    ------
    MissingError, UsageError
        A file that is not there, or a value that makes no sense.
    """
    table = read_toml(path, "recipe")
    for key in table:
        if key not in ("model", "data", "tuning", "steps"):
            raise UsageError(
                f"unknown table in {path}", seen=key, hint="known are [model], [data], [tuning], [steps]"
            )
    recipe = Recipe(
        fill(Model, table.get("model", {}), f"[model] of {path}"),
        fill(Data, table.get("data", {}), f"[data] of {path}"),
        fill(Tuning, table.get("tuning", {}), f"[tuning] of {path}"),
        fill(Steps, table.get("steps", {}), f"[steps] of {path}"),
        path.resolve().parent,
    )
    _check(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    steps, tuning, model = recipe.steps, recipe.tuning, recipe.model
    if (model.path is None) == (model.module is None):
        raise UsageError(
            "a recipe names one model", seen=f"{model.path} and {model.module}" if model.path else None,
            hint='[model] path = "FOLDER", or module = "net:Net"',
        )  # fmt: skip
    if model.module is not None and not names_module(model.module):
        raise UsageError("module is no import path", seen=model.module, hint='module = "net:Net"')
    if model.module is not None and tuning.method != "full":
        raise UsageError(
            "a module of one's own is trained in full", seen=tuning.method, hint='[tuning] method = "full"'
        )
    for name, count in (
        ("seq", recipe.data.seq),
        ("rank", tuning.rank),
        ("batch", steps.batch),
        ("accumulate", steps.accumulate),
        ("most", 1 if steps.most is None else steps.most),
        ("save_every", steps.save_every),
        ("evaluate_every", steps.evaluate_every),
    ):
        if count < 1:
            raise UsageError(f"{name} must be at least 1", seen=count)
    for name, value in (("rate", steps.rate), ("epochs", steps.epochs)):
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be positive", seen=value)
    for name, value in (("dropout", tuning.dropout), ("warmup", steps.warmup)):
        if not 0 <= value < 1:
            raise UsageError(f"{name} is a share from 0 up to 1", seen=value)
