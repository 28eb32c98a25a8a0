"""Architectures out of ``config.json``, as Hugging Face writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from grn.fit.architecture import Architecture, Experts, Latent
from grn.kit.errors import DataError, UnsupportedError

_GATED: Final = frozenset({
    "cohere", "deepseek_v2", "deepseek_v3", "exaone4", "gemma", "gemma2", "gemma3", "gemma3_text", "granite",
    "internlm3", "llama", "ministral", "mistral", "mistral3", "mixtral", "olmo", "olmo2", "olmo3", "phi3",
    "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "seed_oss", "smollm3", "stablelm",
})  # fmt: skip
_PLAIN: Final = frozenset({
    "apertus", "arcee", "bert", "gpt2", "gpt_neox", "nemotron", "phi", "roberta", "starcoder2",
})  # fmt: skip
_ENCODERS: Final = frozenset({"bert", "roberta"})
_TIED: Final = frozenset({"gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "cohere"})
_BIASED: Final = frozenset({"qwen2", "qwen2_moe", "gpt2", "bert", "roberta", "gpt_neox", "phi", "starcoder2"})
SUPPORTED: Final = tuple(sorted(_GATED | _PLAIN))
"""Values of ``model_type`` that are understood."""


def read_config(path: Path) -> Architecture:
    """Read a ``config.json``, or the one in a folder.

    Raises
    ------
    DataError
        It is not there, is no JSON, or lacks a figure.
    UnsupportedError
        An architecture whose memory does not follow from the figures known here.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            "the model's config cannot be read", seen=f"{file}: {error.strerror}", hint="name a config.json"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{file} is no JSON", seen=str(error), hint="download it again: it may be a pointer, or a page"
        ) from error
    name = file.parent.name if file.name == "config.json" else file.stem
    return parse_config(config, name)


def parse_config(config: object, name: str) -> Architecture:
    """Make an architecture of the content of a ``config.json``; see :func:`read_config` for errors."""
    if not isinstance(config, Mapping):
        raise DataError("the model's config is no table", seen=config, hint="name a config.json")
    kind = str(config.get("model_type"))
    inner = config.get("text_config")  # a model that also sees: its language part decides
    figures: Mapping[str, Any] = {**config, **inner} if isinstance(inner, Mapping) else config
    if kind not in SUPPORTED:
        raise UnsupportedError(
            "this architecture is not known here",
            seen=kind,
            hint=f"known are {', '.join(SUPPORTED)}",
        )
    hidden = _figure(figures, "hidden_size", "n_embd")
    heads = _figure(figures, "num_attention_heads", "n_head")
    layers = _figure(figures, "num_hidden_layers", "n_layer")
    head_dim = _figure(figures, "head_dim", default=max(1, hidden // heads))
    latent = _latent(figures)
    window, full = _window(figures, kind, layers)
    context = _figure(figures, "max_position_embeddings", "n_positions", default=4096)
    return Architecture(
        str(config.get("_name_or_path") or name),
        layers, hidden, heads,
        _figure(figures, "num_key_value_heads", default=heads),
        head_dim if latent is None else latent.nope_dim + latent.rope_dim,
        _figure(figures, "intermediate_size", "n_inner", default=4 * hidden),
        _figure(figures, "vocab_size"),
        tied=bool(figures.get("tie_word_embeddings", config.get("tie_word_embeddings", kind in _TIED))),
        gated=kind in _GATED,
        context=context,
        window=window,
        full_layers=full,
        latent=latent,
        experts=_experts(figures),
        positions=context if kind in {"gpt2", "bert", "roberta"} else 0,
        bias=bool(figures.get("attention_bias", kind in _BIASED)),
        encoder=kind in _ENCODERS,
    )  # fmt: skip


def _figure(figures: Mapping[str, Any], *names: str, default: int | None = None) -> int:
    for name in names:
        value = figures.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        if value is not None:
            raise DataError(f"{name} of the model's config is no count", seen=value, hint="check the file")
    if default is None:
        raise DataError(
            "the model's config lacks a figure", seen=names[0], hint="is it the config of a language model?"
        )
    return default


def _latent(figures: Mapping[str, Any]) -> Latent | None:
    if not figures.get("kv_lora_rank"):
        return None
    return Latent(
        _figure(figures, "kv_lora_rank"),
        _figure(figures, "qk_rope_head_dim"),
        _figure(figures, "qk_nope_head_dim"),
        _figure(figures, "v_head_dim"),
        _figure(figures, "q_lora_rank") if figures.get("q_lora_rank") else None,
    )


def _experts(figures: Mapping[str, Any]) -> Experts | None:
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    if not any(figures.get(name) for name in names):
        return None
    return Experts(
        _figure({key: value for key, value in figures.items() if value}, *names),
        _figure(figures, "num_experts_per_tok"),
        _figure(figures, "moe_intermediate_size", "intermediate_size"),
        int(figures.get("n_shared_experts") or 0),
        int(figures.get("first_k_dense_replace") or 0),
    )


def _window(figures: Mapping[str, Any], kind: str, layers: int) -> tuple[int | None, int | None]:
    """The sliding window, and how many layers have none."""
    if not figures.get("sliding_window") or figures.get("use_sliding_window") is False:
        return None, None
    window = _figure(figures, "sliding_window")
    kinds = figures.get("layer_types")
    if isinstance(kinds, list):
        return window, sum(1 for each in kinds if each == "full_attention")
    every = figures.get("sliding_window_pattern") or {"gemma2": 2, "gemma3": 6, "gemma3_text": 6}.get(kind)
    return window, layers // int(every) if every else 0
