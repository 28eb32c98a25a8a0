"""One of many processes that take leases until they are killed or told to stop.

``python lease_crowd.py FOLDER TOTAL BYTES SLOTS SEED``.  While it holds a lease it also holds one of so
many slots as leases fit on the card: locks of the kernel, given back also when the process is killed.  Where
no slot is free, more was leased than there is; then it writes "over".  It writes "held" once, and ends when
its stdin does.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import sys
import time
from pathlib import Path

from grn.hw.lease import Leases
from grn.kit.errors import BudgetError


def main(folder: Path, total: int, n_bytes: int, slots: int, seed: int) -> None:
    draw = random.Random(seed)
    leases = Leases("card", total, folder=folder)
    said = False
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            with leases.take(n_bytes, "a crowd", wait_s=0.2):
                slot = _take_slot(folder, slots)
                if slot is None:
                    print("over", flush=True)
                    return
                if not said:
                    print("held", flush=True)
                    said = True
                time.sleep(draw.uniform(0, 0.01))
                os.close(slot)
        except BudgetError:
            continue


def _take_slot(folder: Path, slots: int) -> int | None:
    for number in range(slots):
        descriptor = os.open(folder / f"slot{number}", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return descriptor
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
