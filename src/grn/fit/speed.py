"""Tokens per second: how fast a model reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from grn.fit.architecture import Architecture, cache_bytes

CARD_LAYER_S = 1e-4
"""Time of a layer that no bandwidth explains (launches, small kernels, waiting), seconds, for llama.cpp on
CUDA.

The one constant of the prediction for cards, and the same for all.  With the data sheet's bandwidth taken
as it is, six published speeds ask for 0.088 to 0.124 ms a layer: it is their common size, rounded to one
digit.
"""
PREFILL_SHARE = 0.5
"""Share of a card's dense 16-bit products that reading a prompt reaches; half is customary, and a guess."""


@dataclass(frozen=True)
class Speed:
    """Tokens per second.

    Attributes
    ----------
    decode
        Written, one after the other: every weight is read for each.
    prefill
        Read, a prompt at a time; ``None`` where the processor's products are not known.
    read_bytes
        What one written token reads: weights, and the cache so far.
    """

    decode: float
    prefill: float | None
    read_bytes: float


def predict_speed(
    model: Architecture,
    read_bytes: float,
    *,
    bandwidth_gb_s: float,
    tflops: float | None = None,
    tokens: int = 0,
    layer_s: float = CARD_LAYER_S,
) -> Speed:
    """Predict how fast a model writes and reads.

    Parameters
    ----------
    model
        The architecture.
    read_bytes
        Bytes of weights that one token needs (`grn.fit.quantisation.Weights.read`).
    bandwidth_gb_s
        Of the memory that holds them, 10⁹ bytes per second: of the data sheet for cards, measured for
        processors.
    tflops
        Dense 16-bit products, 10¹² a second.
    tokens
        Tokens in the cache: they are read as well.
    layer_s
        Time of a layer that bandwidth does not explain.
    """
    needed = read_bytes + cache_bytes(model, tokens)
    seconds = needed / (bandwidth_gb_s * 1e9) + model.layers * layer_s
    prefill = None if tflops is None else PREFILL_SHARE * tflops * 1e12 / (2 * model.active_parameters)
    return Speed(1 / seconds, prefill, needed)
