"""A recorder that is killed: it imports once and forks, so that 50 starts do not cost 50 imports.

A line on stdin, the home, starts a recording into its lake. The answer is the process id of the child,
then a line whenever something more is in its journals (kind, symbol, messages, number of the last, a full
stop, which a line lacks that was cut off), and "done" when it ended, however it ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import ccxt.pro  # noqa: F401 - imported before the fork, for its five seconds

import grn.quant.lake.sources.stream  # noqa: F401 - the same
from grn.quant.lake import record
from grn.quant.lake.holdings import Lake
from grn.quant.lake.reel import Reel
from grn.quant.lake.series import Series


def work(home: str) -> int:
    os.environ["GRN_HOME"] = home
    record._TICK_S = 0.01
    told: dict[str, int] = {}

    def tell(reels: Sequence[Reel]) -> None:
        for reel in reels:
            name = f"{reel.store.kind.name} {reel.store.series.symbol}"
            if reel.heard > told.get(name, 0):
                told[name] = reel.heard
                print(f"{name} {reel.heard} {reel.last_id or 0} .", flush=True)

    wanted = [
        Series(kind, "ccxt:binance", symbol)
        for symbol in ("BTC/USDT", "ETH/USDT")
        for kind in ("book", "trades")
    ]
    options = record.RecordOptions(rotate_bytes=4000)
    stop = asyncio.Event()
    asyncio.run(
        record.record_until(Lake(Path(home) / "lake"), "ccxt:binance", wanted, options, stop, on_tick=tell)
    )
    return 0


def main() -> None:
    print("ready", flush=True)
    for home in sys.stdin:
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
            os._exit(work(home.rstrip("\n")))
        os.waitpid(child, 0)
        print("\ndone", flush=True)


if __name__ == "__main__":
    main()
