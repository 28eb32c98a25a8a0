from __future__ import annotations

import pytest

from grn.fit.known import MODELS
from grn.fit.quantisation import weigh
from grn.fit.speed import CARD_LAYER_S, predict_speed

# Published speeds, tokens per second. Ollama's tags are Q4_K_M, and Q4_0 for deepseek-coder. Bandwidths of
# NVIDIA's data sheets. RTX 4060 Laptop: public benchmark of Ollama models; the others: llama.cpp's GPU
# benchmarks of Llama 3.
PUBLISHED = [
    ("Llama-3.1-8B", "Q4_K_M", 256, 47.2),
    ("Qwen2.5-7B", "Q4_K_M", 256, 48.7),
    ("DeepSeek-Coder-6.7B", "Q4_0", 256, 56.6),
    ("Llama-3-8B", "Q4_K_M", 504, 83.5),
    ("Llama-3-8B", "Q4_K_M", 448, 72.8),
    ("Llama-3-8B", "Q4_K_M", 1008, 130.6),
]


@pytest.mark.parametrize(("name", "quantisation", "bandwidth", "published"), PUBLISHED)
def test_six_published_speeds(name: str, quantisation: str, bandwidth: float, published: float) -> None:
    """Within 4 % (10 are allowed), with one constant for all: a tenth of a millisecond for a layer."""
    model = MODELS[name]
    found = predict_speed(model, weigh(model, quantisation).read, bandwidth_gb_s=bandwidth)
    assert CARD_LAYER_S == 1e-4
    assert found.decode == pytest.approx(published, rel=0.04)


def test_a_long_conversation_is_read_too() -> None:
    """At 32,768 tokens Llama 3.1 8B reads 4 GiB of cache with every token: nearly half the speed."""
    model = MODELS["Llama-3.1-8B"]
    read = weigh(model, "Q4_K_M").read
    short, long = (predict_speed(model, read, bandwidth_gb_s=256, tokens=n) for n in (0, 32_768))
    assert long.read_bytes - short.read_bytes == 4 << 30
    assert long.decode == pytest.approx(1 / (1 / short.decode + (4 << 30) / 256e9))


def test_reading_a_prompt_is_a_matter_of_products() -> None:
    """Half of 40 TFLOP/s over two operations for each of 7.5 B weights; unknown without a figure."""
    model = MODELS["Llama-3.1-8B"]
    found = predict_speed(model, 1e9, bandwidth_gb_s=256, tflops=40)
    assert found.prefill == pytest.approx(20e12 / (2 * 7.505e9), rel=1e-3)
    assert predict_speed(model, 1e9, bandwidth_gb_s=256).prefill is None
