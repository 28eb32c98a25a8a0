from __future__ import annotations

import pytest

from grn.fit.known import MODELS
from grn.fit.quantisation import QUANTISATIONS, name_quantisation, smaller, weigh
from grn.kit.errors import UsageError

# Sizes of files on public hubs, 10⁹ bytes; a head with a vocabulary is 8 MB for Llama 3 and 6 for Qwen 2.5.
FILES = [
    ("Llama-3.1-8B", "Q4_K_M", 4.921), ("Llama-3.1-8B", "Q4_K_S", 4.693), ("Llama-3.1-8B", "Q5_K_M", 5.733),
    ("Llama-3.1-8B", "Q6_K", 6.596), ("Llama-3.1-8B", "Q8_0", 8.541), ("Llama-3.1-8B", "Q3_K_M", 4.019),
    ("Llama-3.1-8B", "F16", 16.07), ("Qwen2.5-7B", "Q4_K_M", 4.683), ("Qwen2.5-7B", "Q8_0", 8.099),
    ("Llama-3.1-70B", "Q4_K_M", 42.52), ("Llama-2-7B", "Q4_K_M", 4.081), ("Llama-2-7B", "Q4_0", 3.826),
    ("Mixtral-8x7B", "Q4_K_M", 28.45),
]  # fmt: skip


@pytest.mark.parametrize(("name", "quantisation", "size_gb"), FILES)
def test_weights_take_what_files_on_hubs_take(name: str, quantisation: str, size_gb: float) -> None:
    """The rules of llama.cpp, matrix by matrix: within 1 % (3.5 % for three bits, whose rules changed
    most).
    """
    found = weigh(MODELS[name], quantisation).total / 1e9
    assert found == pytest.approx(size_gb, rel=0.035 if quantisation == "Q3_K_M" else 0.01)


def test_one_token_reads_neither_the_embedding_nor_idle_experts() -> None:
    """Llama: all but the embedding's 4.5 bits; tied: the output is the embedding; Mixtral: two experts of
    eight.
    """
    llama = weigh(MODELS["Llama-3.1-8B"], "Q4_K_M")
    assert llama.total - llama.read == 128_256 * 4096 * 4.5 / 8
    tied = weigh(MODELS["Llama-3.2-1B"], "Q4_K_M")
    assert tied.total == tied.read
    mixtral = weigh(MODELS["Mixtral-8x7B"], "Q8_0")
    assert mixtral.read / mixtral.total == pytest.approx(12.75 / 46.7, abs=0.005)


def test_quantisations_are_in_order() -> None:
    """The larger first, so that the next smaller one can be proposed; a size finds its quantisation."""
    model = MODELS["Llama-3.1-8B"]
    sizes = [weigh(model, name).total for name in QUANTISATIONS]
    assert sizes == sorted(sizes, reverse=True)
    assert next(smaller("q8_0")) == "Q6_K"
    assert name_quantisation(4.921e9, model) == "Q4_K_M"


def test_an_unknown_quantisation_lists_the_known() -> None:
    """It is more often a typing error than a new one."""
    with pytest.raises(UsageError, match="Q9_K") as caught:
        weigh(MODELS["Llama-2-7B"], "Q9_K")
    assert "Q4_K_M" in str(caught.value.hint)
