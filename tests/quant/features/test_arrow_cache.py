from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from grn.kit.errors import DataError, MissingExtraError, OutputError, UsageError
from grn.quant import load_bars
from grn.quant.features import arrow_cache
from grn.quant.features.arrow_cache import map_arrow
from grn.quant.features.bars import time_bars
from tests.quant.features.markets import published_trades, tape


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Parquet file of trades."""
    path = tmp_path / "trades.parquet"
    tape(published_trades()).collect().write_parquet(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_built_once_and_found_again(source: Path, folder: Path) -> None:
    """The first call writes, the second finds; the rows are those of the pipeline."""
    bars = time_bars(pl.scan_parquet(source), "1m")
    first, second = (map_arrow("bars", bars, [source], folder=folder) for _ in range(2))
    assert (first.built, second.built) == (True, False)
    assert first.path == second.path
    assert second.frame.equals(bars.collect())
    assert second.lazy().select(pl.len()).collect().item() == bars.collect().height


def test_rebuilt_when_anything_changes(source: Path, folder: Path) -> None:
    """A changed source, query, setting of a builder or layout builds anew; one file is left."""

    def built(frame: pl.LazyFrame, rows: int | None = None) -> bool:
        return map_arrow("x", frame, [source], folder=folder, rows_per_batch=rows).built

    def trades() -> pl.LazyFrame:
        return pl.scan_parquet(source)

    assert built(trades())
    assert not built(trades())
    assert built(trades().filter(pl.col("price") > 100))
    assert built(time_bars(trades(), "1m"))
    assert not built(time_bars(trades(), "1m"))
    assert built(time_bars(trades(), "2m"))
    assert built(time_bars(trades(), "2m", signs="tick_rule"))
    assert built(time_bars(trades().filter(pl.col("price") > 100), "2m", signs="tick_rule"))
    assert built(trades())
    assert built(trades(), 100)
    # As the lake does it: a new file takes the old one's name. Even with equal size and time of change.
    status = source.stat()
    new = source.with_name("new.parquet")
    new.write_bytes(source.read_bytes())
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(source)
    assert built(trades(), 100)
    assert not built(trades(), 100)
    assert len(list(folder.glob("*.arrow"))) == 1
    assert not list(folder.glob("*.tmp"))


def test_another_process_finds_it(source: Path, folder: Path) -> None:
    """Its identity is the same in every process."""
    map_arrow("bars", time_bars(pl.scan_parquet(source), "1m"), [source], folder=folder)
    code = (
        "import sys, polars as pl; from pathlib import Path\n"
        "from grn.quant.features.arrow_cache import map_arrow\n"
        "from grn.quant.features.bars import time_bars\n"
        "source, folder = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "bars = time_bars(pl.scan_parquet(source), '1m')\n"
        "print(map_arrow('bars', bars, [source], folder=folder).built)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, source, folder], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


def test_nothing_is_copied(source: Path, folder: Path) -> None:
    """Polars, NumPy and the engines' bars look at the same bytes, which may not be written."""
    mapped = map_arrow("bars", time_bars(pl.scan_parquet(source), "10s"), [source], folder=folder)
    view = mapped.array("close")
    assert not view.flags.owndata
    assert not view.flags.writeable
    assert np.shares_memory(view, mapped.frame["close"].to_numpy(allow_copy=False))
    assert np.shares_memory(view, mapped.lazy().select("ts", "close").collect()["close"].to_numpy())
    (bars,) = load_bars(mapped.lazy(), needs=["close", "volume"])
    assert np.shares_memory(view, bars.column("close"))
    assert np.shares_memory(mapped.array("volume"), bars.column("volume"))
    assert mapped.array("ts").dtype == np.int64
    assert mapped.array("ts").tolist() == bars.ts_ns.tolist()


def test_what_is_no_view_says_so(source: Path, folder: Path) -> None:
    """Text, missing values, batches and unknown columns are refused as arrays, and readable as a frame."""
    frame = pl.scan_parquet(source).with_columns(gap=pl.lit(None, dtype=pl.Float64))
    mapped = map_arrow("x", frame, [source], folder=folder)
    for column in ("symbol", "gap", "nothing"):
        with pytest.raises(DataError, match=column if column != "nothing" else "no such column"):
            mapped.array(column)
    batched = map_arrow("y", frame, [source], folder=folder, rows_per_batch=100)
    with pytest.raises(DataError, match="no view"):
        batched.array("price")
    assert batched.frame["price"].n_chunks() == 3
    assert batched.frame.equals(mapped.frame)


def test_a_mapped_file_outlives_its_replacement(source: Path, folder: Path) -> None:
    """Rows that are mapped stay as they were when the cache is built anew and the old file is removed."""
    old = map_arrow("x", pl.scan_parquet(source), [source], folder=folder)
    before = old.array("price").copy()
    tape(published_trades()[:7]).collect().write_parquet(source)
    new = map_arrow("x", pl.scan_parquet(source), [source], folder=folder)
    assert not old.path.exists()
    assert new.frame.height == 7
    assert np.array_equal(old.array("price"), before)


@pytest.mark.parametrize("damage", [b"", b"ARROW1\0\0 and no more"])
def test_a_damaged_file_is_built_anew(damage: bytes, source: Path, folder: Path) -> None:
    """A file that is no Arrow file any more does not stand in the way."""
    first = map_arrow("x", pl.scan_parquet(source), [source], folder=folder)
    first.path.write_bytes(damage)
    again = map_arrow("x", pl.scan_parquet(source), [source], folder=folder)
    assert again.built
    assert again.frame.height == 300


def test_an_empty_pipeline(source: Path, folder: Path) -> None:
    """No rows are rows too."""
    mapped = map_arrow("x", pl.scan_parquet(source).clear(), [source], folder=folder)
    assert mapped.frame.height == 0
    assert mapped.frame.schema == pl.scan_parquet(source).collect_schema()


def test_what_is_refused(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are paths, no sources, missing sources, and pyarrow that is not there."""
    frame = pl.scan_parquet(source)
    for name in ("../x", "", ".x", "a/b"):
        with pytest.raises(UsageError, match="no name"):
            map_arrow(name, frame, [source], folder=folder)
    with pytest.raises(UsageError, match="sources"):
        map_arrow("x", frame, [], folder=folder)
    with pytest.raises(UsageError, match="rows_per_batch"):
        map_arrow("x", frame, [source], rows_per_batch=0, folder=folder)
    with pytest.raises(DataError, match="source of the cache"):
        map_arrow("x", frame, [source.with_name("gone")], folder=folder)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError):
        map_arrow("x", frame, [source], folder=folder)


def test_nothing_half_written(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that fails, a folder that cannot be made and a disk without room leave no file behind."""
    odd = time_bars(pl.scan_parquet(source).with_columns(price=pl.lit(-1.0)), "1m")
    with pytest.raises(DataError, match="price"):
        map_arrow("x", odd, [source], folder=folder)
    broken = pl.scan_parquet(source).with_columns(pl.col("symbol").cast(pl.Int64))
    for rows in (None, 50):
        with pytest.raises(DataError, match="pipeline of the cache"):
            map_arrow("x", broken, [source], folder=folder, rows_per_batch=rows)
    with pytest.raises(OutputError):
        map_arrow("x", pl.scan_parquet(source), [source], folder=source / "below a file")
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(arrow_cache.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match="no room"):
        map_arrow("x", pl.scan_parquet(source), [source], folder=folder)
    assert [path.name for path in folder.iterdir()] == ["x.lock"]


def test_a_source_that_changes_while_it_is_read(source: Path, folder: Path) -> None:
    """What was read from a source in the middle of a change is not kept; it is read again, a few times."""
    reads = []

    def touch(rows: pl.DataFrame) -> pl.DataFrame:
        reads.append(1)
        if len(reads) < 2:
            os.utime(source)
        return rows

    frame = pl.scan_parquet(source).map_batches(touch)
    assert map_arrow("x", frame, [source], folder=folder).built
    assert len(reads) == 2

    def always(rows: pl.DataFrame) -> pl.DataFrame:
        os.utime(source)
        return rows

    with pytest.raises(DataError, match="changes while it is read"):
        map_arrow("y", pl.scan_parquet(source).map_batches(always), [source], folder=folder)
    assert not list(folder.glob("y~*"))
