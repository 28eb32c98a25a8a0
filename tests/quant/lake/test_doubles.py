"""The doubles speak as the services do: their answers have the form of recorded ones."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from grn.quant.lake.pull import Pulled, PullOptions, pull
from grn.quant.lake.series import Series
from tests.quant.lake.binance_double import Binance
from tests.quant.lake.conftest import Place
from tests.quant.lake.loopback import NS, Faults, Loopback, World
from tests.quant.lake.yahoo_double import Yahoo, new_york_sessions

RECORDED = json.loads(Path(__file__).with_name("recorded").joinpath("yahoo_chart_aapl_2025.json").read_text())
# Binance's documentation of klines and aggTrades, as ccxt 4.5 quotes it.
KLINE = [1591478520000, "0.02501300", "0.02501800", "0.02500000", "0.02500000", "22.19000000", 1591478579999,
         "0.55490906", 40, "10.92900000", "0.27336462", "0"]  # fmt: skip
AGG_TRADE = {"a": 26129, "p": "0.01633102", "q": "4.70443515", "f": 27781, "l": 27781, "T": 1498793709153,
             "m": True, "M": True}  # fmt: skip


def shape(value: Any) -> Any:
    """The form of a JSON value: names and types, lists by their first entry."""
    if isinstance(value, Mapping):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def test_yahoo_double_has_the_recorded_form() -> None:
    """Same names and types at every level, events keyed by their time included."""
    world = World(1_714_500_000 * NS)
    sessions = new_york_sessions("2024-04-01", "2024-04-30")
    double = Yahoo(world, Faults(random.Random(0)), sessions, 1, dividends={sessions[3][0]: 0.26})
    _, answer = double.answer("/v8/finance/chart/TEST", {"period1": "1711929600"}, None)
    ours, theirs = answer["chart"]["result"][0], deepcopy(RECORDED)["chart"]["result"][0]
    for result in (ours, theirs):
        result["events"]["dividends"] = list(result["events"]["dividends"].values())
    assert shape(ours) == shape(theirs)


def test_binance_double_has_the_documented_form() -> None:
    """A kline is twelve values in their order and types; an aggregated trade has its eight names."""
    world = World(1_704_067_200 * NS + 86_400 * NS)
    double = Binance(world, Faults(random.Random(0)), "1m", 1_704_067_200_000, 100, 1)
    double.make_trades(5, 100.0)
    _, klines = double.answer("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m"}, None)
    _, trades = double.answer("/api/v3/aggTrades", {"symbol": "BTCUSDT"}, None)
    assert [shape(value) for value in klines[0]] == [shape(value) for value in KLINE]
    assert shape(trades[0]) == shape(AGG_TRADE)


def test_a_recorded_answer_arrives_as_it_is(place: Place) -> None:
    """Eight real days of AAPL through the real client: stored to the bit, adjusted as Yahoo does."""
    world = World(1_756_166_400 * NS)

    def answer(path: str, query: Mapping[str, str], fault: str | None) -> tuple[int, Any]:
        return (200, RECORDED) if path.startswith("/v8/finance/chart/") else (404, {})

    with Loopback(world, Faults(random.Random(0)), answer) as server:
        lake = place(server, world, "yfinance")
        since = 1_746_662_400 * NS  # 2025-05-08
        series = Series("bars", "yfinance", "AAPL", "1d")
        (done,) = pull(lake, [series], PullOptions(since_ns=since), sleep=world.sleep)
    assert isinstance(done, Pulled)
    raw = lake.bars("AAPL", "1d", adjusted=False).collect()
    result = RECORDED["chart"]["result"][0]
    quote = result["indicators"]["quote"][0]
    for name in ("open", "high", "low", "close", "volume"):
        assert raw[name].to_list() == quote[name]
    dates = ["05-08", "05-09", "05-12", "05-13", "08-07", "08-08", "08-11", "08-12"]
    assert raw["ts"].dt.strftime("%m-%d").to_list() == dates
    assert lake.actions("AAPL")["value"].to_list() == [0.26, 0.26]
    adjusted = lake.bars("AAPL", "1d").collect()["close"].to_list()
    # Yahoo's own column, in single precision.
    assert adjusted == pytest.approx(result["indicators"]["adjclose"][0]["adjclose"], rel=1e-6)
