"""What a damaged series can be mended from: its own files, each of which says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import polars as pl

from grn.kit.files import lock, sha256_hex
from grn.quant.lake.manifest import Manifest, Part
from grn.quant.lake.parquet import SUFFIX, about, fault_of
from grn.quant.lake.store import LOCK, Store


def rebuild(store: Store, wait_s: float) -> Manifest:
    """Make a manifest from the files alone: each verified by the digest in its name, the newest first.

    What was known besides is lost, most of all which time was covered: the next pull asks for all of it.

    Raises
    ------
    UsageError
        Another process still writes this series after `wait_s`.
    """
    with lock(store.folder / LOCK, timeout_s=wait_s):
        return _rebuild(store)


def _rebuild(store: Store) -> Manifest:
    found: list[tuple[int, Part, str]] = []
    for path in sorted(store.folder.glob(f"*{SUFFIX}")):
        said = about(path)
        if said is None or said.get("series") != asdict(store.series):
            continue
        group, _, digits = path.stem.rpartition("-")
        data = path.read_bytes()
        frame = pl.read_parquet(path, columns=["ts"])
        part = replace(_part(path, group, frame, data), name=path.name)
        if part.sha256.startswith(digits) and frame.height:
            found.append((int(said["generation"]), part, str(said["table"])))
    parts: list[Part] = []
    beside: dict[str, Part] = {}
    for _, part, table in sorted(found, key=lambda item: (-item[0], item[1].name)):
        if table != store.kind.name:
            beside.setdefault(table, part)
        elif all(part.last_ns < other.first_ns or part.first_ns > other.last_ns for other in parts):
            parts.append(part)
    return Manifest(
        store.series, parts=tuple(sorted(parts, key=lambda part: part.first_ns)), beside=beside
    ).save(store.folder)


def damaged_parts(store: Store, manifest: Manifest) -> Iterator[tuple[str, Part, str]]:
    """Yield every file whose bytes are not those that were written: table, part, what is wrong."""
    for table, part in (
        *((store.kind.name, part) for part in manifest.parts),
        *manifest.beside.items(),
    ):
        fault = fault_of(store.folder, part)
        if fault is not None:
            yield table, part, fault


def _part(path: Path, group: str, frame: pl.DataFrame, data: bytes) -> Part:
    stamps = frame["ts"].to_physical()
    first, last = (int(stamps[0]), int(stamps[-1])) if frame.height else (0, 0)
    return Part(path.name, group, frame.height, len(data), first, last, sha256_hex(data))
