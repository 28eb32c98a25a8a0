"""Making a series right again: damaged files are put aside and fetched anew, gaps are asked for once more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from grn.kit.errors import DataError, MissingError
from grn.kit.files import make_dir
from grn.quant.lake.book import break_after
from grn.quant.lake.holdings import Lake
from grn.quant.lake.intake import recover_idle
from grn.quant.lake.load import IMPORTED
from grn.quant.lake.mend import damaged_parts, rebuild
from grn.quant.lake.pace import Sleep
from grn.quant.lake.pull import Failed, OnPage, Pulled, PullOptions, pull
from grn.quant.lake.series import Series
from grn.quant.lake.spans import Span
from grn.quant.lake.store import Writer

ASIDE: Final = "damaged"
"""Folder in a series' folder where files go whose bytes are not those that were written."""


@dataclass(frozen=True)
class Repaired:
    """What was done to one series.

    Attributes
    ----------
    series
        Which one.
    put_aside
        Names of files that were damaged.
    rebuilt
        Whether the manifest had to be made again.
    pulled
        What fetching gave; ``None`` where there is nothing to fetch from.
    """

    series: Series
    put_aside: tuple[str, ...]
    rebuilt: bool
    pulled: Pulled | Failed | None


def repair(
    lake: Lake,
    wanted: Sequence[Series],
    *,
    refetch: bool = False,
    wait_s: float = 10.0,
    on_page: OnPage | None = None,
    sleep: Sleep = asyncio.sleep,
) -> list[Repaired]:
    """Repair several series, one after the other.

    Parameters
    ----------
    refetch
        Fetch everything again and compare it: finds what a source changed long after the fact.
    """
    return [_repair(lake, series, refetch, wait_s, on_page, sleep) for series in wanted]


def _repair(
    lake: Lake, series: Series, refetch: bool, wait_s: float, on_page: OnPage | None, sleep: Sleep
) -> Repaired:
    store = lake.store(series)
    rebuilt = False
    try:
        before = store.manifest()
    except DataError:
        before, rebuilt = rebuild(store, wait_s), True
    whole: list[Span] = []
    if before.first_ns is not None and before.last_ns is not None and (refetch or rebuilt):
        whole = [(before.first_ns, before.last_ns + 1)]
    with store.writing(wait_s) as writer:
        put_aside = _put_aside(writer)
        if {"actions"} & set(put_aside.values()) and before.first_ns is not None:
            whole = [(before.first_ns, (before.last_ns or before.first_ns) + 1)]
    recover_idle(store, wait_s)
    names = tuple(put_aside)
    if series.kind == "book":
        lost = MissingError(
            f"{series} was recorded: what is damaged cannot be fetched again", seen=", ".join(names) or None
        )
        return Repaired(series, names, rebuilt, Failed(series, lost) if names else None)
    if series.source == IMPORTED:
        error = MissingError(
            f"{series} was imported: there is no source to fetch it from",
            seen=", ".join(names) or None,
            hint="grn quant import the file again",
        )
        return Repaired(series, names, rebuilt, Failed(series, error) if names else None)
    since = before.covered[0][0] if before.covered else before.first_ns
    options = PullOptions(since_ns=since, wait_s=wait_s, every_gap=True, again=whole)
    (pulled,) = pull(lake, [series], options, on_page=on_page, sleep=sleep)
    return Repaired(series, names, rebuilt, pulled)


def _put_aside(writer: Writer) -> dict[str, str]:
    """Move damaged files away and forget them; returns their names and tables."""
    store = writer.store
    found = list(damaged_parts(store, writer.manifest))
    for table, part, _ in found:
        path = store.folder / part.name
        if path.exists():
            make_dir(store.folder / ASIDE)
            path.rename(store.folder / ASIDE / part.name)
        if table == store.kind.name:
            writer.drop(part)
            if store.kind.name == "book":
                writer.merge(break_after(store, writer.manifest, part.first_ns))
        else:
            beside = {name: one for name, one in writer.manifest.beside.items() if name != table}
            writer.manifest = replace(writer.manifest, beside=beside)
    if found:
        retired = {
            name: since for name, since in writer.manifest.retired.items() if (store.folder / name).exists()
        }
        writer.manifest = replace(writer.manifest, retired=retired)
        writer.save()
    return {part.name: table for table, part, _ in found}
