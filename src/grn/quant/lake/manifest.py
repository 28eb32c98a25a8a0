"""The manifest of a series: which files it is made of, and what is known about them.

It is the one file that is ever replaced, in one step; every other file is written once and named by its
content. Whatever the manifest does not name is not part of the series, so a process that is killed leaves
either the old state or the new one, and perhaps a file that nobody names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from grn.kit.errors import DataError
from grn.kit.files import sha256_hex, write_atomic
from grn.quant.lake.series import Series
from grn.quant.lake.spans import Span

NAME: Final = "manifest.json"
FORMAT: Final = 1


@dataclass(frozen=True)
class Part:
    """A Parquet file.

    Attributes
    ----------
    name
        File name inside the series' folder.
    group
        The stretch of time that it belongs to, such as ``2024-01``.
    rows, bytes
        Its size.
    first_ns, last_ns
        Time stamps of its first and last row; parts of a series never overlap.
    sha256
        Of its bytes.
    """

    name: str
    group: str
    rows: int
    bytes: int
    first_ns: int
    last_ns: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What is known about a series.

    Attributes
    ----------
    parts
        The files with its rows, in order of time.
    beside
        Further tables by name: ``actions``, ``revisions``, ``gaps``.
    covered
        Spans of time that the source has been asked for and has answered.
    retired
        Files that an earlier state named, and when they were replaced: readers may still have them open.
    facts
        What the source said about the instrument: time zone, calendar, currency.
    skew_ns
        This machine's clock minus the source's at the last pull; ``None`` where the source tells no time.
    pulled_ns
        When the last pull ended.
    generation
        Counts the states.
    """

    series: Series
    parts: tuple[Part, ...] = ()
    beside: Mapping[str, Part] = field(default_factory=dict)
    covered: tuple[Span, ...] = ()
    retired: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    skew_ns: int | None = None
    pulled_ns: int | None = None
    generation: int = 0

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes(self) -> int:
        """Bytes of all files that belong to the series now."""
        return sum(part.bytes for part in (*self.parts, *self.beside.values()))

    @property
    def first_ns(self) -> int | None:
        """Time stamp of the first row."""
        return self.parts[0].first_ns if self.parts else None

    @property
    def last_ns(self) -> int | None:
        """Time stamp of the last row: the watermark, for only closed bars are stored."""
        return self.parts[-1].last_ns if self.parts else None

    def save(self, folder: Path) -> Manifest:
        """Make this the state of the series; returns it with its number.

        Raises
        ------
        OutputError
            The file cannot be written; the old state stands.
        """
        saved = replace(self, generation=self.generation + 1)
        body = json.dumps(saved._plain(), indent=1, sort_keys=True)
        write_atomic(folder / NAME, json.dumps({"sha256": sha256_hex(body.encode())}) + "\n" + body + "\n")
        return saved

    def _plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "series": asdict(self.series),
            "parts": [asdict(part) for part in self.parts],
            "beside": {name: asdict(part) for name, part in self.beside.items()},
            "covered": [list(span) for span in self.covered],
            "retired": dict(self.retired),
            "facts": dict(self.facts),
            "skew_ns": self.skew_ns,
            "pulled_ns": self.pulled_ns,
            "generation": self.generation,
        }


def load_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a series; ``None`` where there is none.

    Raises
    ------
    DataError
        It is damaged, or of a format that this release does not know.
    """
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    head, _, body = text.partition("\n")
    try:
        if json.loads(head)["sha256"] != sha256_hex(body.rstrip("\n").encode()):
            raise _damaged(path, "its checksum does not hold")
        plain = json.loads(body)
        if plain["format"] != FORMAT:
            raise DataError(
                f"{path} has a format of another release", seen=plain["format"], hint="upgrade grn"
            )
        return Manifest(
            series=Series(**plain["series"]),
            parts=tuple(Part(**part) for part in plain["parts"]),
            beside={name: Part(**part) for name, part in plain["beside"].items()},
            covered=tuple((begin, end) for begin, end in plain["covered"]),
            retired=plain["retired"],
            facts=plain["facts"],
            skew_ns=plain["skew_ns"],
            pulled_ns=plain["pulled_ns"],
            generation=plain["generation"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"the manifest {path} is damaged",
        seen=reason,
        hint="grn quant repair builds it again from the files beside it",
    )
