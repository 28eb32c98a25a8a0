"""Who brings a folder and a ledger to the end of a run, chunk after chunk, wherever its chunks come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grn.kit.errors import LedgerError, UsageError
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import Advance
from grn.quant.engine.grid import Grid, no_combination
from grn.quant.stream.folder import Folder, Part, hash_parts
from grn.quant.stream.piece import Piece
from grn.quant.stream.plan import Planned

Source = Callable[[int, Grid], Piece]
"""Gives a chunk, by its number and its combinations."""


class Writer:
    """Brings a folder and a ledger to the end of a run, from wherever they are."""

    def __init__(
        self,
        planned: Planned,
        folder: Folder,
        book: Ledger,
        source: Source,
        more: Mapping[str, object] | None = None,
    ) -> None:
        request = planned.request
        self._request = request
        self._chunks = planned.chunks
        self._folder = folder
        self._book = book
        self._source = source
        self._more = more or {}
        self._ids = record.data_ids(request.strategy, request.bars)
        self._digests = record.data_digests(request.strategy, request.bars, request.columns)
        self._strategy_key = record.strategy_key(request.strategy)

    def write(self, progress: Advance | None, expect: Callable[[int], None] | None) -> None:
        """Compute every chunk that is not there, and close the run."""
        run = self.run_id()
        entry = self._book.show(run)
        damaged = [p.part for p in self._folder.damaged()]
        begun = range(len(self._folder.parts), len(self._chunks))
        todo = [*damaged, *begun]
        points = [stop - start for start, stop in map(self._chunks.span, todo)]
        if expect is not None:
            expect(sum(points) * len(self._ids))
        # A killed run may have entered the next chunk, or some accounts of it, without having counted it.
        entered = len(entry.trials) - len(self._ids) * sum(p.rows > 0 for p in self._folder.parts)
        for k, n_points in zip(todo, points, strict=True):
            n = self._chunk(k, run, entered)
            if k in begun and n:
                entered = 0
            if progress is not None:
                progress((n_points - n) * len(self._ids))
        if not any(p.rows for p in self._folder.parts):
            raise no_combination(self._chunks.lattice)
        if entry.outcome is None:
            self._finish(run)

    def _chunk(self, k: int, run: str, entered: int) -> int:
        """Put chunk `k` into the folder and the ledger; returns its number of combinations."""
        grid = self._chunks.grid(k)
        if not len(grid):
            self._folder.add(Part(k, 0, "", ""))
            return 0
        piece = self._source(k, grid)
        if k < len(self._folder.parts):
            if piece.part != self._folder.parts[k]:
                raise LedgerError(
                    f"part {k} was damaged, and what is computed now differs from what was written then",
                    seen=f"{piece.part.sha256[:12]}, not {self._folder.parts[k].sha256[:12]}",
                    hint="remove the folder and run the sweep again",
                )
            self._folder.write_part(k, piece.data)
            return len(grid)
        self._folder.write_part(k, piece.data)
        self._enter(run, grid, piece, entered)
        self._folder.add(piece.part)
        return len(grid)

    def _enter(self, run: str, grid: Grid, piece: Piece, entered: int) -> None:
        """Enter the trials of a chunk, those accounts left out that a killed run entered before."""
        one = self._request
        accounts = list(zip(self._ids, self._digests, piece.sharpes, strict=True))
        parts = [
            (data_id, record.trial_keys(one.strategy, grid, one.rules, digest), sharpes)
            for data_id, digest, sharpes in accounts[entered:]
        ]
        if parts:
            self._book.record_all_trials(run, self._strategy_key, parts)

    def run_id(self) -> str:
        """The run in the ledger: the one that was begun, or a new one."""
        known = self._folder.run
        if known is None:
            if self._folder.parts:
                raise LedgerError(
                    "the folder has lost the name of its run",
                    seen=str(self._folder.path / "run.json"),
                    hint="remove the folder and run the sweep again",
                )
            known = self._request.begin(self._book)
            self._folder.name_run(known)
        try:
            self._book.show(known)
        except UsageError as error:
            raise LedgerError(
                "the folder's run is not in this ledger",
                seen=f"{known}, {self._book.folder}",
                hint="use the ledger that it was begun with (GRN_HOME), or another folder",
            ) from error
        return known

    def _finish(self, run: str) -> None:
        parts = self._folder.parts
        self._book.finish(
            run,
            exit_code=0,
            result_key=str(self._folder.manifest["key"]),
            watermark=max(row.watermark for row in self._book.show(run).trials),
            timings_s={},
            outputs={
                "frame_sha256": hash_parts(p.frame_sha256 for p in parts),
                "rows": sum(p.rows for p in parts),
                "engine": self._request.choice.engine,
                "folder": str(self._folder.path.resolve()),
                **self._more,
            },
        )
