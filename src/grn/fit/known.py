"""Architectures that are looked up by name: figures of the models' own public ``config.json``."""

from __future__ import annotations

import difflib
import re
from typing import Final

from grn.fit.architecture import Architecture, Experts, Latent
from grn.kit.errors import UsageError

_V2 = Latent(kv_rank=512, rope_dim=64, nope_dim=128, value_dim=128, q_rank=None)
_V3 = Latent(kv_rank=512, rope_dim=64, nope_dim=128, value_dim=128, q_rank=1536)


def _gemma3(name: str, *figures: int, window: int) -> Architecture:
    layers, hidden, heads, kv_heads, head_dim, width = figures
    return Architecture(
        name, layers, hidden, heads, kv_heads, head_dim, width, 262_144, tied=True, context=131_072,
        window=window, full_layers=layers // 6,
    )  # fmt: skip


# name: layers, hidden, heads, heads of keys and values, length of a head, width, vocabulary, special things.
MODELS: Final = {
    model.name: model
    for model in (
        Architecture("Llama-2-7B", 32, 4096, 32, 32, 128, 11008, 32_000),
        Architecture("Llama-2-13B", 40, 5120, 40, 40, 128, 13824, 32_000),
        Architecture("Llama-2-70B", 80, 8192, 64, 8, 128, 28672, 32_000),
        Architecture("Llama-3-8B", 32, 4096, 32, 8, 128, 14336, 128_256, context=8192),
        Architecture("Llama-3.1-8B", 32, 4096, 32, 8, 128, 14336, 128_256, context=131_072),
        Architecture("Llama-3.1-70B", 80, 8192, 64, 8, 128, 28672, 128_256, context=131_072),
        Architecture("Llama-3.1-405B", 126, 16384, 128, 8, 128, 53248, 128_256, context=131_072),
        Architecture("Llama-3.2-1B", 16, 2048, 32, 8, 64, 8192, 128_256, tied=True, context=131_072),
        Architecture("Llama-3.2-3B", 28, 3072, 24, 8, 128, 8192, 128_256, tied=True, context=131_072),
        Architecture("TinyLlama-1.1B", 22, 2048, 32, 4, 64, 5632, 32_000, context=2048),
        Architecture("CodeLlama-7B", 32, 4096, 32, 32, 128, 11008, 32_016, context=16_384),
        Architecture("CodeLlama-13B", 40, 5120, 40, 40, 128, 13824, 32_016, context=16_384),
        Architecture("CodeLlama-34B", 48, 8192, 64, 8, 128, 22016, 32_000, context=16_384),
        Architecture("Yi-6B", 32, 4096, 32, 4, 128, 11008, 64_000),
        Architecture("Yi-34B", 60, 7168, 56, 8, 128, 20480, 64_000),
        Architecture("Mistral-7B-v0.1", 32, 4096, 32, 8, 128, 14336, 32_000, context=32_768, window=4096,
                     full_layers=0),
        Architecture("Mistral-7B-v0.3", 32, 4096, 32, 8, 128, 14336, 32_768, context=32_768),
        Architecture("Ministral-8B", 36, 4096, 32, 8, 128, 12288, 131_072, context=131_072),
        Architecture("Mistral-Nemo-12B", 40, 5120, 32, 8, 128, 14336, 131_072, context=131_072),
        Architecture("Mistral-Small-24B", 40, 5120, 32, 8, 128, 32768, 131_072, context=32_768),
        Architecture("Codestral-22B", 56, 6144, 48, 8, 128, 16384, 32_768, context=32_768),
        Architecture("Mistral-Large-123B", 88, 12288, 96, 8, 128, 28672, 32_768, context=131_072),
        Architecture("Mixtral-8x7B", 32, 4096, 32, 8, 128, 14336, 32_000, context=32_768,
                     experts=Experts(8, 2, 14336)),
        Architecture("Qwen2.5-0.5B", 24, 896, 14, 2, 64, 4864, 151_936, tied=True,
                     context=32_768, bias=True),
        Architecture("Qwen2.5-1.5B", 28, 1536, 12, 2, 128, 8960, 151_936, tied=True,
                     context=32_768, bias=True),
        Architecture("Qwen2.5-3B", 36, 2048, 16, 2, 128, 11008, 151_936, tied=True,
                     context=32_768, bias=True),
        Architecture("Qwen2.5-7B", 28, 3584, 28, 4, 128, 18944, 152_064, context=131_072, bias=True),
        Architecture("Qwen2.5-14B", 48, 5120, 40, 8, 128, 13824, 152_064, context=131_072, bias=True),
        Architecture("Qwen2.5-32B", 64, 5120, 40, 8, 128, 27648, 152_064, context=131_072, bias=True),
        Architecture("Qwen2.5-72B", 80, 8192, 64, 8, 128, 29568, 152_064, context=131_072, bias=True),
        Architecture("Qwen3-0.6B", 28, 1024, 16, 8, 128, 3072, 151_936, tied=True, context=40_960),
        Architecture("Qwen3-1.7B", 28, 2048, 16, 8, 128, 6144, 151_936, tied=True, context=40_960),
        Architecture("Qwen3-4B", 36, 2560, 32, 8, 128, 9728, 151_936, tied=True, context=40_960),
        Architecture("Qwen3-8B", 36, 4096, 32, 8, 128, 12288, 151_936, context=40_960),
        Architecture("Qwen3-14B", 40, 5120, 40, 8, 128, 17408, 151_936, context=40_960),
        Architecture("Qwen3-32B", 64, 5120, 64, 8, 128, 25600, 151_936, context=40_960),
        Architecture("Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 6144, 151_936, context=40_960,
                     experts=Experts(128, 8, 768)),
        Architecture("Qwen3-235B-A22B", 94, 4096, 64, 4, 128, 12288, 151_936, context=40_960,
                     experts=Experts(128, 8, 1536)),
        Architecture("Gemma-2-2B", 26, 2304, 8, 4, 256, 9216, 256_000, tied=True, context=8192, window=4096,
                     full_layers=13),
        Architecture("Gemma-2-9B", 42, 3584, 16, 8, 256, 14336, 256_000, tied=True, context=8192, window=4096,
                     full_layers=21),
        Architecture("Gemma-2-27B", 46, 4608, 32, 16, 128, 36864, 256_000, tied=True, context=8192,
                     window=4096, full_layers=23),
        Architecture("Gemma-7B", 28, 3072, 16, 16, 256, 24576, 256_000, tied=True, context=8192),
        _gemma3("Gemma-3-270M", 18, 640, 4, 1, 256, 2048, window=512),
        _gemma3("Gemma-3-1B", 26, 1152, 4, 1, 256, 6912, window=512),
        _gemma3("Gemma-3-4B", 34, 2560, 8, 4, 256, 10240, window=1024),
        _gemma3("Gemma-3-12B", 48, 3840, 16, 8, 256, 15360, window=1024),
        _gemma3("Gemma-3-27B", 62, 5376, 32, 16, 128, 21504, window=1024),
        Architecture("Phi-3-mini", 32, 3072, 32, 32, 96, 8192, 32_064),
        Architecture("Phi-3-medium", 40, 5120, 40, 10, 128, 17920, 32_064),
        Architecture("Phi-4", 40, 5120, 40, 10, 128, 17920, 100_352, context=16_384),
        Architecture("DeepSeek-Coder-6.7B", 32, 4096, 32, 32, 128, 11008, 32_256, context=16_384),
        Architecture("DeepSeek-V2-Lite", 27, 2048, 16, 16, 192, 10944, 102_400, context=163_840, latent=_V2,
                     experts=Experts(64, 6, 1408, shared=2, dense_layers=1)),
        Architecture("DeepSeek-V3", 61, 7168, 128, 128, 192, 18432, 129_280, context=163_840, latent=_V3,
                     experts=Experts(256, 8, 2048, shared=1, dense_layers=3)),
        Architecture("AFM-4.5B", 36, 2560, 20, 4, 128, 18432, 128_005, gated=False, context=65_536),
        Architecture("Apertus-8B", 32, 4096, 32, 8, 128, 21504, 131_072, gated=False, context=65_536),
        Architecture("OLMo-2-7B", 32, 4096, 32, 32, 128, 11008, 100_352),
        Architecture("OLMo-2-13B", 40, 5120, 40, 40, 128, 13824, 100_352),
        Architecture("SmolLM2-135M", 30, 576, 9, 3, 64, 1536, 49_152, tied=True, context=8192),
        Architecture("SmolLM2-360M", 32, 960, 15, 5, 64, 2560, 49_152, tied=True, context=8192),
        Architecture("SmolLM2-1.7B", 24, 2048, 32, 32, 64, 8192, 49_152, tied=True, context=8192),
        Architecture("SmolLM3-3B", 36, 2048, 16, 4, 128, 11008, 128_256, tied=True, context=65_536),
        Architecture("GPT-2", 12, 768, 12, 12, 64, 3072, 50_257, tied=True, gated=False, context=1024,
                     positions=1024, bias=True),
        Architecture("BERT-base", 12, 768, 12, 12, 64, 3072, 30_522, gated=False, context=512, positions=514,
                     bias=True, encoder=True),
    )
}  # fmt: skip
_ALSO: Final = {
    "mistral": "Mistral-7B-v0.3",
    "mistral-7b": "Mistral-7B-v0.3",
    "ministral-8b-2410": "Ministral-8B",
    "qwen2.5": "Qwen2.5-7B",
    "mistral-nemo": "Mistral-Nemo-12B",
    "mixtral": "Mixtral-8x7B",
    "llama3": "Llama-3-8B",
    "llama3.1": "Llama-3.1-8B",
    "llama3.2": "Llama-3.2-3B",
    "phi4": "Phi-4",
    "llama3.1:405b": "Llama-3.1-405B",
    "llama-3-70b": "Llama-3.1-70B",
    "llama-3.3-70b": "Llama-3.1-70B",
    "deepseek-r1-distill-llama-8b": "Llama-3.1-8B",
    "deepseek-r1-distill-llama-70b": "Llama-3.1-70B",
    "deepseek-r1-distill-qwen-7b": "Qwen2.5-7B",
    "deepseek-r1-distill-qwen-14b": "Qwen2.5-14B",
    "deepseek-r1-distill-qwen-32b": "Qwen2.5-32B",
    "deepseek-r1": "DeepSeek-V3",
    "qwen2.5-coder-1.5b": "Qwen2.5-1.5B",
    "qwen2.5-coder-7b": "Qwen2.5-7B",
    "qwen2.5-coder-14b": "Qwen2.5-14B",
    "qwen2.5-coder-32b": "Qwen2.5-32B",
    "qwen2-7b": "Qwen2.5-7B",
    "qwen2-72b": "Qwen2.5-72B",
    "qwen3-coder-30b-a3b": "Qwen3-30B-A3B",
    "magistral-small-24b": "Mistral-Small-24B",
    "devstral-small-24b": "Mistral-Small-24B",
    "phi-3.5-mini": "Phi-3-mini",
    "bert-base-uncased": "BERT-base",
}


def find(name: str) -> Architecture | None:
    """A bundled architecture by its name, as its maker, a hub or Ollama writes it; ``None`` if it is none.

    ``meta-llama/Llama-3.1-8B-Instruct`` and ``llama3.1:8b`` are ``Llama-3.1-8B``.
    """
    plain = {_plain(known): model for known, model in MODELS.items()}
    plain |= {_plain(also): MODELS[known] for also, known in _ALSO.items()}
    wanted = _plain(name.rpartition("/")[2])
    return plain.get(wanted) or plain.get(_plain(wanted.removeprefix("meta")))


def nearest(name: str) -> list[str]:
    """Bundled names that look like a name."""
    plain = {_plain(known): known for known in MODELS}
    return [plain[near] for near in difflib.get_close_matches(_plain(name.rpartition("/")[2]), plain, n=3)]


def unknown(name: str) -> UsageError:
    """The error for a model that is not in the table."""
    near = nearest(name)
    return UsageError(
        "this model is not in the table",
        seen=name,
        hint=(f"did you mean {' or '.join(near)}? Or " if near else "")
        + "name its config.json or .gguf file; --hub fetches the config.json of OWNER/NAME from Hugging Face",
    )


def _plain(name: str) -> str:
    """Letters and digits of a name; what kind of training it has had since does not change its shape."""
    name = re.sub(r"[-_ :](instruct|chat|it|base|hf|2410|2509|preview|pt|4k|8k|128k)\b", "", name.lower())
    return re.sub(r"[^a-z0-9.]", "", name)
