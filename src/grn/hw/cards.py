"""NVIDIA cards: what the driver says of them, and what their data sheets add."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

QUERY: Final = (
    "nvidia-smi",
    "--query-gpu=uuid,name,memory.total,memory.used,driver_version,compute_cap",
    "--format=csv,noheader,nounits",
)
_MIB_IN_GIB = 1024
_GENERATIONS: Final = {
    (7, 0): "Volta",
    (7, 5): "Turing",
    (8, 0): "Ampere",
    (8, 6): "Ampere",
    (8, 9): "Ada",
    (9, 0): "Hopper",
    (10, 0): "Blackwell",
    (10, 3): "Blackwell",
    (12, 0): "Blackwell",
}


@dataclass(frozen=True)
class CardModel:
    """A card of NVIDIA's data sheets.

    Attributes
    ----------
    name
        As the driver writes it, without the maker.
    capability
        Compute capability, major and minor.
    memory_gib
        As the driver reports it: what the data sheet calls GB is GiB, less what the card keeps.
    bandwidth_gb_s
        Of its memory, 10⁹ bytes per second.
    bf16_tflops
        Dense matrix products in 16 bits with sums in 32; of laptops' at the highest boost clock.
    """

    name: str
    capability: tuple[int, int]
    memory_gib: float
    bandwidth_gb_s: float
    bf16_tflops: float

    @property
    def generation(self) -> str:
        """Name of its architecture."""
        return _GENERATIONS[self.capability]


# Data sheets and architecture white papers of NVIDIA: Volta (2017), Turing (2018), Ampere (2020), Ada (2022),
# Hopper (2022), RTX Blackwell (2025). Volta and Turing have no bf16: the figure is of fp16.
MODELS: Final = tuple(
    CardModel(name, capability, gib, bandwidth, tflops)
    for name, capability, gib, bandwidth, tflops in (
        ("GeForce RTX 2060", (7, 5), 6, 336, 26),
        ("GeForce RTX 2080 Ti", (7, 5), 11, 616, 57),
        ("GeForce RTX 3050 Laptop GPU", (8, 6), 4, 192, 14),
        ("GeForce RTX 3060", (8, 6), 12, 360, 25),
        ("GeForce RTX 3060 Laptop GPU", (8, 6), 6, 336, 26),
        ("GeForce RTX 3070", (8, 6), 8, 448, 40.6),
        ("GeForce RTX 3070 Laptop GPU", (8, 6), 8, 448, 32),
        ("GeForce RTX 3080", (8, 6), 10, 760, 59.5),
        ("GeForce RTX 3090", (8, 6), 24, 936, 71),
        ("GeForce RTX 3090 Ti", (8, 6), 24, 1008, 80),
        ("GeForce RTX 4050 Laptop GPU", (8, 9), 6, 192, 24),
        ("GeForce RTX 4060", (8, 9), 8, 272, 30),
        ("GeForce RTX 4060 Laptop GPU", (8, 9), 8, 256, 29),
        ("GeForce RTX 4060 Ti", (8, 9), 8, 288, 44),
        ("GeForce RTX 4070", (8, 9), 12, 504, 58.3),
        ("GeForce RTX 4070 Laptop GPU", (8, 9), 8, 256, 40),
        ("GeForce RTX 4070 SUPER", (8, 9), 12, 504, 71),
        ("GeForce RTX 4070 Ti", (8, 9), 12, 504, 80.2),
        ("GeForce RTX 4080", (8, 9), 16, 717, 97.5),
        ("GeForce RTX 4080 Laptop GPU", (8, 9), 12, 432, 67),
        ("GeForce RTX 4090", (8, 9), 24, 1008, 165.2),
        ("GeForce RTX 4090 Laptop GPU", (8, 9), 16, 576, 79),
        ("GeForce RTX 5060 Ti", (12, 0), 16, 448, 47),
        ("GeForce RTX 5070", (12, 0), 12, 672, 61.7),
        ("GeForce RTX 5070 Laptop GPU", (12, 0), 8, 384, 46),
        ("GeForce RTX 5070 Ti", (12, 0), 16, 896, 87.9),
        ("GeForce RTX 5080", (12, 0), 16, 960, 112.6),
        ("GeForce RTX 5090", (12, 0), 32, 1792, 209.5),
        ("Tesla T4", (7, 5), 15, 320, 65),
        ("Tesla V100-SXM2-16GB", (7, 0), 16, 900, 125),
        ("Tesla V100-SXM2-32GB", (7, 0), 32, 900, 125),
        ("A10", (8, 6), 22.5, 600, 125),
        ("L4", (8, 9), 22.5, 300, 121),
        ("L40S", (8, 9), 45, 864, 362),
        ("RTX A6000", (8, 6), 48, 768, 155),
        ("RTX 6000 Ada Generation", (8, 9), 48, 960, 364),
        ("A100-SXM4-40GB", (8, 0), 40, 1555, 312),
        ("A100-SXM4-80GB", (8, 0), 80, 2039, 312),
        ("A100 80GB PCIe", (8, 0), 80, 1935, 312),
        ("H100 80GB HBM3", (9, 0), 79.6, 3352, 989),
        ("H100 PCIe", (9, 0), 79.6, 2039, 756),
        ("H200", (9, 0), 140.4, 4800, 989),
        ("B200", (10, 0), 179, 8000, 2250),
    )
)
_SHORT: Final = {
    "A100": "A100-SXM4-80GB",
    "H100": "H100 80GB HBM3",
    "V100": "Tesla V100-SXM2-32GB",
    "T4": "Tesla T4",
}


@dataclass(frozen=True)
class Gpu:
    """A card of this machine; ``None`` is unknown.

    Attributes
    ----------
    uuid, name, driver
        As the driver tells them.
    memory_gib, used_gib
        All of its memory, and what is taken now by the driver, the desktop and other programs, GiB.
    capability
        Compute capability, such as ``8.9``.
    generation
        Name of its architecture.
    bandwidth_gb_s
        Of its memory, 10⁹ bytes per second, from the data sheet.
    """

    uuid: str | None
    name: str
    memory_gib: float | None
    used_gib: float | None
    driver: str | None
    capability: str | None
    generation: str | None
    bandwidth_gb_s: float | None


def parse_cards(listed: str) -> tuple[Gpu, ...]:
    """Read what the driver answered to `QUERY`; a driver without a card says a sentence and has none."""
    found = []
    for line in listed.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) < 6 or not fields[-4].isdecimal():
            continue
        uuid, name = fields[0], ", ".join(fields[1:-4])  # a name may hold commas
        mib, used_mib, driver, capability = fields[-4:]
        model = find_model(name)
        known = re.fullmatch(r"(\d+)\.(\d+)", capability)
        found.append(
            Gpu(
                uuid,
                name,
                int(mib) / _MIB_IN_GIB,
                int(used_mib) / _MIB_IN_GIB if used_mib.isdecimal() else None,
                driver,
                capability if known else None,
                _GENERATIONS.get((int(known[1]), int(known[2]))) if known else None,
                model.bandwidth_gb_s if model else None,
            )
        )
    return tuple(found)


def find_model(name: str) -> CardModel | None:
    """The data sheet of a card by its name, as a driver or a person writes it; ``None`` if there is none.

    Case, the maker's name, "GeForce" and spaces do not matter: ``rtx 4090`` is ``NVIDIA GeForce RTX 4090``.
    """
    wanted = _plain(_SHORT.get(name.strip().upper(), name))
    return next((model for model in MODELS if _plain(model.name) == wanted), None)


def _plain(name: str) -> str:
    words = re.sub(r"nvidia|geforce|tesla|\bgpu\b", " ", name.lower())
    return re.sub(r"[^a-z0-9]", "", words)
