"""The lake as its users see it: frames by symbol, adjusted when read, fit for a sweep."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import grn
from grn.kit.clock import FixedClock
from grn.kit.errors import DataError, OutputError, UsageError
from grn.quant.lake.export import export
from grn.quant.lake.holdings import Lake, moment
from grn.quant.lake.kinds import ACTIONS
from grn.quant.lake.series import Series
from grn.quant.lake.view import adjust

NS = 10**9
DAY_NS = 86_400 * NS
UTC_NS = pl.Datetime("ns", "UTC")


def make_bars(closes: list[float], step_ns: int = DAY_NS, start_ns: int = 0) -> pl.DataFrame:
    stamps = [start_ns + n * step_ns for n in range(len(closes))]
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    return pl.DataFrame({"ts": pl.Series(stamps).cast(UTC_NS), **prices, "volume": [100.0] * len(closes)})


def make_actions(*rows: tuple[int, str, float]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows, schema={"ts": pl.Int64, "action": pl.String, "value": pl.Float64}, orient="row"
    )
    return ACTIONS.fit(frame.with_columns((pl.col("ts") * DAY_NS).cast(UTC_NS)))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", clock=FixedClock(10**18))


def fill(lake: Lake, series: Series, rows: pl.DataFrame, actions: pl.DataFrame | None = None) -> None:
    with lake.store(series).writing(1.0) as writer:
        writer.merge(rows)
        writer.commit(actions=actions)


def test_a_split_and_a_dividend_by_hand() -> None:
    """Close 100, 2:1 split, dividend 1 on a close of 50: factors 1/2 and 49/50, volumes twice."""
    bars = make_bars([100.0, 50.0, 49.0])
    actions = make_actions((1, "split", 2.0), (2, "dividend", 1.0))
    got = adjust(bars.lazy(), actions, None).collect()
    assert got["close"].to_list() == pytest.approx([100 * 0.5 * 0.98, 50 * 0.98, 49.0])
    assert got["volume"].to_list() == [200.0, 100.0, 100.0]
    assert got.columns == bars.columns


def test_two_actions_on_one_day() -> None:
    """A dividend on the day of a split is paid on new shares: 1 on a close before of 100/2 = 50."""
    got = adjust(make_bars([100.0, 49.0]).lazy(), make_actions((1, "split", 2.0), (1, "dividend", 1.0)), None)
    assert got.collect()["close"].to_list() == pytest.approx([100 / 2 * (1 - 1 / 50), 49.0])


def test_actions_outside_the_bars() -> None:
    """An action before the first bar changes nothing; one after the last bar counts."""
    bars = make_bars([10.0, 20.0])
    assert adjust(bars.lazy(), make_actions((0, "split", 2.0)), None).collect()["close"].to_list() == [
        10.0,
        20.0,
    ]
    assert adjust(bars.lazy(), make_actions((9, "split", 2.0)), None).collect()["close"].to_list() == [
        5.0,
        10.0,
    ]


def test_a_date_begins_where_the_exchange_is() -> None:
    """In Sydney a date begins the evening before in UTC: bars of that evening come after its split."""
    bars = make_bars([10.0, 10.0], step_ns=3600 * NS, start_ns=12 * 3600 * NS)  # 1 Jan, 12:00 and 13:00 UTC
    actions = make_actions(
        (1, "split", 2.0)
    )  # 2 Jan begins at 14:00 UTC of the first in Sydney (UTC+10 in 1970)
    assert adjust(bars.lazy(), actions, "Australia/Sydney").collect()["close"].to_list() == [5.0, 5.0]
    later = make_bars([10.0], start_ns=15 * 3600 * NS)
    assert adjust(later.lazy(), actions, "Australia/Sydney").collect()["close"].to_list() == [10.0]
    assert adjust(later.lazy(), actions, "UTC").collect()["close"].to_list() == [5.0]


def test_the_columns_are_those_promised(lake: Lake) -> None:
    """Bars and trades: names, order and types, lazily."""
    fill(lake, Series("bars", "yfinance", "SPY", "1d"), make_bars([1.0, 2.0]))
    trades = pl.DataFrame({"ts": [0], "id": ["1"], "price": [1.0], "amount": [2.0], "side": ["buy"]})
    trades = trades.with_columns(pl.col("ts").cast(UTC_NS))
    fill(lake, Series("trades", "ccxt:binance", "BTC/USDT"), trades)
    bars = lake.bars("SPY", "1d")
    assert isinstance(bars, pl.LazyFrame)
    number = pl.Float64
    assert dict(bars.collect_schema()) == {
        "ts": UTC_NS, "symbol": pl.String, "open": number, "high": number, "low": number, "close": number,
        "volume": number,
    }  # fmt: skip
    assert dict(lake.trades("BTC/USDT").collect_schema()) == {
        "ts": UTC_NS, "symbol": pl.String, "id": pl.String, "price": number, "amount": number,
        "side": pl.String,
    }  # fmt: skip
    assert bars.collect()["symbol"].to_list() == ["SPY", "SPY"]


def test_trades_come_in_the_order_of_their_numbers(lake: Lake) -> None:
    """Within one time stamp "9" comes before "10"."""
    ids = [str(n) for n in range(12)]
    rows = pl.DataFrame({"ts": [0] * 12, "id": ids[::-1], "price": 1.0, "amount": 1.0, "side": "buy"})
    fill(lake, Series("trades", "ccxt:binance", "X"), rows.with_columns(pl.col("ts").cast(UTC_NS)))
    assert lake.trades("X").collect()["id"].to_list() == ids


def test_what_is_not_there_is_named_with_what_is(lake: Lake) -> None:
    """A wrong interval lists the others, a wrong symbol the nearest, two sources ask which."""
    fill(lake, Series("bars", "yfinance", "SPY", "1d"), make_bars([1.0]))
    fill(lake, Series("bars", "import", "QQQ", "1d"), make_bars([1.0]))
    fill(lake, Series("bars", "yfinance", "QQQ", "1d"), make_bars([2.0]))
    with pytest.raises(UsageError, match="no such series of bars") as caught:
        lake.bars("SPY", "1h")
    assert caught.value.hint == "there is: yfinance SPY 1d"
    with pytest.raises(UsageError) as caught:
        lake.bars("SPYY", "1d")
    assert caught.value.hint == "did you mean SPY?"
    with pytest.raises(UsageError, match="several sources have 'QQQ'"):
        lake.bars("QQQ", "1d")
    assert lake.bars("QQQ", "1d", source="yfinance").collect()["close"].to_list() == [2.0]
    with pytest.raises(UsageError, match="no such series of trades"):
        lake.trades("SPY")
    with pytest.raises(UsageError, match="unknown interval"):
        lake.bars("SPY", "daily")
    assert lake.bars("SPY", "1d").collect().equals(lake.bars("SPY", "24h").collect())


def test_a_series_of_the_lake_is_a_source_of_data(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`grn.sweep` takes it as it is, adjusted; `grn.lake` finds it where the settings say."""
    from grn.quant import Strategy, close, param, sma

    closes = [100.0 * 1.01 ** (n % 37) * 0.99 ** (n % 11) for n in range(300)]
    fill(lake, Series("bars", "yfinance", "SPY", "1d"), make_bars(closes), make_actions((150, "split", 2.0)))
    monkeypatch.setenv("GRN_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(f'data_root = "{tmp_path / "lake"}"\n')
    bars = grn.lake().bars("SPY", "1d")
    fast = param("fast", [3, 5])
    strategy = Strategy(
        entry=sma(close, fast).crosses_above(close), exit=sma(close, fast).crosses_below(close)
    )
    result = grn.sweep(strategy, bars)
    assert result.frame.height == 2
    assert result.bars[0].symbol == "SPY"
    assert result.bars[0].column("close")[:3].tolist() == [value / 2 for value in closes[:3]]


def test_export_is_whole_or_absent(lake: Lake, tmp_path: Path) -> None:
    """Parquet, CSV and Arrow hold the same; an unknown format and a missing folder are refused."""
    fill(lake, Series("bars", "yfinance", "SPY", "1d"), make_bars([1.0, 2.0, 3.0]))
    rows = lake.bars("SPY", "1d").filter(pl.col("ts") >= moment(DAY_NS))
    for name, read in (("a.parquet", pl.read_parquet), ("a.csv", pl.read_csv), ("a.arrow", pl.read_ipc)):
        export(rows, tmp_path / name)
        assert read(tmp_path / name)["close"].to_list() == [2.0, 3.0]
    for path, says in (
        (tmp_path / "a.xlsx", "unknown output format"),
        (tmp_path / "no" / "a.csv", "cannot write"),
    ):
        with pytest.raises(OutputError, match=says):
            export(rows, path)
    (tmp_path / "old.csv").write_text("old")
    for part in lake.root.rglob("*.parquet"):
        part.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        export(lake.bars("SPY", "1d"), tmp_path / "old.csv")
    assert (tmp_path / "old.csv").read_text() == "old"
    assert not list(tmp_path.glob(".grn-*"))
