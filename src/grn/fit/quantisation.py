"""Bytes of a model's weights under llama.cpp's quantisations, matrix by matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from grn.fit.architecture import Architecture
from grn.kit.errors import UsageError

BITS: Final = {
    "F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_K": 5.5, "Q5_1": 6.0,
    "Q5_0": 5.5, "Q4_K": 4.5, "Q4_1": 5.0, "Q4_0": 4.5, "IQ4_NL": 4.5, "Q3_K": 3.4375, "Q2_K": 2.625,
}  # fmt: skip
"""Bits of a weight with its share of the block's scale: the layout of ggml's blocks."""

_FALLBACK: Final = {"Q3_K": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
"""What llama.cpp takes where a row is not a multiple of 256 weights."""
_SUPER_BLOCK = 256


@dataclass(frozen=True)
class Weights:
    """Bytes of a model's weights.

    Attributes
    ----------
    total
        All of them: the file, less its header.
    read
        Those that one token needs: without the embedding's other rows, without experts that it does not go
        through.
    """

    total: float
    read: float


def weigh(model: Architecture, quantisation: str) -> Weights:
    """Bytes of a model under a quantisation.

    Parameters
    ----------
    model
        The architecture.
    quantisation
        A name of `QUANTISATIONS`, such as ``Q4_K_M``; upper or lower case.

    Raises
    ------
    UsageError
        An unknown quantisation.
    """
    name = quantisation.upper()
    if name not in QUANTISATIONS:
        raise UsageError(
            "this quantisation is not known", seen=quantisation, hint=f"known are {', '.join(QUANTISATIONS)}"
        )
    base, choose = QUANTISATIONS[name]
    total = read = 0.0
    for layer in range(model.layers):
        for matrix in model.matrices(layer):
            kind = (
                "F32" if matrix.name == "ffn_gate_inp" else choose(matrix.name, layer, model.layers) or base
            )
            size = matrix.parameters * bits(kind, matrix.n_in) / 8
            total += size
            read += size * matrix.active / matrix.count
    total += model.small_parameters * 4
    read += model.small_parameters * 4
    end = model.vocabulary * model.hidden * bits(choose("output", 0, model.layers) or base, model.hidden) / 8
    embedding = (model.vocabulary + model.positions) * model.hidden * bits(base, model.hidden) / 8
    if model.encoder:
        return Weights(total + embedding, read)
    return Weights(total + end + (0 if model.tied else embedding), read + end)


def bits(kind: str, row: int) -> float:
    """Bits of a weight of one kind in rows of a length."""
    return BITS[_FALLBACK.get(kind, kind) if row % _SUPER_BLOCK else kind]


def name_quantisation(total_bytes: float, model: Architecture) -> str:
    """The quantisation under which a model comes nearest to a size."""
    return min(QUANTISATIONS, key=lambda name: abs(weigh(model, name).total - total_bytes))


def smaller(quantisation: str) -> Iterator[str]:
    """Quantisations below one, the largest first."""
    names = list(QUANTISATIONS)
    yield from names[names.index(quantisation.upper()) + 1 :]


Choice = Callable[[str, int, int], str | None]


def _more_bits(layer: int, layers: int) -> bool:
    """Whether llama.cpp gives a layer's sensitive matrices more bits: both ends, and every third."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _uniform(_name: str, _layer: int, _layers: int) -> str | None:
    return None


def _output_q6(name: str, _layer: int, _layers: int) -> str | None:
    return "Q6_K" if name == "output" else None


def _medium(name: str, layer: int, layers: int) -> str | None:
    """Q4_K_M and Q5_K_M."""
    sensitive = name in ("attn_v", "attn_kv_b", "ffn_down") and _more_bits(layer, layers)
    return "Q6_K" if name == "output" or sensitive else None


def _small(name: str, layer: int, layers: int) -> str | None:
    """Q4_K_S."""
    sensitive = (name == "attn_v" and layer < 4) or (name == "ffn_down" and layer < layers // 8)
    return "Q6_K" if name == "output" else "Q5_K" if sensitive else None


def _q3_medium(name: str, layer: int, layers: int) -> str | None:
    match name:
        case "output":
            return "Q6_K"
        case "attn_v":
            return "Q5_K" if layer < 2 else "Q4_K"
        case "ffn_down":
            return "Q5_K" if layer < layers // 16 else "Q4_K" if _more_bits(layer, layers) else None
        case "attn_output":
            return "Q4_K"
    return None


QUANTISATIONS: Final[dict[str, tuple[str, Choice]]] = {
    "F32": ("F32", _uniform),
    "BF16": ("BF16", _uniform),
    "F16": ("F16", _uniform),
    "Q8_0": ("Q8_0", _uniform),
    "Q6_K": ("Q6_K", _uniform),
    "Q5_K_M": ("Q5_K", _medium),
    "Q4_K_M": ("Q4_K", _medium),
    "Q4_K_S": ("Q4_K", _small),
    "Q4_0": ("Q4_0", _output_q6),
    "Q3_K_M": ("Q3_K", _q3_medium),
}
"""Name, its ordinary kind, and which matrices get another: rules of llama.cpp's ``llama-quant.cpp``. The
larger first."""
