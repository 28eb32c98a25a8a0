"""The head of a GGUF file: its architecture, and the exact bytes of its tensors.

The package ``gguf`` reads these too, but makes an array of every token of the vocabulary: 14.6 s for 241
MiB of Gemma 3 270M (version 0.19), where the head without the vocabulary takes milliseconds.  The tests
write their files with it, and hold the sizes of blocks against its own.  Layout: ggml's ``docs/gguf.md``.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grn.fit.architecture import Architecture, Experts, Latent
from grn.fit.quantisation import Weights
from grn.kit.errors import DataError, UnsupportedError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST = 1 << 24
"""More keys, tensors or characters than any model has: the file is damaged, and nothing is allocated."""
_KEPT_ARRAY = 4096
_MOST_DIMS = 4

# ggml.h, ggml_type: number, name, weights in a block, bytes of a block.
TYPES: Final = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}  # fmt: skip
_KNOWN: Final = frozenset({
    "apertus", "arcee", "bert", "command-r", "deepseek2", "gemma", "gemma2", "gemma3", "gpt2", "granite",
    "llama", "mistral3", "nomic-bert", "olmo2", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "smollm3",
    "starcoder2",
})  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """A tensor: its name, its sides (the contiguous one first), its kind and its bytes."""

    name: str
    shape: tuple[int, ...]
    kind: str
    n_bytes: int


@dataclass(frozen=True)
class Head:
    """What a GGUF file begins with: keys with their values (long lists left out), and its tensors."""

    keys: dict[str, Any]
    tensors: tuple[Tensor, ...]


def read_head(path: Path) -> Head:
    """Read the head of a GGUF file.

    Raises
    ------
    DataError
        The file cannot be read, is none, is cut off or damaged; the message says where.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data, path).head()
    except OSError as error:
        raise DataError(
            "the model's file cannot be read", seen=f"{path}: {error.strerror}", hint="name a .gguf file"
        ) from error
    except ValueError as error:  # an empty file cannot be mapped
        raise _damaged(path, 0, "it is empty") from error


def read_model(path: Path) -> tuple[Architecture, Weights]:
    """Architecture and exact weights of a GGUF file.

    Raises
    ------
    DataError
        As :func:`read_head`, or a figure of the architecture is missing.
    UnsupportedError
        An architecture whose memory does not follow from the figures known here.
    """
    head = read_head(path)
    model = _architecture(head, path)
    total = sum(tensor.n_bytes for tensor in head.tensors)
    embedding = sum(tensor.n_bytes for tensor in head.tensors if tensor.name == "token_embd.weight")
    experts = sum(tensor.n_bytes for tensor in head.tensors if "_exps." in tensor.name)
    idle = experts * (1 - model.experts.active / model.experts.count) if model.experts else 0
    return model, Weights(total, total - idle - (0 if model.tied else embedding))


def _architecture(head: Head, path: Path) -> Architecture:
    keys = head.keys
    kind = keys.get("general.architecture")
    if kind not in _KNOWN:
        raise UnsupportedError(
            "this architecture is not known here", seen=kind, hint=f"known are {', '.join(sorted(_KNOWN))}"
        )

    def figure(name: str, default: int | None = None) -> int:
        value = keys.get(f"{kind}.{name}", default)
        if isinstance(value, list) and value:  # one figure a layer: the largest bounds memory
            value = max(value)
        if not isinstance(value, int) or value < 0:
            raise DataError(
                "the model's file lacks a figure",
                seen=f"{kind}.{name}",
                hint="download it again, or convert it anew",
            )
        return value

    shapes = {tensor.name: tensor.shape for tensor in head.tensors}
    layers, hidden, heads = figure("block_count"), figure("embedding_length"), figure("attention.head_count")
    window = figure("attention.sliding_window", 0) or None
    every = {"gemma2": 2, "gemma3": 6}.get(str(kind), 0)
    latent = None
    if f"{kind}.attention.kv_lora_rank" in keys:
        rope, value = figure("rope.dimension_count"), figure("attention.value_length_mla", 128)
        key = figure("attention.key_length_mla", value + rope)
        latent = Latent(
            figure("attention.kv_lora_rank"),
            rope,
            key - rope,
            value,
            figure("attention.q_lora_rank", 0) or None,
        )
    experts = None
    if figure("expert_count", 0):
        experts = Experts(
            figure("expert_count"), figure("expert_used_count"),
            figure("expert_feed_forward_length", figure("feed_forward_length", 0)),
            figure("expert_shared_count", 0), figure("leading_dense_block_count", 0),
        )  # fmt: skip
    vocabulary = shapes.get("token_embd.weight", (0, 0))[-1]
    return Architecture(
        str(keys.get("general.name") or path.stem),
        layers, hidden, heads, figure("attention.head_count_kv", heads),
        figure("attention.key_length", max(1, hidden // max(1, heads))),
        figure("feed_forward_length", 0), vocabulary,
        tied="output.weight" not in shapes,
        gated="blk.0.ffn_gate.weight" in shapes or experts is not None or kind == "phi3",
        context=figure("context_length", 4096), window=window,
        full_layers=None if window is None else layers // every if every else 0,
        latent=latent, experts=experts, encoder=kind in ("bert", "nomic-bert"),
    )  # fmt: skip


class _Reader:
    """Goes through the bytes; nothing outside the file is ever asked for."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data, self._path, self._at = data, path, 0

    def head(self) -> Head:
        if self._take(4) != _MAGIC:
            raise DataError(
                "this is no GGUF file", seen=str(self._path), hint="name a .gguf file, or a config.json"
            )
        version = self._number("I")
        if version not in _VERSIONS:
            raise self._damage(f"version {version}, not {' or '.join(map(str, _VERSIONS))}")
        n_tensors, n_keys = self._count("Q"), self._count("Q")
        keys = {}
        for _ in range(n_keys):
            name = self._text()
            keys[name] = self._value(self._number("I"))
        tensors = [self._tensor() for _ in range(n_tensors)]
        alignment = keys.get("general.alignment", 32)
        begins = (
            -(-self._at // alignment) * alignment
            if isinstance(alignment, int) and alignment > 0
            else self._at
        )
        needed = begins + sum(tensor.n_bytes for tensor in tensors)
        if needed > len(self._data):
            raise self._damage(f"its tensors need {needed:,} bytes, and it has {len(self._data):,}")
        return Head(keys, tuple(tensors))

    def _tensor(self) -> Tensor:
        name, n_dims = self._text(), self._number("I")
        if not 0 < n_dims <= _MOST_DIMS:
            raise self._damage(f"a tensor of {n_dims} dimensions")
        shape = tuple(self._number("Q") for _ in range(n_dims))
        kind = self._number("I")
        self._number("Q")
        if kind not in TYPES:
            raise self._damage(f"tensor {name!r} of unknown kind {kind}")
        label, block, size = TYPES[kind]
        weights = 1
        for side in shape:
            weights *= side
        return Tensor(name, shape, label, weights // block * size)

    def _value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            raise self._damage(f"a value of unknown kind {kind}")
        inner, n = self._number("I"), self._count("Q")
        if inner in _SCALARS:
            size = struct.calcsize(f"<{_SCALARS[inner]}")
            raw = self._take(n * size)
            return list(struct.unpack(f"<{n}{_SCALARS[inner]}", raw)) if n <= _KEPT_ARRAY else None
        if inner == _STRING:
            for _ in range(n):
                self._take(self._count("Q"))
            return None
        raise self._damage(f"a list of kind {inner}")

    def _text(self) -> str:
        return self._take(self._count("Q")).decode("utf-8", errors="replace")

    def _number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))[0]

    def _count(self, code: str) -> int:
        n = int(self._number(code))
        if n > _MOST:
            raise self._damage(f"a length of {n:,}")
        return n

    def _take(self, n: int) -> bytes:
        if self._at + n > len(self._data):
            raise self._damage("it ends there")
        self._at += n
        return self._data[self._at - n : self._at]

    def _damage(self, why: str) -> DataError:
        return _damaged(self._path, self._at, why)


def _damaged(path: Path, at: int, why: str) -> DataError:
    return DataError(
        f"{path.name} is damaged or cut off at byte {at:,}: {why}", seen=str(path), hint="download it again"
    )
