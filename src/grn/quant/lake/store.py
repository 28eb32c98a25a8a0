"""One series on the disk: many readers, one writer, and every change all or nothing.

A writer holds the series' lock, writes new files beside the old ones, and then replaces the manifest. Files
that are no longer named stay for a day, so that a reader who opened them an hour ago can still read them.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from grn.kit.clock import Clock
from grn.kit.errors import DataError, UsageError
from grn.kit.files import lock, make_dir
from grn.quant.lake.interval import DAY_NS
from grn.quant.lake.kinds import ACTIONS, GAPS, REVISIONS, Kind, kind_of, partition
from grn.quant.lake.manifest import Manifest, Part, load_manifest
from grn.quant.lake.parquet import SUFFIX, encode, read_part, scan, write_part
from grn.quant.lake.room import Room
from grn.quant.lake.series import Series
from grn.quant.lake.spans import Span, minus, union

LOCK: Final = "lock"
_TABLES: Final[Mapping[str, Kind]] = {"actions": ACTIONS, "revisions": REVISIONS, "gaps": GAPS}
_KEEP_NS: Final = DAY_NS
_MOST_PARTS: Final = 8
"""Parts that a group may have before they are made one."""


@dataclass(frozen=True)
class Merged:
    """What adding rows did.

    Attributes
    ----------
    added
        Rows whose key was new.
    revised
        Rows whose key was there with other values, which were recorded and replaced.
    """

    added: int = 0
    revised: int = 0

    def __add__(self, other: Merged) -> Merged:
        return Merged(self.added + other.added, self.revised + other.revised)


class Store:
    """The files of one series.

    Parameters
    ----------
    root
        The lake's folder.
    series
        Which one.
    clock
        For the moments that are recorded.
    room
        What may be written.
    """

    def __init__(self, root: Path, series: Series, clock: Clock, room: Room) -> None:
        self.series = series
        self.kind = kind_of(series.kind)
        self.folder = series.folder(root)
        self.room = room
        self._clock = clock

    def manifest(self) -> Manifest:
        """Read the state of the series; an empty one where nothing was written yet."""
        return load_manifest(self.folder) or Manifest(self.series)

    def scan(self, manifest: Manifest, bounds: Span | None = None) -> pl.LazyFrame:
        """Open the rows lazily: of the files, only those that can hold rows in `bounds`."""
        low, high = bounds or (-(2**63), 2**63 - 1)
        paths = [
            self.folder / part.name for part in manifest.parts if part.first_ns < high and part.last_ns >= low
        ]
        if not paths:
            return self.kind.empty().lazy()
        frame = scan(paths, self.kind).set_sorted("ts")
        if bounds is None:
            return frame
        stamp = pl.col("ts")
        return frame.filter(stamp >= _literal(low), stamp < _literal(high))

    def table(self, manifest: Manifest, name: str) -> pl.DataFrame:
        """Read a table beside the rows: ``actions``, ``revisions`` or ``gaps``."""
        kind = _TABLES[name]
        part = manifest.beside.get(name)
        return kind.empty() if part is None else read_part(self.folder, part, kind)

    @contextlib.contextmanager
    def writing(self, wait_s: float) -> Iterator[Writer]:
        """Be the one writer for the length of a ``with`` block.

        Raises
        ------
        UsageError
            Another process still writes this series after `wait_s`.
        OutputError
            The folder cannot be created or written.
        """
        make_dir(self.folder)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(lock(self.folder / LOCK, timeout_s=wait_s))
            except UsageError as error:
                raise UsageError(
                    f"another process is writing {self.series}",
                    seen=f"waited {wait_s:g} s",
                    hint="let it finish, or wait longer with --wait",
                ) from error
            writer = Writer(self, self._clock)
            writer.tidy()
            try:
                yield writer
            except BaseException:
                writer.manifest = self.manifest()
                writer.tidy()  # files of what was never committed
                raise


class Writer:
    """What the one writer of a series may do. Made by :meth:`Store.writing`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.manifest = self._saved = store.manifest()
        self._clock = clock
        self._revisions: list[pl.DataFrame] = []

    def merge(self, rows: pl.DataFrame, *, rtol: float = 0.0) -> Merged:
        """Add rows; where the key is there already the new values count, and the old ones are recorded.

        Nothing is visible to readers before :meth:`commit`.

        Parameters
        ----------
        rows
            Of the kind's schema, every key once.
        rtol
            Relative difference up to which two values are the same: a source that computes in single
            precision gives other last digits each time.

        Raises
        ------
        DataError
            A key occurs twice, or a part that has to be read is damaged.
        """
        kind = self.store.kind
        rows = kind.sort(kind.fit(rows))
        if rows.is_empty():
            return Merged()
        if rows.select(pl.struct(kind.key).is_duplicated().any()).item():
            raise DataError(f"rows for {self.store.series} repeat a key", seen=", ".join(kind.key))
        done = Merged()
        named = rows.with_columns(partition(kind, self.store.series.interval).alias("group"))
        for (group,), piece in named.partition_by("group", as_dict=True, maintain_order=True).items():
            done += self._merge_group(str(group), piece.drop("group"), rtol)
        return done

    def commit(
        self,
        *,
        covered: Sequence[Span] = (),
        actions: pl.DataFrame | None = None,
        gaps: pl.DataFrame | None = None,
        facts: Mapping[str, str] | None = None,
        skew_ns: int | None = None,
        pulled: bool = False,
    ) -> None:
        """Make everything since the last commit visible, in one step."""
        if self._revisions:
            old = self.store.table(self.manifest, "revisions")
            self._put_beside("revisions", pl.concat([old, *self._revisions]))
            self._revisions.clear()
        if actions is not None:
            self._put_beside("actions", actions)
        if gaps is not None:
            self._put_beside("gaps", gaps)
        now_ns = self._clock.now_ns()
        manifest = replace(
            self.manifest,
            covered=tuple(union([*self.manifest.covered, *covered])),
            facts={**self.manifest.facts, **(facts or {})},
            skew_ns=self.manifest.skew_ns if skew_ns is None else skew_ns,
            pulled_ns=now_ns if pulled else self.manifest.pulled_ns,
        )
        self.manifest = manifest
        if manifest != self._saved or not manifest.generation:
            self.save()

    def save(self) -> None:
        """Make the manifest as it is the state of the series."""
        self.manifest = self._saved = self.manifest.save(self.store.folder)

    def drop(self, part: Part) -> None:
        """Take a part out, and forget that its time was covered, so that it is fetched again."""
        self._set_parts(replaced=[part], new=[])
        hole = (part.first_ns, part.last_ns + 1)
        self.manifest = replace(self.manifest, covered=tuple(minus(self.manifest.covered, [hole])))

    def compact(self, most: int = _MOST_PARTS) -> int:
        """Make one part of every group that has more than `most`; returns how many files fewer there are."""
        before = len(self.manifest.parts)
        for group, parts in itertools.groupby(self.manifest.parts, key=lambda part: part.group):
            several = list(parts)
            if len(several) > most:
                self._replace(group, several, self._read(several))
        return before - len(self.manifest.parts)

    def tidy(self) -> None:
        """Remove what no state names: files of a writer that was killed, and replaced ones after a day."""
        manifest, folder = self.manifest, self.store.folder
        now_ns = self._clock.now_ns()
        old = {name for name, since_ns in manifest.retired.items() if not 0 <= now_ns - since_ns < _KEEP_NS}
        named = {part.name for part in (*manifest.parts, *manifest.beside.values())}
        known = named | (manifest.retired.keys() - old)
        if old:
            # Forgotten first: a name that leads nowhere is worse than a file that nobody names.
            kept = {name: since_ns for name, since_ns in manifest.retired.items() if name not in old}
            self.manifest = replace(manifest, retired=kept)
            self.save()
        for path in folder.iterdir():
            stray = path.suffix == SUFFIX and path.name not in known
            if stray or (path.name.startswith(".grn-") and path.suffix == ".tmp"):
                path.unlink(missing_ok=True)

    def _merge_group(self, group: str, rows: pl.DataFrame, rtol: float) -> Merged:
        kind = self.store.kind
        stamps = rows["ts"].to_physical()
        low, high = int(stamps[0]), int(stamps[-1])
        touched = [
            part
            for part in self.manifest.parts
            if part.group == group and part.first_ns <= high and part.last_ns >= low
        ]
        if not touched:
            self._replace(group, [], rows)
            return Merged(added=rows.height)
        old = self._read(touched)
        fresh = rows.join(old, on=kind.key, how="anti", nulls_equal=True)
        changed = self._changed(old, rows, rtol)
        noted = self._noted(old, rows)
        if fresh.is_empty() and changed.is_empty() and noted.is_empty():
            return Merged()
        renewed = pl.concat([changed.select(kind.key), noted]).unique()
        rest = old.join(renewed, on=kind.key, how="anti", nulls_equal=True)
        replaced = rows.join(renewed, on=kind.key, how="semi", nulls_equal=True)
        if kind.notes:
            # What was noted first stays.
            replaced = replaced.join(
                old.select(*kind.key, *kind.notes), on=kind.key, how="left", nulls_equal=True, suffix="_was"
            )
            replaced = kind.fit(
                replaced.with_columns(pl.coalesce(f"{n}_was", n).alias(n) for n in kind.notes)
            )
        # New rows may close the space between parts that were apart: what they span becomes one part.
        self._replace(group, touched, kind.sort(pl.concat([rest, replaced, fresh])))
        return Merged(added=fresh.height, revised=changed.height)

    def _changed(self, old: pl.DataFrame, new: pl.DataFrame, rtol: float) -> pl.DataFrame:
        """Keys whose values differ; each difference is noted as a revision."""
        kind = self.store.kind
        both = old.join(new, on=kind.key, how="inner", suffix="_now", nulls_equal=True)
        differs = {name: _differs(name, kind.columns[name], rtol) for name in kind.values}
        changed = both.filter(pl.any_horizontal(*differs.values()))
        if changed.is_empty():
            return changed
        seen = pl.lit(self._clock.now_ns()).cast(REVISIONS.columns["seen"])
        for name in kind.values:
            numeric = kind.columns[name].is_numeric()
            self._revisions.append(
                changed.filter(differs[name]).select(
                    "ts",
                    pl.lit(name).alias("field"),
                    seen.alias("seen"),
                    (pl.col(name) if numeric else pl.lit(None, pl.Float64)).alias("was"),
                    (pl.col(f"{name}_now") if numeric else pl.lit(None, pl.Float64)).alias("now"),
                )
            )
        return changed

    def _noted(self, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        """Keys of rows of which something becomes known that is no value: when they were received."""
        kind = self.store.kind
        if not kind.notes:
            return old.select(kind.key).clear()
        both = old.join(new, on=kind.key, how="inner", suffix="_now", nulls_equal=True)
        fresh = (pl.col(name).is_null() & pl.col(f"{name}_now").is_not_null() for name in kind.notes)
        return both.filter(pl.any_horizontal(*fresh)).select(kind.key)

    def _read(self, parts: Sequence[Part]) -> pl.DataFrame:
        return pl.concat([read_part(self.store.folder, part, self.store.kind) for part in parts])

    def _replace(self, group: str, old: Sequence[Part], rows: pl.DataFrame) -> None:
        data = encode(rows, self._about(self.store.kind.name))
        self.store.room.ask(len(data), f"{len(data):,} bytes of {self.store.series}")
        self._set_parts(old, [write_part(self.store.folder, group, rows, data)])

    def _set_parts(self, replaced: Sequence[Part], new: Sequence[Part]) -> None:
        gone = {part.name for part in replaced} - {part.name for part in new}
        parts = [part for part in self.manifest.parts if part.name not in gone]
        now_ns = self._clock.now_ns()
        self.manifest = replace(
            self.manifest,
            parts=tuple(sorted((*parts, *new), key=lambda part: part.first_ns)),
            retired={**self.manifest.retired, **dict.fromkeys(sorted(gone), now_ns)},
        )

    def _put_beside(self, name: str, table: pl.DataFrame) -> None:
        kind = _TABLES[name]
        table = kind.sort(kind.fit(table))
        old = self.manifest.beside.get(name)
        if table.equals(self.store.table(self.manifest, name)):
            return
        beside = {key: part for key, part in self.manifest.beside.items() if key != name}
        if not table.is_empty():
            beside[name] = write_part(self.store.folder, name, table, encode(table, self._about(name)))
        retired = dict(self.manifest.retired)
        if old is not None and old.name not in {part.name for part in beside.values()}:
            retired[old.name] = self._clock.now_ns()
        self.manifest = replace(self.manifest, beside=beside, retired=retired)

    def _about(self, table: str) -> dict[str, object]:
        return {
            "series": asdict(self.store.series),
            "table": table,
            "generation": self.manifest.generation + 1,
        }


def _differs(name: str, dtype: pl.DataType, rtol: float) -> pl.Expr:
    was, now = pl.col(name), pl.col(f"{name}_now")
    if rtol and dtype.is_numeric():
        # Volumes are whole numbers scaled by split ratios: one unit either way is rounding.
        slack = pl.max_horizontal(was.abs(), now.abs()) * rtol + (1.0 if name == "volume" else 0.0)
        return ((was - now).abs() > slack).fill_null(value=False) | (was.is_null() != now.is_null())
    return was.ne_missing(now)


def _literal(ts_ns: int) -> pl.Expr:
    return pl.lit(ts_ns).cast(pl.Datetime("ns", "UTC"))
