"""A process that writes to a ledger for ever, or a number of times, and acknowledges each record on stdout.

``python writer.py FOLDER SEED [ROUNDS]``. A line is written only after the record's method has returned: each
line that a reader gets stands for something that must never be lost.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from grn.ledger import Ledger


def write(folder: Path, seed: int, rounds: int | None) -> None:
    random = np.random.default_rng(seed)
    with Ledger.open(folder) as ledger:
        for number in itertools.count() if rounds is None else range(rounds):
            run = ledger.begin("quant sweep", {"seed": seed, "number": number})
            say("began", run)
            keys = random.integers(0, 1 << 64, size=200, dtype=np.uint64)
            watermark = ledger.record_trials(
                run, data_id=f"data-{seed}", strategy_key="s", keys=keys, sharpes=random.normal(size=200)
            )
            say("tried", run, watermark)
            digest = ledger.put_blob(random.bytes(1_000))
            ledger.finish(run, exit_code=0, watermark=watermark, outputs={"frame": digest})
            say("ended", run, digest)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
