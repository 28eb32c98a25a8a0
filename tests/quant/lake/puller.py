"""A process that is killed: it imports once and forks, so that 200 starts do not cost 200 imports.

A line on stdin starts a pull: the home (its lake is pulled into), kind, interval (or -), begin in
milliseconds. The answer is the process id of the child, then how it ended.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ccxt.async_support  # noqa: F401 - imported before the fork, for its five seconds

import grn.quant.lake.sources.exchange  # noqa: F401 - the same
from grn.quant.lake import pull
from grn.quant.lake.holdings import Lake
from grn.quant.lake.series import Series


def work(home: str, kind: str, interval: str, begin: str) -> int:
    os.environ["GRN_HOME"] = home
    # Every answer is written at once, so that kills meet writes and not only waits.
    pull._ROWS_PER_COMMIT = 1
    series = Series(kind, "ccxt:binance", "BTC/USDT", None if interval == "-" else interval)
    (done,) = pull.pull(Lake(Path(home) / "lake"), [series], pull.PullOptions(since_ns=int(begin) * 10**6))
    if isinstance(done, pull.Failed):
        sys.stderr.write(f"{done.error}\n")
        return int(done.error.exit_code)
    return 0


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(work(*line.rstrip("\n").split("\t")))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(
            "killed" if os.WIFSIGNALED(status) else f"ended {os.waitstatus_to_exitcode(status)}", flush=True
        )


if __name__ == "__main__":
    main()
