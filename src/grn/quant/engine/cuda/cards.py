"""The cards of this machine, as CuPy sees them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final
from uuid import UUID

from grn.hw.lease import Leases
from grn.kit.errors import MissingError, require_extra
from grn.kit.paths import cache_dir
from grn.quant.engine.cuda.prelude import Real

CuPy = Any
"""The module `cupy`, or what stands in for it in tests: it has no types."""

_ISSUED: Final = 128
"""Instructions of threads that a multiprocessor begins per clock: four schedulers, 32 threads each."""
_LANES: Final = {"80": 64}
"""Float32 operations that a multiprocessor starts per clock, by compute capability; 128 elsewhere."""
_DOUBLE_RATIO: Final = {"80": 2, "90": 2, "100": 2}
"""How many times faster float32 is than float64, where the driver does not tell; 64 elsewhere."""


@dataclass(frozen=True)
class Card:
    """Facts about one card.

    Attributes
    ----------
    number
        As CUDA counts them.
    uuid
        Name that no other card has, as the driver spells it.
    capability
        Compute capability, such as ``"89"``.
    processors
        Multiprocessors.
    clock_hz
        Highest clock of the multiprocessors.
    double_ratio
        How many times faster float32 is than float64.
    free, total
        Bytes of memory: free now, less what other processes of ours have leased, and in all.
    """

    number: int
    uuid: str
    name: str
    capability: str
    processors: int
    clock_hz: float
    double_ratio: int
    free: int
    total: int

    @property
    def leases(self) -> Leases:
        """Who of our processes holds how much of its memory."""
        return Leases(self.uuid, self.total)

    @property
    def instructions(self) -> float:
        """Instructions of any kind that all threads together can begin per second, at the highest clock."""
        return self.processors * _ISSUED * self.clock_hz

    def operations(self, real: Real) -> float:
        """Floating-point operations of all threads per second: an addition, a product, a comparison each."""
        single = self.processors * _LANES.get(self.capability, 128) * self.clock_hz
        return single / self.double_ratio if real == "double" else single

    def __str__(self) -> str:
        return f"{self.name} (card {self.number})"


def is_installed() -> bool:
    """Whether CuPy could be imported; nothing is."""
    return find_spec("cupy") is not None


def load_cupy() -> CuPy:
    """Import CuPy; what it compiles is kept under ``cupy`` in the cache folder, or where it is told to.

    Raises
    ------
    MissingExtraError
        It is not installed; the hint is the command that installs it.
    """
    os.environ.setdefault("CUPY_CACHE_DIR", str(cache_dir() / "cupy"))
    return require_extra("cupy", "cuda")


def errors_of(cupy: CuPy) -> tuple[type[Exception], ...]:
    """What CUDA raises when a card does not do what it was asked for."""
    return cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError


def find_cards(cupy: CuPy) -> tuple[Card, ...]:
    """Every card, with what is free on it.

    Raises
    ------
    MissingError
        There is no card, or no driver that CuPy can use; the message has what CUDA says.
    """
    try:
        count, said = int(cupy.cuda.runtime.getDeviceCount()), "it counts no card"
        cards = tuple(_look_at(cupy, number) for number in range(count))
    except errors_of(cupy) as error:
        cards, said = (), str(error)
    if not cards:
        raise MissingError(
            "engine 'cuda' finds no NVIDIA card",
            seen=said,
            hint='`nvidia-smi` must list one, with a driver of version 580 or newer; or take engine="cpu"',
        )
    return cards


def _look_at(cupy: CuPy, number: int) -> Card:
    device = cupy.cuda.Device(number)
    with device:
        free, total = device.mem_info
    facts = device.attributes
    capability = str(device.compute_capability)
    known = cupy.cuda.runtime.getDeviceProperties(number)
    name, uuid = known["name"], f"GPU-{UUID(bytes=bytes(known['uuid']))}"
    ratio = facts.get("SingleToDoublePrecisionPerfRatio") or _DOUBLE_RATIO.get(capability, 64)
    return Card(
        number=number,
        uuid=uuid,
        name=name.decode() if isinstance(name, bytes) else str(name),
        capability=capability,
        processors=int(facts["MultiProcessorCount"]),
        clock_hz=1e3 * facts["ClockRate"],
        double_ratio=int(ratio),
        free=min(int(free), Leases(uuid, int(total)).free()),
        total=int(total),
    )
