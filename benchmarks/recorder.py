"""Memory of a recorder over a long recording at a high rate of messages.

``python -m benchmarks.recorder``: ``grn quant record`` in a process of its own, two symbols, books and
trades, from the double of Binance's streams on the loopback device, which sends as fast as it can; files
rotate every few seconds, so that the recording goes through many rotations and merges.  Resident memory is
read every quarter of a second.  Its peak in the last third may be a tenth above that in the first at most;
the first seconds, in which packages are loaded and pools filled, are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result

ALLOWED: Final = 0.10
SETTLING_S: Final = 20.0
EVERY_S: Final = 0.25
ROUNDS: Final = 20
"""Rounds of messages that the exchange sends in one go."""
KEPT: Final = 50
"""States of its markets that the double keeps; else its own memory would grow without end."""


def resident_mib(process: int) -> float:
    """Resident memory of a process, on Linux."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 2**10 for line in status.splitlines() if line.startswith("VmRSS"))


def measure(seconds: float, rotate_s: float) -> dict[str, Any]:
    """Record for a while; returns what was recorded, and the memory of each third."""
    from tests.quant.lake.binance_streams import Streams
    from tests.quant.lake.conftest import point
    from tests.quant.lake.loopback import World

    stop = threading.Event()
    samples: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name, Streams(World(time.time_ns()), 1).running() as exchange:
        home = Path(name)
        point(home, "ccxt:binance", exchange.url, 5.0)
        command = [
            *(str(Path(sys.executable).with_name("grn")), "quant", "record", "ccxt:binance"),
            *("BTC/USDT", "ETH/USDT", "--book", "--trades", "--json", "--rotate", f"{rotate_s:g}s"),
        ]
        environment = {**os.environ, "GRN_HOME": name, "GRN_CACHE": str(home / "cache")}

        async def rounds() -> None:
            for _ in range(ROUNDS):
                await exchange.step()
            for market in exchange.markets.values():
                del market.past[:-KEPT], market.trades[:-KEPT]

        def play() -> None:
            while not stop.is_set():
                exchange.do(rounds())

        playing = threading.Thread(target=play)
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            playing.start()
            try:
                while not any(home.rglob("*.log")):
                    time.sleep(EVERY_S)
                began = time.monotonic()
                while (now := time.monotonic() - began) < SETTLING_S + seconds and process.poll() is None:
                    samples.append((now, resident_mib(process.pid)))
                    time.sleep(EVERY_S)
                stop.set()
                playing.join()
                process.send_signal(signal.SIGINT)
                out, err = process.communicate()
            finally:
                stop.set()
                playing.join()
        if process.returncode != 0:
            raise SystemExit(f"the recording failed:\n{err}")
        files = sum(1 for _ in home.rglob("*.parquet"))
    series = json.loads(out)
    thirds = [
        max(
            mib
            for when, mib in samples
            if part * seconds / 3 <= when - SETTLING_S < (part + 1) * seconds / 3 + EVERY_S
        )
        for part in range(3)
    ]
    return {
        "seconds": seconds,
        "messages": sum(one["messages"] for one in series),
        "messages_per_s": round(sum(one["messages"] for one in series) / (seconds + SETTLING_S)),
        "rows": sum(one["rows"] for one in series),
        "breaks": sum(one["breaks"] for one in series),
        "files": files,
        "peak_mib_of_thirds": thirds,
        "growth": thirds[-1] / thirds[0] - 1.0,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, print, write the result; 1 when memory grew by more than a tenth."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recorder", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of recording (default: 300)")
    parser.add_argument("--rotate", type=float, default=5.0, help="seconds of a journal (default: 5)")
    parser.add_argument("--save", metavar="NAME", default="recorder.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    found = measure(chosen.seconds, chosen.rotate)
    print(
        "  {messages:,} messages, {messages_per_s:,} a second, {breaks} breaks, {files} files".format(**found)
    )
    print(
        "  peak of the thirds: {} MiB: {:+.1%}".format(
            ", ".join(f"{mib:.1f}" for mib in found["peak_mib_of_thirds"]), found["growth"]
        )
    )
    result = {
        "command": f"python -m benchmarks.recorder --seconds {chosen.seconds:g} --rotate {chosen.rotate:g}",
        **found,
        "allowed": ALLOWED,
        "machine": describe_machine(),
        **describe_code(),
    }
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0 if found["growth"] <= ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main())
