"""What a task of a sharded sweep does on the cluster: its range of chunks, each kept as soon as it is done.

``python -m grn.flow.shards.task PARCEL OUT TASK TASKS THREADS``.  Told by USR1 that its time is nearly up it
ends with 75, is queued again, and goes on with the next chunk.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from grn.flow.shards.parcel import unpack
from grn.kit.errors import GrnError
from grn.quant.stream.piece import compute_piece, has_piece, save_piece

AGAIN = 75
"""Exit code of a task that wants to go on: EX_TEMPFAIL of sysexits.h."""


def span(task: int, tasks: int, chunks: int) -> range:
    """Chunks of a task: as equal in number as can be, in order."""
    return range(task * chunks // tasks, (task + 1) * chunks // tasks)


def compute_shard(parcel: Path, out: Path, task: int, tasks: int, threads: int, said: TextIO) -> int:
    """Compute a task's chunks, those left out that are there; returns how many it has.

    Raises
    ------
    ClusterError, DataError
        See :func:`grn.flow.shards.parcel.unpack`.
    """
    planned = unpack(parcel)
    mine = span(task, tasks, len(planned.chunks))
    for k in mine:
        grid = planned.chunks.grid(k)
        if not len(grid) or has_piece(out, k):
            continue
        piece = compute_piece(planned.request, k, grid, threads=threads)
        save_piece(out, piece)
        said.write(f"chunk {k}: {piece.part.rows:,} rows; {k - mine.start + 1} of {len(mine)}\n")
        said.flush()
    return len(mine)


def main(arguments: Sequence[str]) -> int:
    """Run a task; returns its exit code."""
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit(AGAIN))
    parcel, out, task, tasks, threads = arguments
    try:
        compute_shard(Path(parcel), Path(out), int(task), int(tasks), int(threads), sys.stdout)
    except GrnError as error:
        sys.stderr.write(f"{error}\n{error.hint or ''}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
