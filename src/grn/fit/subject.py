"""What a person means by MODEL: a name, a ``config.json``, a GGUF file, or a model of the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grn.fit.architecture import Architecture
from grn.fit.configs import parse_config, read_config
from grn.fit.gguf import read_model
from grn.fit.hub import fetch_config
from grn.fit.known import find, unknown
from grn.fit.quantisation import Weights, name_quantisation
from grn.kit.errors import DataError


@dataclass(frozen=True)
class Subject:
    """A model, and its exact weights where a file tells them.

    Attributes
    ----------
    model
        Its architecture.
    weights
        Bytes of a GGUF file's tensors; ``None`` elsewhere.
    quantisation
        The one that comes nearest to them.
    source
        Where it was found, for a person.
    config
        Its ``config.json``, or the folder of one, where that is what was named.
    """

    model: Architecture
    weights: Weights | None
    quantisation: str | None
    source: str
    config: Path | None = None


def find_subject(name: str, *, hub: bool = False) -> Subject:
    """Find a model.

    Parameters
    ----------
    name
        A GGUF file, a ``config.json`` or the folder of one, a name of the table, or ``OWNER/NAME`` with
        `hub`.
    hub
        Ask the hub for a name that is not in the table.

    Raises
    ------
    UsageError
        None of these; the hint names the nearest.
    DataError, UnsupportedError, AccessError, UnreachableError
        As the readers of each.
    """
    path = Path(name).expanduser()
    if path.suffix == ".gguf" or _begins_as_gguf(path):
        model, weights = read_model(path)
        return Subject(model, weights, name_quantisation(weights.total, model), f"file {path.name}")
    if path.suffix == ".json" or path.is_dir():
        return Subject(read_config(path), None, None, f"config {path}", path)
    if path.is_file():
        raise DataError(
            "this is neither a GGUF file nor a config", seen=name, hint="name a .gguf file, or a config.json"
        )
    known = find(name)
    if known is not None:
        return Subject(known, None, None, "table of known models")
    if hub:
        return Subject(parse_config(fetch_config(name), name), None, None, f"config of {name} on the hub")
    raise unknown(name)


def _begins_as_gguf(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"GGUF"
    except OSError:
        return False
