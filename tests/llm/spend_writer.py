"""A caller in a process of its own: reserves, asks a server of numbers, settles; some die in between.

Run as ``python -m tests.llm.spend_writer FOLDER SERVER CALLS SEED``. The server is a file that plays the
provider's own account: each call that reached it is a line with the call's name and what it cost.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from grn.kit.clock import FixedClock
from grn.kit.errors import BudgetError
from grn.llm.prices import FREE, Price
from grn.llm.spend import Bill, Book, Intent

NOW_NS = 1_795_400_000 * 10**9  # 2026-11-23
PRICE = Price(FREE)
DIED = 7


def main(folder: Path, account: Path, calls: int, seed: int) -> None:
    rng = random.Random(seed)
    with Book.open(folder, FixedClock(NOW_NS)) as book:
        for _ in range(calls):
            amount = rng.randrange(1, 10**9)
            try:
                call = book.reserve(Intent("anthropic", "m", "m", "", "complete", amount, PRICE))
            except BudgetError:
                continue
            fate = rng.random()
            if fate < 0.005:
                os._exit(DIED)  # before the request went out
            if fate < 0.10:
                book.settle(call, Bill("refused", 0))
                continue
            cost = rng.randrange(amount + 1)
            with account.open("a") as stream:
                stream.write(f"{call} {cost}\n")
            if fate > 0.995:
                os._exit(DIED)  # after it, before its bill was known
            book.settle(call, Bill("reported", cost))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
