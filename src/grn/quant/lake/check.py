"""Looking a series over: is it what was written, is it whole, can its numbers be believed.

Two levels. *wrong*: something has to be done before anyone relies on the series. *look*: it may well be true,
and a person should know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from grn.kit.errors import DataError
from grn.quant.lake.book_check import check_book
from grn.quant.lake.calendars import ALWAYS, calendar_of
from grn.quant.lake.findings import LOOK, WRONG, Finding
from grn.quant.lake.gaps import MISSING, find_gaps
from grn.quant.lake.holdings import Lake
from grn.quant.lake.intake import is_recorded
from grn.quant.lake.interval import NS, is_daily, length_ns
from grn.quant.lake.journal import find_journals
from grn.quant.lake.kinds import TS
from grn.quant.lake.load import IMPORTED
from grn.quant.lake.manifest import Manifest
from grn.quant.lake.mend import damaged_parts
from grn.quant.lake.series import Series
from grn.quant.lake.store import Store

_SKEW_NS: Final = 5 * NS
_SPIKE: Final = 10.0
"""Robust standard deviations of a return that is an outlier if the next one undoes it."""
_JUMP: Final = 1.4
"""Overnight price ratio that wants an explanation."""
_SPLITS: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
_SPLIT_TOLERANCE: Final = 0.05


def check_series(lake: Lake, series: Series) -> list[Finding]:
    """Look one series over; what is wrong comes first."""
    store = lake.store(series)
    try:
        manifest = store.manifest()
    except DataError as error:
        return [Finding(series, WRONG, "manifest", None, 1, f"{error.what}: {error.seen}")]
    found = [
        Finding(series, WRONG, "checksum", part.first_ns, 1, f"{table} {part.name}: {fault}")
        for table, part, fault in damaged_parts(store, manifest)
    ]
    if not found and manifest.rows:
        found += _structure(store, manifest)
        found += _CHECKS.get(series.kind, _others)(store, manifest)
    found += _clock(store, manifest, lake)
    found += _journals(store)
    return sorted(found, key=lambda one: (one.level != WRONG, one.what, one.ts_ns or 0))


def _journals(store: Store) -> Iterator[Finding]:
    """Journals of a recorder that is no more."""
    waiting = [] if is_recorded(store) else find_journals(store.folder)
    if waiting:
        detail = f"a recording was cut off: {len(waiting)} journals wait for grn quant repair"
        yield Finding(store.series, WRONG, "journal", None, len(waiting), detail)


def _structure(store: Store, manifest: Manifest) -> Iterator[Finding]:
    """Rows counted, unique and in order; parts that do not overlap."""
    key = pl.struct(store.kind.key)
    facts = (
        store.scan(manifest)
        .select(
            rows=pl.len(),
            keys=key.n_unique(),
            back=(pl.col("ts").diff().dt.total_nanoseconds() < 0).sum(),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )
    repeated = facts["rows"] - facts["keys"]
    if repeated:
        yield Finding(store.series, WRONG, "order", None, repeated, f"{repeated} rows repeat a time stamp")
    if facts["back"] or facts["rows"] != manifest.rows:
        detail = (
            f"{facts['back']} rows go back in time; {facts['rows']} rows, {manifest.rows} in the manifest"
        )
        yield Finding(store.series, WRONG, "order", None, max(facts["back"], 1), detail)


def _bars(store: Store, manifest: Manifest) -> Iterator[Finding]:
    series = store.series
    bars = store.scan(manifest).collect()
    prices = pl.col("open", "high", "low", "close")
    bad = bars.filter(
        pl.any_horizontal(~(prices.is_finite() & (prices > 0)).fill_null(value=False))
        | (pl.col("high") < pl.max_horizontal("open", "low", "close"))
        | (pl.col("low") > pl.min_horizontal("open", "close"))
        | ~(pl.col("volume").is_finite() & (pl.col("volume") >= 0)).fill_null(value=False)
    )
    if bad.height:
        yield _summary(series, WRONG, "value", bad, "prices or volumes that cannot be")
    yield from _gaps(store, manifest)
    idle = bars.filter(pl.col("volume") == 0)
    if idle.height:
        yield _summary(series, LOOK, "zero volume", idle, "bars without volume")
    yield from _spikes(series, bars)
    if is_daily(str(series.interval)):
        yield from _jumps(store, manifest, bars)
    revisions = store.table(manifest, "revisions")
    if revisions.height:
        yield _summary(series, LOOK, "revised", revisions, "values that the source changed afterwards")


def _gaps(store: Store, manifest: Manifest) -> Iterator[Finding]:
    interval, facts = str(store.series.interval), manifest.facts
    calendar = calendar_of(facts.get("calendar"), interval, facts.get("timezone"))
    stamps = store.scan(manifest).select("ts").collect()["ts"].to_physical().to_numpy()
    # Found anew: what was put aside, or came from a file, is in no table yet.
    known = store.table(manifest, "gaps")
    gaps = find_gaps(calendar, stamps, list(manifest.covered), length_ns(interval), known)
    gaps = gaps.filter(pl.col("state") == MISSING)
    for begin, until, asked in gaps.select(
        pl.col("ts").to_physical(), pl.col("until").dt.strftime("%Y-%m-%dT%H:%M"), "asked"
    ).rows():
        times = "never asked for" if not asked else f"asked for {asked} times so far"
        yield Finding(store.series, WRONG, "gap", begin, 1, f"expected until {until}, {times}")
    if not manifest.facts.get("calendar"):
        detail = "hours of this market are not known: gaps cannot be told from closed days"
        yield Finding(store.series, LOOK, "gap", None, 0, detail)


def _spikes(series: Series, bars: pl.DataFrame) -> Iterator[Finding]:
    """Returns far outside the usual that the next bar undoes."""
    step = pl.col("close").log().diff()
    table = bars.select("ts", step=step, after=step.shift(-1))
    spread = table.select((pl.col("step") - pl.col("step").median()).abs().median() * 1.4826).item()
    if not spread:
        return
    undone = (pl.col("step") + pl.col("after")).abs() < 0.3 * pl.col("step").abs()
    odd = table.filter((pl.col("step").abs() > _SPIKE * spread) & undone)
    if odd.height:
        yield _summary(
            series, LOOK, "outlier", odd, f"closes more than {_SPIKE:g} deviations off for one bar"
        )


def _jumps(store: Store, manifest: Manifest, bars: pl.DataFrame) -> Iterator[Finding]:
    """Prices that change overnight as by a split, and no action says so."""
    actions = store.table(manifest, "actions")
    ratio = pl.col("close").shift(1) / pl.col("open")
    jumps = (
        bars.select("ts", ratio=ratio)
        .filter((pl.col("ratio") > _JUMP) | (pl.col("ratio") < 1 / _JUMP))
        .join(actions.select(pl.col("ts").cast(TS)).unique(), on="ts", how="anti")
    )
    for ts_ns, value in jumps.select(pl.col("ts").to_physical(), "ratio").rows():
        size = max(value, 1 / value)
        near = min(_SPLITS, key=lambda split: abs(split / size - 1))
        alike = abs(near / size - 1) < _SPLIT_TOLERANCE and manifest.facts.get("calendar") != ALWAYS
        kind = f"as by a split of {near:g}, which no action explains" if alike else "and no action says why"
        detail = f"the price changed {'down' if value > 1 else 'up'} by a factor of {size:.3g}, {kind}"
        yield Finding(store.series, WRONG if alike else LOOK, "jump", ts_ns, 1, detail)


def _others(store: Store, manifest: Manifest) -> Iterator[Finding]:
    """Trades and quotes: values; numbers without holes where the exchange counts its trades."""
    series = store.series
    rows = store.scan(manifest)
    names = [name for name in ("price", "amount", "bid", "ask") if name in store.kind.columns]
    bad = rows.filter(
        pl.any_horizontal(*(~(pl.col(n).is_finite() & (pl.col(n) > 0)).fill_null(value=False) for n in names))
    ).collect(engine="streaming")
    if bad.height:
        yield _summary(series, WRONG, "value", bad, "prices or amounts that cannot be")
    for since, until in (
        store.table(manifest, "gaps")
        .select(pl.col("ts").to_physical(), pl.col("until").dt.strftime("%Y-%m-%dT%H:%M:%S"))
        .rows()
    ):
        yield Finding(series, LOOK, "gap", since, 1, f"nobody listened until {until}")
    if manifest.facts.get("numbered") == "yes":
        step = pl.col("id").cast(pl.Int64).diff()
        holes = rows.select("ts", step=step).filter(pl.col("step") > 1).collect(engine="streaming")
        if holes.height:
            lost = int(holes["step"].sum()) - holes.height
            yield Finding(
                series,
                WRONG,
                "gap",
                int(holes["ts"].to_physical()[0]),
                lost,
                f"{lost} trades are missing by number",
            )


_CHECKS: Final[Mapping[str, Callable[[Store, Manifest], Iterator[Finding]]]] = MappingProxyType(
    {"bars": _bars, "book": check_book}
)


def _clock(store: Store, manifest: Manifest, lake: Lake) -> Iterator[Finding]:
    series = store.series
    if manifest.skew_ns is not None and abs(manifest.skew_ns) > _SKEW_NS:
        ahead = "ahead of" if manifest.skew_ns > 0 else "behind"
        detail = f"this machine's clock was {abs(manifest.skew_ns) / NS:.1f} s {ahead} {series.source}'s"
        yield Finding(series, WRONG, "skew", manifest.pulled_ns, 1, detail)
    if series.interval is None or manifest.last_ns is None or series.source == IMPORTED:
        return
    calendar = calendar_of(manifest.facts.get("calendar"), series.interval, manifest.facts.get("timezone"))
    end = calendar.closed_until(lake.clock.now_ns())
    late = calendar.expected(manifest.last_ns + 1, end)
    if late is not None and len(late):
        yield Finding(series, LOOK, "behind", int(late[0]), len(late), "closed bars that were not pulled yet")


def _summary(series: Series, level: str, what: str, rows: pl.DataFrame, detail: str) -> Finding:
    return Finding(
        series, level, what, int(rows["ts"].to_physical()[0]), rows.height, f"{rows.height:,} {detail}"
    )
