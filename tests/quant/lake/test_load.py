"""Files of one's own: what is recognised, and what is refused with nothing taken."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from grn.kit.clock import FixedClock
from grn.kit.errors import DataError, GrnError, UsageError
from grn.quant.lake import load
from grn.quant.lake.holdings import Lake
from grn.quant.lake.load import LoadOptions, load_file
from grn.quant.lake.series import Series

HEADER = "Date,Open,High,Low,Close,Volume\n"
ROWS = ["2024-01-02,10,11,9,10,100", "2024-01-03,10,12,10,11,100", "2024-01-04,11,12,10,12,100"]
GOOD = HEADER + "\n".join(ROWS) + "\n"
MINE = LoadOptions(symbol="MINE")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", clock=FixedClock(10**18))


def write(tmp_path: Path, text: str, name: str = "mine.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_daily_bars_of_a_download(lake: Lake, tmp_path: Path) -> None:
    """Names are recognised in any case, the interval is the commonest step; the same again is no news."""
    (one,) = load_file(lake, write(tmp_path, GOOD), MINE)
    assert one.series == Series("bars", "import", "MINE", "1d")
    assert one.columns == {"ts": "Date", **{n.lower(): n for n in ("Open", "High", "Low", "Close", "Volume")}}
    assert (one.added, one.revised, one.repeated) == (3, 0, 0)
    assert lake.bars("MINE", "1d").collect()["close"].to_list() == [10.0, 11.0, 12.0]
    changed = GOOD.replace("11,12,10,12,100", "11,12.5,10,12,100") + ROWS[0] + "\n"
    (again,) = load_file(lake, write(tmp_path, changed), MINE)
    assert (again.added, again.revised, again.repeated) == (0, 1, 1)
    assert lake.revisions("MINE", "1d")["field"].to_list() == ["high"]


def test_klines_of_an_archive(lake: Lake, tmp_path: Path) -> None:
    """Milliseconds since 1970, several symbols, gzip: one series each."""
    rows = [f"{1_704_067_200_000 + n * 60_000},{s},1,1,1,1,5" for s in ("B/U", "A/U") for n in range(4)]
    path = tmp_path / "klines.csv.gz"
    text = "\n".join(["open_time,symbol,open,high,low,close,volume", *rows])
    path.write_bytes(gzip.compress(text.encode()))
    loaded = load_file(lake, path, LoadOptions())
    assert [str(one.series) for one in loaded] == ["import A/U 1m", "import B/U 1m"]
    stamps = lake.bars("B/U", "1m").collect()["ts"].to_physical()
    assert stamps[1] == 1_704_067_260 * 10**9


def test_trades_and_quotes_of_parquet(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds are told by their columns; more than one batch; a named column counts before a guessed one."""
    rows = 25
    trades = pl.DataFrame(
        {"T": [1_704_067_200_000_000 + n for n in range(rows)], "trade_id": range(rows), "price": 1.5,
         "qty": 2.0, "side": "sell"}
    )  # fmt: skip
    trades.write_parquet(tmp_path / "trades.parquet")
    monkeypatch.setattr(load, "_BATCH_ROWS", 10)
    (one,) = load_file(lake, tmp_path / "trades.parquet", MINE)
    assert (one.series.kind, one.added) == ("trades", rows)
    assert lake.trades("MINE").collect()["id"].to_list() == [str(n) for n in range(rows)]
    quotes = pl.DataFrame({"time": ["2024-01-02T00:00:00Z"], "bid": [1.0], "offer": [1.1]})
    quotes.write_parquet(tmp_path / "quotes.parquet")
    options = LoadOptions(symbol="MINE", columns={"ask": "offer"})
    (two,) = load_file(lake, tmp_path / "quotes.parquet", options)
    assert two.series.kind == "quotes"
    assert lake.quotes("MINE").collect()["ask"].to_list() == [1.1]


BAD = {
    "no such file": (None, UsageError, "there is no such file"),
    "another format": ("x", UsageError, "is not imported"),
    "no rows": (HEADER, DataError, "holds no rows"),
    "an empty file": ("", DataError, "cannot be read"),
    "wrong columns": (
        "Date,Price\n2024-01-02,10\n",
        DataError,
        "has not the columns of bars: open, high, low",
    ),
    "no time": ("Open,High,Low,Close\n1,1,1,1\n", DataError, "has not the columns of bars: ts"),
    "text for a price": (GOOD.replace(",11,100", ",eleven,100"), DataError, "Close in row 1 is no number"),
    "text for a time": (GOOD.replace("2024-01-03", "later"), DataError, "ts in row 1"),
    "a price of zero": (GOOD.replace("10,12,10,11", "10,12,0,11"), DataError, "low in row 1 cannot be"),
    "high below close": (GOOD.replace("10,12,10,11", "10,10.5,10,11"), DataError, "high in row 1 cannot be"),
    "a missing price": (GOOD.replace("10,12,10,11", ",12,10,11"), DataError, "open in row 1 cannot be"),
    "a negative volume": (GOOD.replace("11,100", "11,-1"), DataError, "volume in row 1 cannot be"),
    "one day twice": (GOOD + "2024-01-04,11,12,10,11.5,100\n", DataError, "two different rows for one key"),
    "one row": (HEADER + ROWS[0], UsageError, "the interval of mine.csv cannot be guessed"),
}


@pytest.mark.parametrize(("text", "kind", "says"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_whole(
    lake: Lake, tmp_path: Path, text: str | None, kind: type[GrnError], says: str
) -> None:
    """Row and value are named; of the file nothing is taken, and no folder is left."""
    path = tmp_path / ("mine.xlsx" if text == "x" else "mine.csv")
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(kind, match=says):
        load_file(lake, path, MINE)
    assert lake.series() == []
    assert not list(tmp_path.rglob("*.parquet"))


def test_what_the_file_does_not_say_has_to_be_said(lake: Lake, tmp_path: Path) -> None:
    """A symbol, an existing column, a calendar that exists."""
    path = write(tmp_path, GOOD)
    with pytest.raises(UsageError, match="does not say of which symbol"):
        load_file(lake, path, LoadOptions())
    with pytest.raises(UsageError, match="has no such column"):
        load_file(lake, path, LoadOptions(symbol="X", columns={"open": "Opening"}))
    with pytest.raises(UsageError, match="no such column to fill"):
        load_file(lake, path, LoadOptions(symbol="X", columns={"opening": "Open"}))
    with pytest.raises(UsageError, match="there is no such calendar"):
        load_file(lake, path, LoadOptions(symbol="X", calendar="NYSE2"))
    assert lake.series() == []
