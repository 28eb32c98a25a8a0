from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grn.fit.configs import SUPPORTED, parse_config, read_config
from grn.fit.known import MODELS
from grn.kit.errors import DataError, UnsupportedError

LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
    "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings":
    131072, "tie_word_embeddings": False,
}  # fmt: skip
# The figures of the models' own configs, as published.
CONFIGS: dict[str, dict[str, Any]] = {
    "Llama-3.1-8B": LLAMA,
    "Qwen2.5-7B": {
        "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28,
        "num_hidden_layers": 28, "num_key_value_heads": 4, "vocab_size": 152064, "sliding_window": 131072,
        "use_sliding_window": False, "max_position_embeddings": 131072, "tie_word_embeddings": False,
    },
    "Gemma-3-270M": {
        "model_type": "gemma3_text", "hidden_size": 640, "intermediate_size": 2048, "num_attention_heads": 4,
        "num_hidden_layers": 18, "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262144,
        "sliding_window": 512, "max_position_embeddings": 131072,
        "layer_types": [*["sliding_attention"] * 5, "full_attention"] * 3,
    },
    "Mixtral-8x7B": {
        "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 32000, "num_local_experts": 8,
        "num_experts_per_tok": 2, "sliding_window": None, "max_position_embeddings": 32768,
    },
    "DeepSeek-V3": {
        "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
        "num_attention_heads": 128, "num_hidden_layers": 61, "num_key_value_heads": 128, "vocab_size": 129280,
        "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
        "v_head_dim": 128,
        "n_routed_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 2048,
        "n_shared_experts": 1, "first_k_dense_replace": 3, "max_position_embeddings": 163840,
    },
    "GPT-2": {
        "model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024,
        "vocab_size": 50257,
    },
    "Apertus-8B": {
        "model_type": "apertus", "hidden_size": 4096, "intermediate_size": 21504, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 131072, "max_position_embeddings":
        65536,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_the_bundled_architecture(tmp_path: Path, name: str) -> None:
    """A model's published config says what the table says: both were written from it by different hands."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIGS[name]))
    assert read_config(folder) == MODELS[name]
    assert read_config(folder / "config.json") == MODELS[name]


def test_a_model_that_also_sees_is_its_language_part() -> None:
    """Figures of `text_config` win."""
    inner = {key: value for key, value in CONFIGS["Gemma-3-270M"].items() if key != "model_type"}
    outer = {"model_type": "gemma3", "text_config": inner, "vision_config": {"hidden_size": 1}}
    assert parse_config(outer, "Gemma-3-270M") == MODELS["Gemma-3-270M"]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"model_type": "mamba"}, UnsupportedError, "not known here"),
        ({"model_type": None}, UnsupportedError, "not known here"),
        ({"hidden_size": None}, DataError, "lacks a figure"),
        ({"hidden_size": "4096"}, DataError, "no count"),
        ({"num_hidden_layers": -1}, DataError, "no count"),
        ({"vocab_size": True}, DataError, "no count"),
    ],
)
def test_a_config_that_cannot_be_is_refused(
    change: dict[str, Any], error: type[Exception], says: str
) -> None:
    """Named figure, value seen; an unknown architecture lists the known ones."""
    with pytest.raises(error, match=says) as caught:
        parse_config({**LLAMA, **change}, "x")
    if error is UnsupportedError:
        assert all(kind in str(caught.value.hint) for kind in SUPPORTED)  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "version https://git-lfs.github.com/spec/v1", "[1, 2]", "null", "\xff"])
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str) -> None:
    """A pointer of Git LFS, a page, another JSON; and a file that is not there."""
    file = tmp_path / "config.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(DataError):
        read_config(file)
    with pytest.raises(DataError, match="cannot be read"):
        read_config(tmp_path / "none.json")
