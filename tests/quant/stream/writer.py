"""A process that streams a sweep: ``python writer.py FOLDER LEDGER``.

It says "begun" once the first chunk is being computed, and "done" in the end.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grn.ledger import Ledger
from grn.quant.stream.run import stream_sweep
from tests.quant.markets import cross, two_walks

CHUNK = 5


def write(folder: Path, ledger: Path) -> None:
    """Sweep two symbols at 60 points, 5 at a time; the reference engine needs no compiler."""
    said = False

    def say_begun(_: int) -> None:
        nonlocal said
        if not said:
            print("begun", flush=True)
            said = True

    with Ledger.open(ledger) as book:
        stream_sweep(
            cross(range(2, 8), range(4, 14)), two_walks(60), folder, chunk=CHUNK, engine="reference",
            ledger=book, expect=say_begun,
        )  # fmt: skip
    print("done", flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
