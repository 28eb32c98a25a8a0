"""One run over trades in a process of its own: ``python -m benchmarks.trade_runs grn minute DIR``.

Prints one line of JSON: seconds by name, the process's peak memory, and a digest of the numbers found.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.memory import peak_memory_mib

DOLLARS: Final = 5e6
SYMBOL: Final = "ETH"
PRICE_BELOW: Final = 2_300.0
"""The predicate of the join: about half of the trades of one symbol out of eight."""

Numbers = dict[str, float]


def files_of(folder: Path) -> list[Path]:
    """The files that `write_trades` wrote."""
    return sorted(folder.glob("part-*.parquet"))


def grn_minute(folder: Path) -> Numbers:
    """One-minute bars in one pass."""
    import polars as pl

    from grn.quant import time_bars

    bars = time_bars(pl.scan_parquet(files_of(folder)), "1m", unfinished=True)
    return summary(bars.collect(engine="streaming"))


def grn_dollar(folder: Path) -> Numbers:
    """Dollar bars in one pass; the excess over the threshold stays in the bar."""
    import polars as pl

    from grn.quant import dollar_bars

    return summary(dollar_bars(pl.scan_parquet(files_of(folder)), DOLLARS).collect(engine="streaming"))


def grn_join(folder: Path) -> Numbers:
    """The trades of a predicate, each with the last one-minute bar that was known before it."""
    import polars as pl

    from grn.quant import join_as_of

    trades = pl.scan_parquet(files_of(folder)).filter(
        (pl.col("symbol") == SYMBOL) & (pl.col("price") < PRICE_BELOW)
    )
    bars = pl.scan_parquet(folder / "bars.parquet").select("symbol", "close", "known_ts")
    joined = join_as_of(trades.select("ts", "symbol", "price"), bars)
    gap = (pl.col("price") - pl.col("close")).abs()
    found = joined.select(rows=pl.len(), joined=pl.col("close").count(), gap=gap.sum())
    return {
        name: float(value) for name, value in found.collect(engine="streaming").row(0, named=True).items()
    }


def summary(bars: Any) -> Numbers:
    """Figures that differ when any bar differs: sums of prices weighted by rank in time and symbol."""
    import polars as pl

    weighed = bars.lazy().sort("symbol", "ts").with_row_index("i").with_columns(w=1.0 + pl.col("i") % 97)
    sums = weighed.select(
        pl.len().alias("bars"),
        *((pl.col(name) * pl.col("w")).sum() for name in ("open", "high", "low", "close", "volume", "value")),
        pl.col("trades").sum(),
    ).collect()
    return {name: float(value) for name, value in sums.row(0, named=True).items()}


def polars_minute(folder: Path) -> Numbers:
    """The same bars as a group-by of Polars' streaming engine, the query that people write."""
    import polars as pl

    found = (
        pl.scan_parquet(files_of(folder))
        .group_by("symbol", pl.col("ts").dt.truncate("1m"))
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            volume=pl.col("amount").sum(),
            value=(pl.col("price") * pl.col("amount")).sum(),
            trades=pl.len(),
        )
    )
    return summary(found.collect(engine="streaming"))


def polars_join(folder: Path) -> Numbers:
    """Polars' own join."""
    import polars as pl

    trades = pl.scan_parquet(files_of(folder)).filter(
        (pl.col("symbol") == SYMBOL) & (pl.col("price") < PRICE_BELOW)
    )
    bars = pl.scan_parquet(folder / "bars.parquet").select("symbol", "close", "known_ts")
    joined = trades.select("ts", "symbol", "price").join_asof(
        bars,
        left_on="ts",
        right_on="known_ts",
        by="symbol",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    gap = (pl.col("price") - pl.col("close")).abs()
    found = joined.select(rows=pl.len(), joined=pl.col("close").count(), gap=gap.sum())
    return {
        name: float(value) for name, value in found.collect(engine="streaming").row(0, named=True).items()
    }


def duckdb_run(query: str, folder: Path) -> Any:
    """Run a query over the files with as many threads as ours may use."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {len(os.sched_getaffinity(0))}; set timezone = 'UTC'")
    names = ", ".join(f"'{path}'" for path in files_of(folder))
    return connection.execute(
        query.format(trades=f"read_parquet([{names}])", bars=f"'{folder / 'bars.parquet'}'")
    )


def rows_of(answer: Any) -> Any:
    """The answer of DuckDB as a frame, handed over without a copy."""
    import polars as pl

    return pl.DataFrame(answer.to_arrow_table())


def duckdb_minute(folder: Path) -> Numbers:
    """One-minute bars in SQL; no two trades have the same time, so the earliest of a group is its first."""
    query = """
        select symbol, epoch_ns(ts) // 60000000000 as minute, arg_min(price, ts) as open, max(price) as high,
               min(price) as low, arg_max(price, ts) as close, sum(amount) as volume,
               sum(price * amount) as value, count(*) as trades
        from {trades} group by all
    """
    return summary(rows_of(duckdb_run(query, folder)).rename({"minute": "ts"}))


def duckdb_dollar(folder: Path) -> Numbers:
    """The nearest that a window function can say: cut the running sum of value, which lets no excess stay."""
    query = """
        select symbol, min(ts) as ts, arg_min(price, ts) as open, max(price) as high, min(price) as low,
               arg_max(price, ts) as close, sum(amount) as volume, sum(price * amount) as value, count(*) as
               trades
        from (select symbol, ts, price, amount,
                     floor(sum(price * amount) over (partition by symbol order by ts) / {size}) as bar
              from {trades})
        group by symbol, bar
    """.replace("{size}", str(DOLLARS))
    return summary(rows_of(duckdb_run(query, folder)))


def duckdb_join(folder: Path) -> Numbers:
    """DuckDB's own as-of join."""
    query = """
        select count(*) as rows, count(close) as joined, sum(abs(price - close)) as gap
        from (select ts, symbol, price from {trades} where symbol = '{symbol}' and price < {below}) as t
        asof left join (select symbol, close, known_ts from {bars}) as b
        on t.symbol = b.symbol and t.ts > b.known_ts
    """.replace("{symbol}", SYMBOL).replace("{below}", str(PRICE_BELOW))
    row = duckdb_run(query, folder).fetchone()
    return dict(zip(("rows", "joined", "gap"), map(float, row), strict=True))


def pandas_minute(folder: Path) -> Numbers:
    """One-minute bars as a group-by of pandas."""
    import pandas as pd
    import polars as pl

    trades = pd.concat(
        [pd.read_parquet(p, columns=["ts", "symbol", "price", "amount"]) for p in files_of(folder)]
    )
    trades["value"] = trades["price"] * trades["amount"]
    groups = trades.groupby([trades["symbol"], trades["ts"].dt.floor("1min")], sort=False)
    bars = groups["price"].agg(["first", "max", "min", "last", "count"])
    bars[["volume", "value"]] = groups[["amount", "value"]].sum()
    bars = bars.rename(
        columns={"first": "open", "max": "high", "min": "low", "last": "close", "count": "trades"}
    )
    return summary(pl.from_pandas(bars.reset_index()))


def pandas_dollar(folder: Path) -> Numbers:
    """The nearest rule without a loop, as in `duckdb_dollar`."""
    import pandas as pd
    import polars as pl

    trades = pd.concat(
        [pd.read_parquet(p, columns=["ts", "symbol", "price", "amount"]) for p in files_of(folder)]
    )
    trades["value"] = trades["price"] * trades["amount"]
    trades["bar"] = trades.groupby("symbol", sort=False)["value"].cumsum() // DOLLARS
    groups = trades.groupby(["symbol", "bar"], sort=False)
    bars = groups["price"].agg(["first", "max", "min", "last", "count"])
    bars[["volume", "value"]] = groups[["amount", "value"]].sum()
    bars["ts"] = groups["ts"].first()
    bars = bars.rename(
        columns={"first": "open", "max": "high", "min": "low", "last": "close", "count": "trades"}
    )
    return summary(pl.from_pandas(bars.reset_index()))


def pandas_join(folder: Path) -> Numbers:
    """The as-of join of pandas, the predicate handed to the reader."""
    import pandas as pd

    only = [("symbol", "==", SYMBOL), ("price", "<", PRICE_BELOW)]
    columns = ["ts", "symbol", "price"]
    trades = pd.concat([pd.read_parquet(p, columns=columns, filters=only) for p in files_of(folder)])
    bars = pd.read_parquet(folder / "bars.parquet", columns=["symbol", "close", "known_ts"])
    joined = pd.merge_asof(
        trades, bars, left_on="ts", right_on="known_ts", by="symbol", allow_exact_matches=False
    )
    gap = (joined["price"] - joined["close"]).abs().sum()
    return {"rows": float(len(joined)), "joined": float(joined["close"].count()), "gap": float(gap)}


def decode(folder: Path) -> Numbers:
    """Only decode the columns that bars need, batch by batch: the floor of any pipeline over these files."""
    import polars as pl

    from grn.quant.features.stream import batches

    frame = pl.scan_parquet(files_of(folder)).select("ts", "symbol", "price", "amount", "side")
    return {"rows": float(sum(rows.height for rows in batches(frame)))}


RUNNERS: Final[dict[str, Callable[[Path], Numbers]]] = {
    "grn minute": grn_minute,
    "grn dollar": grn_dollar,
    "grn join": grn_join,
    "polars minute": polars_minute,
    "polars join": polars_join,
    "duckdb minute": duckdb_minute,
    "duckdb dollar": duckdb_dollar,
    "duckdb join": duckdb_join,
    "pandas minute": pandas_minute,
    "pandas dollar": pandas_dollar,
    "pandas join": pandas_join,
    "polars decode": decode,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Import, run and print what was measured; kernels are compiled before the clock starts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trade_runs", description=__doc__)
    parser.add_argument("who")
    parser.add_argument("task")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    for package in {"grn": ("polars",), "polars": ("polars",), "duckdb": ("duckdb", "polars"),
                    "pandas": ("pandas", "polars", "pyarrow")}[chosen.who]:  # fmt: skip
        __import__(package)
    if chosen.who == "grn":
        import polars as pl

        from grn.quant import tick_bars

        tick_bars(pl.scan_parquet(files_of(chosen.folder)[0]).head(10), 3).collect()
    began = time.perf_counter()
    numbers = RUNNERS[f"{chosen.who} {chosen.task}"](chosen.folder)
    seconds = time.perf_counter() - began
    peak_mib = peak_memory_mib()
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib, "numbers": numbers}))


if __name__ == "__main__":
    main()
