"""The lanes of all cards: who gets the next batch, and what happens when a card is full or lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Self

import numpy.typing as npt

from grn.kit.errors import BudgetError, UnsupportedError
from grn.quant.engine.cuda.cards import Card, CuPy, errors_of
from grn.quant.engine.cuda.lane import Lane, put_tables
from grn.quant.engine.cuda.predict import LANES
from grn.quant.engine.cuda.prelude import THREADS, Real
from grn.quant.engine.cuda.source import COMPILER_OPTIONS
from grn.quant.engine.cuda.tables import Batch, Tables

GIB = 2.0**30


class NoCardError(Exception):
    """The last card was lost."""


class Fleet:
    """The lanes of all cards, and who is asked next."""

    def __init__(self, cupy: CuPy, source: str, tables: Tables, real: Real) -> None:
        self._cupy, self._source, self._tables, self._real = cupy, source, tables, real
        self._lanes: list[Lane] = []
        self._errors = (*errors_of(cupy), cupy.cuda.memory.OutOfMemoryError)
        self._said: list[str] = []
        self._full: list[str] = []
        self._held = ExitStack()
        self._used: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give memory and leases back."""
        self._lanes.clear()
        for number in self._used:
            with suppress(*self._errors), self._cupy.cuda.Device(number):
                self._cupy.get_default_memory_pool().free_all_blocks()
        self._held.close()

    def enlist(self, card: Card, rows: int, row_bytes: int, widths: tuple[int, int, int]) -> None:
        """Give a card its tables, its kernel and its lanes; batches are halved until they have room."""
        wanted = self._tables.n_bytes + LANES * max(rows, THREADS) * row_bytes
        left = card.leases.free()
        try:
            # Where the tables have room, too large a batch is halved below; else the lease says who has it.
            amount = min(wanted, left) if left > self._tables.n_bytes else wanted
            self._held.enter_context(card.leases.take(amount, "a sweep"))
        except BudgetError as error:
            self._full.append(f"{card}: {error}")
            return
        self._used.append(card.number)
        try:
            with self._cupy.cuda.Device(card.number):
                shared = put_tables(self._cupy, self._tables)
                kernel = self._compile()
                while rows >= THREADS:
                    if lanes := self._open_lanes(card, kernel, shared, rows, widths):
                        self._lanes += lanes
                        return
                    # Only here nothing refers to a lane that was half made any more.
                    self._cupy.get_default_memory_pool().free_all_blocks()
                    rows = rows // 2 // THREADS * THREADS
        except self._errors as error:
            if not is_full(error):
                self._said.append(f"{card}: {error}")
                return
        self._full.append(f"{card}: {card.free / GIB:.3g} GiB free of {card.total / GIB:.3g} GiB")

    def _open_lanes(
        self, card: Card, kernel: Any, shared: tuple[Any, ...], rows: int, widths: tuple[int, int, int]
    ) -> list[Lane]:
        """As many lanes as a card gets, or none when they have no room."""
        try:
            return [Lane(self._cupy, card, kernel, shared, rows, widths, self._real) for _ in range(LANES)]
        except self._errors as error:
            if not is_full(error):
                raise
            return []

    def check(self) -> None:
        """Raise when no card is ready."""
        if self._lanes:
            return
        if self._said:
            raise NoCardError("; ".join(self._said))
        raise BudgetError(
            f"out of memory on every card: the tables take {self._tables.n_bytes / GIB:.3g} GiB, and "
            f"{THREADS} combinations have no room beside them",
            seen="; ".join(self._full),
            hint='free memory on the card, take fewer values or bars, or engine="cpu"',
        )

    def _compile(self) -> Any:
        module = self._cupy.RawModule(code=self._source, options=COMPILER_OPTIONS, backend="nvrtc")
        try:
            return module.get_function("kernel_0")
        except self._cupy.cuda.compiler.CompileException as error:
            raise UnsupportedError(
                "engine 'cuda' refuses: NVIDIA's compiler does not take the kernel",
                seen=str(error),
                hint='use engine="cpu"; and tell us, with the strategy',
            ) from error

    def work(
        self,
        cut: Callable[[int], Batch | None],
        take: Callable[[Batch, npt.NDArray[Any]], None],
        give_back: Callable[[Batch], None],
    ) -> None:
        """Until nothing is left: every free lane gets a batch, and the first that is done is emptied."""
        self.check()
        lost = self._errors
        while True:
            for lane in list(self._lanes):
                if lane.batch is None and lane in self._lanes and (batch := cut(lane.rows)) is not None:
                    try:
                        lane.start(batch)
                    except lost as error:
                        self._drop(lane, error, give_back)
            busy = [lane for lane in self._lanes if lane.batch is not None]
            if not busy:
                return
            # Whoever is done first; when nobody is, the one that began first is waited for.
            for k, lane in enumerate((*busy, busy[0])):
                try:
                    if k < len(busy) and not lane.is_done():
                        continue
                    batch, sums = lane.finish()
                except lost as error:
                    self._drop(lane, error, give_back)
                    break
                take(batch, sums)
                self._lanes.remove(lane)
                self._lanes.append(lane)
                break

    def _drop(self, lane: Lane, error: Exception, give_back: Callable[[Batch], None]) -> None:
        """A card that failed gets nothing more; what it had begun goes to the others."""
        for one in [one for one in self._lanes if one.card.number == lane.card.number]:
            self._lanes.remove(one)
            if one.batch is not None:
                give_back(one.batch)
        if not self._lanes:
            raise NoCardError(f"{lane.card}: {error}") from error


def is_full(error: Exception) -> bool:
    """Whether memory ran out: of the card, or pinned memory of the host."""
    return type(error).__name__ == "OutOfMemoryError" or "MemoryAllocation" in str(error)
