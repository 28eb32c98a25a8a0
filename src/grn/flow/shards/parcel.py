"""What a shard is sent: the sweep as plain data, its bars by content, this package, a lock file.

=================  ===================================================================================
``sweep.json``     inputs, engine, versions, the probe of arithmetic
``data/…``         the columns that the sweep reads, one file a symbol, named by SHA-256
``package/grn``    this package's own files: what computes there is what would compute here
``packages.lock``  the versions of everything it imports, for clusters without an environment of their own
=================  ===================================================================================
"""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import grn.kit
from grn.flow.shards.arithmetic import probe_arithmetic
from grn.kit.canonical import canonical_json
from grn.kit.errors import ClusterError, DataError
from grn.kit.files import make_dir, sha256_hex, write_atomic
from grn.kit.versions import DISTRIBUTION, grn_version, versions
from grn.quant import record
from grn.quant.engine.grid import Lattice
from grn.quant.request import recall
from grn.quant.stream.chunks import Chunks
from grn.quant.stream.plan import Planned

FORMAT: Final = "grn.shards.1"
LOCK: Final = "packages.lock"
_SWEEP: Final = "sweep.json"
_UNLIKE: Final = ("cpu", "python")
"""Versions that may differ: processors are held to the probe, Python to its first two numbers."""


def pack(planned: Planned, folder: Path) -> None:
    """Write all that a shard needs into an empty folder."""
    request, names = planned.request, []
    make_dir(folder / "data")
    for bars in request.bars:
        data = record.pack_bars(bars, request.columns)
        names.append(sha256_hex(data))
        (folder / "data" / names[-1]).write_bytes(data)
    what = {
        "format": FORMAT,
        "inputs": request.inputs,
        "engine": request.choice.engine,
        "versions": versions(),
        "arithmetic": probe_arithmetic(),
        "data": names,
    }
    write_atomic(folder / _SWEEP, canonical_json(what))
    _copy_package(folder / "package")
    (folder / LOCK).write_text("".join(f"{name}=={version}\n" for name, version in pins()), encoding="utf-8")


def unpack(folder: Path) -> Planned:
    """The sweep in a folder, where everything that decides its bytes is as it was where it was packed.

    Raises
    ------
    ClusterError
        Other versions, or another arithmetic, than where it was packed.
    DataError
        The parcel is damaged, or of another release.
    """
    try:
        what: dict[str, Any] = json.loads((folder / _SWEEP).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError("the parcel of a sweep cannot be read", seen=f"{folder}: {error}") from error
    if what.get("format") != FORMAT:
        raise DataError("the parcel of a sweep is of another release", seen=what.get("format"))
    unlike = differing(what["versions"], versions())
    if unlike:
        raise ClusterError(
            "other versions than where the sweep was sent from, whose bytes may differ",
            seen="; ".join(unlike),
            hint="correct `environment` in clusters.toml, or leave it out: then one is made",
        )
    if what["arithmetic"] != probe_arithmetic():
        raise ClusterError(
            "this processor makes other last bits of logarithms and sums than the one that sent the sweep",
            seen=f"{versions()['cpu']}, not {what['versions'].get('cpu')}",
            hint="name a partition of other nodes, or run the sweep here",
        )
    bars = []
    for name, entry in zip(what["data"], what["inputs"]["data"], strict=True):
        data = (folder / "data" / name).read_bytes()
        bars.append(record.unpack_bars(data))
        if sha256_hex(data) != name or bars[-1].digest(entry["columns"]) != entry["digest"]:
            raise DataError("the data of a sweep arrived damaged", seen=f"{entry['symbol']}: {name[:12]}")
    request = recall(what["inputs"], tuple(bars), engine=what["engine"], command="shard")
    return Planned(request, Chunks(Lattice.of(request.strategy), int(request.inputs["grid"]["chunk"])))


def differing(there: dict[str, str | None], here: dict[str, str | None]) -> list[str]:
    """Versions that decide bytes and are not the same, each with both."""
    found = [
        f"{name} {here.get(name)}, not {version}"
        for name, version in there.items()
        if name not in _UNLIKE and here.get(name) != version
    ]
    python = [str(one.get("python")).rpartition(".")[0] for one in (here, there)]
    return found if python[0] == python[1] else [*found, f"Python {python[0]}, not {python[1]}"]


def pins() -> list[tuple[str, str]]:
    """What this package imports, with everything that this imports, as installed here: name and version."""
    found: dict[str, str] = {}
    open_names = [DISTRIBUTION]
    while open_names:
        name = open_names.pop()
        for line in metadata.requires(name) or ():
            needed = _normal(re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0])
            # Extras are not asked for; other markers (platform, Python) show in what is installed.
            if "extra ==" in line or needed in found:
                continue
            try:
                found[needed] = metadata.version(needed)
            except metadata.PackageNotFoundError:
                continue
            open_names.append(needed)
    return sorted(found.items())


def _copy_package(target: Path) -> None:
    source = Path(grn.kit.__file__).parents[1]
    for file in sorted(source.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            copy = target / "grn" / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    # Whoever asks for the version reads it here.
    info = target / f"{DISTRIBUTION.replace('-', '_')}-{grn_version()}.dist-info"
    make_dir(info)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {grn_version()}\n")


def _normal(name: str) -> str:
    """A distribution's name in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
