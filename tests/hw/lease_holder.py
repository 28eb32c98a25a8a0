"""A process that takes leases: ``python lease_holder.py FOLDER TOTAL BYTES HOLD_S [ROUNDS [CARD]]``.

It writes "held" when it has one, and what all leases came to at that moment.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from grn.hw.lease import Leases


def hold(folder: Path, total: int, n_bytes: int, hold_s: float, rounds: int, card: str) -> None:
    leases = Leases(card, total, folder=folder)
    for _ in range(rounds):
        with leases.take(n_bytes, "a test", wait_s=60.0):
            print("held", sum(lease.n_bytes for lease in leases.held()), flush=True)
            time.sleep(hold_s)


if __name__ == "__main__":
    hold(
        Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]),
        int(sys.argv[5]) if len(sys.argv) > 5 else 1, sys.argv[6] if len(sys.argv) > 6 else "card",
    )  # fmt: skip
