"""Files of a series: whole, unique, disjoint, verified, and read while they are replaced."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from grn.kit.clock import FixedClock
from grn.kit.errors import BudgetError, DataError, OutputError
from grn.quant.lake import room as room_module
from grn.quant.lake.holdings import Lake
from grn.quant.lake.mend import damaged_parts, rebuild
from grn.quant.lake.series import Series, find_series
from grn.quant.lake.spans import minus, union, within
from grn.quant.lake.store import Merged, Store

NS = 10**9
DAY = 86_400
BARS = Series("bars", "ccxt:binance", "BTC/USDT", "1m")


def bars(seconds: list[int], close: float = 10.0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": pl.Series([s * NS for s in seconds]).cast(pl.Datetime("ns", "UTC")),
            **{name: [close] * len(seconds) for name in ("open", "high", "low", "close")},
            "volume": [1.0] * len(seconds),
        }
    )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(1_700_000_000 * NS)


@pytest.fixture
def lake(tmp_path: Path, clock: FixedClock) -> Lake:
    return Lake(tmp_path, clock=clock)


def add(store: Store, rows: pl.DataFrame, *, rtol: float = 0.0) -> Merged:
    with store.writing(1.0) as writer:
        done = writer.merge(rows, rtol=rtol)
        writer.commit()
    return done


def test_rows_are_added_compared_and_revised(lake: Lake, clock: FixedClock) -> None:
    """New keys are added, equal rows are no news, other values replace the old and leave a record of them."""
    store = lake.store(BARS)
    assert add(store, bars([0, 60, 120])) == Merged(3, 0)
    assert add(store, bars([60, 120])) == Merged(0, 0)
    generation = store.manifest().generation
    clock.advance(5)
    assert add(store, bars([120, 180], close=11.0)) == Merged(1, 1)
    assert store.manifest().generation == generation + 1
    rows = store.scan(store.manifest()).collect()
    assert rows["close"].to_list() == [10.0, 10.0, 11.0, 11.0]
    revisions = store.table(store.manifest(), "revisions")
    assert revisions["field"].sort().to_list() == ["close", "high", "low", "open"]
    assert revisions["was"].unique().to_list() == [10.0]
    assert revisions["now"].unique().to_list() == [11.0]
    assert revisions["seen"].to_physical().unique().to_list() == [1_700_000_005 * NS]


def test_single_precision_is_no_revision(lake: Lake) -> None:
    """Within the source's own precision the first value stays, and volumes may differ by one share."""
    store = lake.store(BARS)
    add(store, bars([0]))
    other = bars([0], close=10.0 * (1 + 5e-7)).with_columns(volume=pl.lit(1.9))
    assert add(store, other, rtol=1e-6) == Merged()
    assert add(store, bars([0], close=10.0 * (1 + 5e-6)), rtol=1e-6) == Merged(0, 1)


def test_what_is_not_committed_was_never_there(lake: Lake) -> None:
    """A writer that fails leaves the old state, and no file of the new one."""
    store = lake.store(BARS)
    add(store, bars([0, 60]))
    files = sorted(path.name for path in store.folder.iterdir())
    with store.writing(1.0) as writer:
        writer.merge(bars([120]))
    with pytest.raises(DataError), store.writing(1.0) as writer:
        writer.merge(pl.concat([bars([120, 180]), bars([40 * DAY]), bars([40 * DAY], close=2.0)]))
    assert sorted(path.name for path in store.folder.iterdir()) == files
    assert store.manifest().rows == 2


def test_a_reader_keeps_what_it_opened(lake: Lake, clock: FixedClock) -> None:
    """A lazy frame reads the state of its moment for a day, whatever is written; then the files go."""
    store = lake.store(BARS)
    add(store, bars([0, 60]))
    before = lake.bars("BTC/USDT", "1m")
    add(store, bars([60], close=12.0))
    assert before.collect()["close"].to_list() == [10.0, 10.0]
    assert lake.bars("BTC/USDT", "1m").collect()["close"].to_list() == [10.0, 12.0]
    clock.advance(DAY + 1)
    add(store, bars([240]))
    named = {part.name for part in (*store.manifest().parts, *store.manifest().beside.values())}
    assert {path.name for path in store.folder.glob("*.parquet")} == named


def test_strangers_in_the_folder_are_cleared_by_the_next_writer(lake: Lake) -> None:
    """Parts and temporary files that no manifest names come from a writer that was killed."""
    store = lake.store(BARS)
    add(store, bars([0]))
    (store.folder / "1970-01-0123456789abcdef.parquet").write_bytes(b"half")
    (store.folder / ".grn-0123.tmp").write_bytes(b"half")
    (store.folder / "notes.txt").write_text("mine")
    add(store, bars([60]))
    names = {path.name for path in store.folder.iterdir()}
    assert "1970-01-0123456789abcdef.parquet" not in names
    assert ".grn-0123.tmp" not in names
    assert "notes.txt" in names


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_writing_gives_the_same_rows(lake: Lake, seed: int) -> None:
    """Random overlapping batches, compacted now and then, equal a dictionary; parts stay disjoint."""
    dice, store, model = random.Random(seed), lake.store(BARS), {}
    for step in range(25):
        start = dice.randrange(0, 200) * 86_400 * 7
        seconds = sorted({start + dice.randrange(0, 3000) * 60 for _ in range(dice.randint(1, 40))})
        add(store, bars(seconds, close=float(step)))
        model |= dict.fromkeys(seconds, float(step))
        if dice.random() < 0.2:
            with store.writing(1.0) as writer:
                writer.compact(most=1)
                writer.commit()
    manifest = store.manifest()
    rows = store.scan(manifest).collect()
    assert (rows["ts"].to_physical() // NS).to_list() == sorted(model)
    assert rows["close"].to_list() == [model[second] for second in sorted(model)]
    pairs = list(pairwise(manifest.parts))
    assert all(left.last_ns < right.first_ns for left, right in pairs)
    assert manifest.rows == len(model)


def test_files_are_zstandard_with_statistics(lake: Lake) -> None:
    """As another program reads the footer (DuckDB 1.5): codec, and least and greatest time per row group."""
    duckdb = pytest.importorskip("duckdb")
    store = lake.store(BARS)
    add(store, bars(list(range(0, 600, 60))))
    (part,) = store.manifest().parts
    facts = duckdb.sql(
        "select path_in_schema, compression, stats_min_value, stats_max_value "
        f"from parquet_metadata('{store.folder / part.name}')"
    ).fetchall()
    assert {row[1] for row in facts} == {"ZSTD"}
    ((_, _, low, high),) = [row for row in facts if row[0] == "ts"]
    assert (low, high) == ("1970-01-01 00:00:00+00", "1970-01-01 00:09:00+00")


def test_only_files_of_the_time_asked_for_are_opened(lake: Lake) -> None:
    """A span prunes files by the manifest."""
    store = lake.store(BARS)
    add(store, bars([0, 40 * DAY, 80 * DAY]))
    plan = store.scan(store.manifest(), (39 * DAY * NS, 41 * DAY * NS)).explain()
    assert "1970-02" in plan
    assert "1970-01-" not in plan.replace("1970-01-01", "")
    assert "1970-03" not in plan


def test_a_damaged_file_is_found_by_its_digest(lake: Lake) -> None:
    """One flipped bit, a missing file, a truncated one: each is named with what is wrong."""
    store = lake.store(BARS)
    add(store, bars([0, 40 * DAY, 80 * DAY]))
    first, second, third = store.manifest().parts
    data = bytearray((store.folder / first.name).read_bytes())
    data[len(data) // 2] ^= 1
    (store.folder / first.name).write_bytes(data)
    (store.folder / second.name).unlink()
    (store.folder / third.name).write_bytes(b"PAR1")
    found = {part.name: fault for _, part, fault in damaged_parts(store, store.manifest())}
    assert found == {
        first.name: "the file is not the one that was written: its SHA-256 differs",
        second.name: "the file is missing",
        third.name: "the file is not the one that was written: its SHA-256 differs",
    }


@pytest.mark.parametrize("damage", ["", "{}\n{}", "flip", "not json"])
def test_a_damaged_manifest_is_no_empty_series(lake: Lake, damage: str) -> None:
    """It is refused with what to do, and made again from the files."""
    store = lake.store(BARS)
    add(store, bars([0, 40 * DAY]))
    add(store, bars([0], close=12.0))
    path = store.folder / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace('"rows": 1', '"rows": 2') if damage == "flip" else damage)
    with pytest.raises(DataError, match="is damaged") as caught:
        store.manifest()
    assert "grn quant repair" in str(caught.value.hint)
    made = rebuild(store, 1.0)
    assert store.scan(made).collect()["close"].to_list() == [12.0, 10.0]
    assert store.table(made, "revisions").height == 4
    assert store.manifest() == made


def test_a_manifest_of_a_newer_release_is_refused(lake: Lake) -> None:
    """Format 2 is not guessed at."""
    from grn.kit.files import sha256_hex

    store = lake.store(BARS)
    add(store, bars([0]))
    path = store.folder / "manifest.json"
    body = path.read_text().partition("\n")[2].rstrip("\n").replace('"format": 1', '"format": 2')
    path.write_text(json.dumps({"sha256": sha256_hex(body.encode())}) + "\n" + body + "\n")
    with pytest.raises(DataError, match="another release"):
        store.manifest()


def test_room_is_asked_for_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk and a spent quota refuse before anything is written; what is there stays."""
    small = Lake(tmp_path, quota_gib=1e-6, clock=FixedClock(0))
    with pytest.raises(BudgetError, match="would not fit the lake's quota"):
        add(small.store(BARS), bars([0]))
    full = Lake(tmp_path, clock=FixedClock(0))
    usage = type("usage", (), {"free": 1 << 20})
    monkeypatch.setattr(room_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="has no room for"):
        add(full.store(BARS), bars([0]))
    assert not list(tmp_path.rglob("*.parquet"))


def test_series_have_folders_of_their_own(tmp_path: Path) -> None:
    """Symbols with slashes, dots and carets come back as they were; none leaves the lake's folder."""
    symbols = ["BTC/USDT", "^GSPC", "BRK.B", "..", ".", "a b", "EURUSD=X", "ÖBB", "%2F", "BTC/USDT:USDT"]
    made = [Series("bars", "yfinance", symbol, "1d") for symbol in symbols]
    folders = {one.folder(tmp_path) for one in made}
    assert len(folders) == len(symbols)
    for one in made:
        folder = one.folder(tmp_path)
        assert folder.resolve().is_relative_to(tmp_path)
        assert len(folder.relative_to(tmp_path).parts) == 4
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()
    assert sorted(one.symbol for one in find_series(tmp_path)) == sorted(symbols)


def test_spans_are_sets() -> None:
    """Union, difference and cut, against sets of whole numbers over 300 random cases."""
    dice = random.Random(7)

    def some() -> list[tuple[int, int]]:
        return [(a := dice.randrange(40), a + dice.randrange(8)) for _ in range(dice.randrange(6))]

    def points(spans: list[tuple[int, int]]) -> set[int]:
        return {x for a, b in spans for x in range(a, b)}

    for _ in range(300):
        left, right, bounds = some(), some(), (dice.randrange(20), 20 + dice.randrange(20))
        for got, want in (
            (union(left), points(left)),
            (minus(left, right), points(left) - points(right)),
            (within(left, bounds), points(left) & set(range(*bounds))),
        ):
            assert points(got) == want
            assert all(a < b for a, b in got)
            assert all(x[1] < y[0] for x, y in pairwise(got))
