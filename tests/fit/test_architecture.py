from __future__ import annotations

import pytest

from grn.fit.architecture import Architecture, cache_bytes
from grn.fit.known import MODELS, find

# Parameters in 10⁹ as the makers' model cards and reports give them, or the sizes of their safetensors
# indices.
PUBLISHED = {
    "Llama-2-7B": 6.738, "Llama-2-13B": 13.016, "Llama-2-70B": 68.977, "Llama-3.1-8B": 8.030,
    "Llama-3.1-70B": 70.554, "Llama-3.2-1B": 1.236, "Llama-3.2-3B": 3.213, "TinyLlama-1.1B": 1.100,
    "Mistral-7B-v0.1": 7.242, "Mistral-7B-v0.3": 7.248, "Ministral-8B": 8.020, "Mistral-Nemo-12B": 12.248,
    "Mistral-Small-24B": 23.572, "Mixtral-8x7B": 46.703, "Qwen2.5-0.5B": 0.494, "Qwen2.5-1.5B": 1.544,
    "Qwen2.5-3B": 3.086, "Qwen2.5-7B": 7.616, "Qwen2.5-14B": 14.770, "Qwen2.5-32B": 32.764, "Qwen2.5-72B":
    72.706, "Qwen3-0.6B": 0.596, "Qwen3-8B": 8.191, "Qwen3-30B-A3B": 30.532, "Gemma-2-2B": 2.614,
    "Gemma-2-9B": 9.242, "Gemma-3-270M": 0.268, "Gemma-3-1B": 1.000, "Phi-3-mini": 3.821, "Phi-4": 14.660,
    "DeepSeek-V2-Lite": 15.706, "DeepSeek-V3": 671.026, "OLMo-2-7B": 7.299, "SmolLM2-1.7B": 1.711, "GPT-2":
    0.124, "BERT-base": 0.109,
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name: str) -> None:
    """Every matrix counted: within one part in two hundred of what the maker publishes."""
    assert MODELS[name].parameters / 1e9 == pytest.approx(PUBLISHED[name], rel=5e-3)


def test_a_token_goes_through_some_experts_only() -> None:
    """Mixtral: 12.9 of 46.7 B (arXiv:2401.04088, without the embedding); DeepSeek-V3: 37
    (arXiv:2412.19437).
    """
    assert MODELS["Mixtral-8x7B"].active_parameters / 1e9 == pytest.approx(12.88, abs=0.15)
    assert MODELS["DeepSeek-V3"].active_parameters / 1e9 == pytest.approx(37, abs=0.5)


def test_caches_are_what_their_attention_keeps() -> None:
    """Computed by hand. Grouped queries: 2 × 32 layers × 8 heads × 128 × 2 bytes are 128 KiB a token for
    Llama 3.1 8B, and four times as much without groups in Llama 2. Latent: 61 × (512 + 64) × 2 are 70,272
    for DeepSeek-V3.
    """
    assert cache_bytes(MODELS["Llama-3.1-8B"], 8192) == 2**30
    assert cache_bytes(MODELS["Llama-2-7B"], 1) == 512 << 10
    assert cache_bytes(MODELS["DeepSeek-V3"], 1) == 70_272
    assert cache_bytes(MODELS["Llama-3.1-8B"], 8192, 8.5 / 8) == 2**30 * 8.5 / 16
    assert cache_bytes(MODELS["BERT-base"], 512) == 0


def test_a_window_bounds_the_cache() -> None:
    """Gemma 3 1B: 22 of 26 layers keep 512 tokens at most, 4 everything; below the window nothing is
    saved.
    """
    gemma, token = MODELS["Gemma-3-1B"], 2 * 1 * 256 * 2
    assert (gemma.window, gemma.full_layers) == (512, 4)
    assert cache_bytes(gemma, 32_768) == token * (4 * 32_768 + 22 * 512)
    assert cache_bytes(gemma, 100) == token * 26 * 100
    mistral = MODELS["Mistral-7B-v0.1"]
    assert cache_bytes(mistral, 32_768) == cache_bytes(mistral, 4096)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("llama3.1:8b", "Llama-3.1-8B"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("qwen2.5:7b", "Qwen2.5-7B"),
        ("Qwen/Qwen2.5-7B-Instruct", "Qwen2.5-7B"),
        ("deepseek-coder:6.7b", "DeepSeek-Coder-6.7B"),
        ("google/gemma-3-4b-it", "Gemma-3-4B"),
        ("mistralai/Ministral-8B-Instruct-2410", "Ministral-8B"),
        ("bert-base-uncased", "BERT-base"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "Qwen2.5-7B"),
        ("Qwen/Qwen2.5-Coder-7B-Instruct", "Qwen2.5-7B"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "Mistral-7B-v0.3"),
        ("HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M"),
        ("microsoft/Phi-3-mini-4k-instruct", "Phi-3-mini"),
        ("codellama/CodeLlama-34b-hf", "CodeLlama-34B"),
        ("llama-4", None),
        ("", None),
    ],
)
def test_models_are_found_by_any_of_their_names(said: str, name: str | None) -> None:
    """As a hub, Ollama or a person writes them; never a neighbour."""
    found = find(said)
    assert (found.name if found else None) == name


def test_a_model_describes_itself() -> None:
    """One line with what decides memory."""
    assert MODELS["Gemma-3-1B"].describe() == (
        "1 B parameters, 26 layers, 4 heads of 256, 1 of keys and values, window of 512"
    )
    assert (
        MODELS["DeepSeek-V3"].describe() == "671 B parameters, 61 layers, latent attention, 8 of 256 experts"
    )
    assert (
        Architecture("x", 1, 8, 2, 2, 4, 16, 10).describe() == "8.24e-07 B parameters, 1 layers, 2 heads of 4"
    )
