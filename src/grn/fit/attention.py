"""Which attention kernel to train with on a card, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """An attention kernel and the reason for it."""

    name: str
    reason: str


def choose_kernel(capability: tuple[int, int] | None) -> Kernel:
    """Choose by compute capability; ``None`` is a card that is not known, or none.

    What each release supports is said in FlashAttention's own README: 2 needs Ampere (8.0) or newer, 3 is
    written with Hopper's wgmma and TMA (9.0) and does not run elsewhere, 4 is written for Blackwell (10.x).
     A guard that compares "8.9 or newer" accepts Ada for 3 wrongly.
    """
    match capability:
        case None:
            return Kernel("sdpa", "torch's own: no card is known, and it runs everywhere")
        case (9, 0):
            return Kernel(
                "flash3", "Hopper: FlashAttention-3 uses wgmma and TMA, which only Hopper has; else sdpa"
            )
        case (10, _):
            return Kernel(
                "flash4", "datacentre Blackwell: FlashAttention-4 is written for its tensor memory; else sdpa"
            )
        case (12, _):
            return Kernel("sdpa", "consumer Blackwell has neither wgmma nor tensor memory: torch's own, or "
                          "FlashAttention-2 for packed sequences")  # fmt: skip
        case (8, minor):
            name = "Ada" if minor == 9 else "Ampere"
            return Kernel(
                "sdpa",
                f"{name}: torch's own is FlashAttention-2 inside; the package flash-attn only adds packed "
                "sequences. FlashAttention-3 needs Hopper",
            )
    return Kernel(
        "sdpa", "older than Ampere: FlashAttention-2 does not run; torch's memory-efficient kernel does"
    )
