"""Where a sweep that was sent is brought home to: noted here, beside what else is kept of its run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from grn.compute.room import room
from grn.kit.canonical import canonical_json
from grn.kit.errors import ClusterError
from grn.kit.files import write_atomic


@dataclass(frozen=True)
class Note:
    """Where a run is brought home to, and with which engine it is computed."""

    folder: Path
    engine: str


def write_note(cluster: str, run: str, note: Note) -> None:
    """Write down what becomes of a run."""
    text = canonical_json({"folder": str(note.folder.resolve()), "engine": note.engine})
    write_atomic(_path(cluster, run), text, make_parents=True)


def read_note(cluster: str, run: str) -> Note | None:
    """What becomes of a run, when it is a sweep that was sent from here; else ``None``.

    Raises
    ------
    ClusterError
        The note of it is damaged.
    """
    try:
        told = json.loads(_path(cluster, run).read_text(encoding="utf-8"))
        return Note(Path(told["folder"]), str(told["engine"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            "the note of a sweep is damaged", seen=str(_path(cluster, run)), hint="send the sweep again"
        ) from error


def runs_to(cluster: str, folder: Path) -> list[str]:
    """Runs that are brought home to a folder, by name."""
    names = [path.stem for path in sorted((room() / cluster).glob("*.sweep"))]
    found = ((name, read_note(cluster, name)) for name in names)
    return [name for name, note in found if note is not None and note.folder == folder.resolve()]


def _path(cluster: str, run: str) -> Path:
    return room() / cluster / f"{run}.sweep"
