"""A double of the small part of CuPy that the launcher uses.  Not CuPy: no card, no compiler of NVIDIA.

Memory of a card is memory of this machine, a kernel runs through the shim.  What CuPy queues on a stream is
queued here too, and happens only when the stream is asked or waited for: a buffer that is filled again, or
read, too early shows.  Cards can be small, and can be lost after so many launches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np

from tests.quant.engine.cuda.shim import compile_source

H100 = {"ClockRate": 1_980_000, "MultiProcessorCount": 132, "SingleToDoublePrecisionPerfRatio": 2}


class RuntimeFailure(RuntimeError):
    """Stands for `CUDARuntimeError`."""


class DriverFailure(RuntimeError):
    """Stands for `CUDADriverError`."""


class CompileFailure(Exception):
    """Stands for `CompileException`."""


class OutOfMemoryError(MemoryError):
    """Stands for CuPy's error of that name."""


class DeviceArray:
    """Memory of a card."""

    def __init__(self, memory: np.ndarray, stream: Stream, owner: Card | None = None) -> None:
        self.memory, self.dtype, self._default, self._owner = memory, memory.dtype, stream, owner

    def __del__(self) -> None:
        if self._owner is not None:
            self._owner.used -= self.memory.nbytes

    def __getitem__(self, part: slice) -> DeviceArray:
        return DeviceArray(self.memory[part], self._default)

    def set(self, values: np.ndarray, stream: Stream | None = None) -> None:
        assert values.shape == self.memory.shape
        assert values.dtype == self.dtype
        if stream is None:
            self.memory[:] = values
            return
        stream.queue.append(lambda: np.copyto(self.memory, values))

    def get(self, *, stream: Stream, out: np.ndarray, blocking: bool) -> None:
        assert not blocking
        assert out.shape == self.memory.shape
        stream.queue.append(lambda: np.copyto(out, self.memory))


class Card:
    """One card of the machine."""

    def __init__(self, number: int, total: int, lost_after: int | None) -> None:
        self.number, self.total, self.used, self.lost_after = number, total, 0, lost_after
        self.launches = 0

    def check(self) -> None:
        if self.lost_after is not None and self.launches > self.lost_after:
            raise RuntimeFailure("cudaErrorDeviceUnavailable: the double has lost its card")


class Stream:
    """A queue of what is still to happen."""

    def __init__(self, double: CupyDouble, card: Card) -> None:
        self._double, self.card = double, card
        self.queue: deque[Callable[[], None]] = deque()

    def __enter__(self) -> Self:
        self._double.streams.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._double.streams.pop()

    @property
    def done(self) -> bool:
        """Whether nothing is left; asking lets one thing happen."""
        self.card.check()
        if self.queue:
            self.queue.popleft()()
        return not self.queue

    def synchronize(self) -> None:
        self.card.check()
        while self.queue:
            self.queue.popleft()()


class CupyDouble:
    """What `import cupy` would give.

    Parameters
    ----------
    folder
        Where kernels are compiled.
    cards
        Bytes of memory per card.
    lost_after
        For a card by number: launches after which it stops answering.
    facts
        Attributes of each card.
    """

    def __init__(
        self,
        folder: Path,
        cards: tuple[int, ...] = (1 << 30,),
        lost_after: Mapping[int, int] | None = None,
        facts: Mapping[str, int] = H100,
    ) -> None:
        self._folder, self._facts = folder, dict(facts)
        self.cards = [Card(k, total, (lost_after or {}).get(k)) for k, total in enumerate(cards)]
        self.streams: list[Stream] = []
        self._current: list[Card] = []
        self.cuda = SimpleNamespace(
            Device=self._device,
            Stream=lambda *, non_blocking: Stream(self, self.current),
            alloc_pinned_memory=bytearray,
            runtime=SimpleNamespace(
                getDeviceCount=self._count,
                getDeviceProperties=lambda number: {
                    "name": b"a double of a card",
                    "uuid": bytes([number] * 16),
                },
                CUDARuntimeError=RuntimeFailure,
            ),
            driver=SimpleNamespace(CUDADriverError=DriverFailure),
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            compiler=SimpleNamespace(CompileException=CompileFailure),
        )

    @property
    def current(self) -> Card:
        """The card that allocations and launches go to."""
        return self._current[-1] if self._current else self.cards[0]

    def _count(self) -> int:
        if not self.cards:
            raise RuntimeFailure("cudaErrorNoDevice: no CUDA-capable device is detected")
        return len(self.cards)

    def _device(self, number: int) -> Any:
        card, double = self.cards[number], self

        class Device:
            attributes = double._facts
            compute_capability = "90"
            mem_info = property(lambda _: (card.total - card.used, card.total))

            def __enter__(self) -> Self:
                double._current.append(card)
                return self

            def __exit__(self, *_: object) -> None:
                double._current.pop()

        return Device()

    def empty(self, length: int, *, dtype: np.dtype[Any]) -> DeviceArray:
        """Memory of the current card, filled with what nobody wrote."""
        self.current.check()
        wanted = length * np.dtype(dtype).itemsize
        if self.current.used + wanted > self.current.total:
            raise OutOfMemoryError(f"Out of memory allocating {wanted:,} bytes")
        self.current.used += wanted
        filled = np.full(wanted, 0xA5, dtype=np.uint8).view(dtype)
        return DeviceArray(filled, Stream(self, self.current), self.current)

    def get_default_memory_pool(self) -> Any:
        """Blocks are freed when their array goes."""
        return SimpleNamespace(free_all_blocks=lambda: None)

    def RawModule(self, *, code: str, options: tuple[str, ...], backend: str) -> Any:
        """A module whose kernels run through the shim."""
        assert backend == "nvrtc"
        assert "--fmad=false" in options
        real = "float" if code.startswith("typedef float real;") else "double"
        return SimpleNamespace(get_function=lambda name: self._function(code, real, name))

    def _function(self, code: str, real: Any, name: str) -> Callable[..., None]:
        if "#error" in code:
            raise CompileFailure("a source that does not compile")
        library = compile_source(self._folder, code, real)

        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            stream = self.streams[-1]
            assert stream.card is self.current
            assert grid[0] * block[0] >= arguments[6]
            stream.card.launches += 1
            raw = [a.memory.ctypes.data if isinstance(a, DeviceArray) else a.item() for a in arguments]
            stream.queue.append(lambda: library.launch(int(name.removeprefix("kernel_")), raw))

        return launch
