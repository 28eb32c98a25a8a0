"""A trained model as a GGUF file for llama.cpp: Llama, Mistral and Qwen 2, with a byte-level vocabulary.

The format and its names are those of the package `gguf`; which values a model needs is as llama.cpp's own
converter has it (``convert_hf_to_gguf.py``), for these architectures and no others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from grn.compute.train.recipe import Recipe
from grn.kit.errors import UnsupportedError, require_extra

ARCHITECTURES: Final = {"llama": "LLAMA", "mistral": "LLAMA", "qwen2": "QWEN2"}
"""`model_type` of a config, and its architecture in `gguf.MODEL_ARCH`."""
_NEVER: Final = "\0"
_WORDS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST: Final = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLITTERS: Final[dict[str | None, str]] = {
    None: "gpt-2",
    _WORDS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _WORDS + r"\p{N}" + _REST: "qwen2",
}
"""How texts are split before bytes are merged, by its expression, and llama.cpp's name for that."""


def check_exportable(recipe: Recipe) -> None:
    """Refuse before the first step what could not be written after the last.

    Raises
    ------
    UnsupportedError
        llama.cpp has no form for this architecture or tokenizer, or we write none.
    MissingExtraError
        The extra `train` is not installed.
    """
    require_extra("gguf", "train")
    if recipe.model.module is not None or recipe.model.task != "write":
        raise UnsupportedError(
            "only models that write have a form for llama.cpp",
            seen=recipe.model.name,
            hint="leave out --gguf",
        )
    if recipe.model.hub:
        return  # its files are not here yet
    folder = recipe.find(recipe.model.path or "")
    if (folder / "config.json").is_file() and (folder / "tokenizer.json").is_file():
        _check(_load(folder / "config.json"))
        _splitter(_load(folder / "tokenizer.json"))


def write_gguf(folder: Path, target: Path) -> None:
    """Write a model's folder as one GGUF file: matrices in float16, all else in float32.

    Parameters
    ----------
    folder
        With config, weights and tokenizer, as `transformers` saves them.
    target
        The file; it appears when it is whole.

    Raises
    ------
    UnsupportedError, MissingExtraError
        As :func:`check_exportable`.
    """
    gguf = require_extra("gguf", "train")
    transformers = require_extra("transformers", "train")
    config = transformers.AutoConfig.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    arch = getattr(gguf.MODEL_ARCH, _check(config.to_dict()))
    part = target.with_suffix(".part")
    writer = gguf.GGUFWriter(part, gguf.MODEL_ARCH_NAMES[arch])
    writer.add_name(target.stem)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _write_figures(writer, config)
    _write_vocabulary(gguf, writer, tokenizer, _load(folder / "tokenizer.json"), int(config.vocab_size))
    for name, values in _tensors(gguf, arch, folder, config):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(target)


def _check(config: Mapping[str, Any]) -> str:
    """Name of the architecture, and no scaling of positions that is not written."""
    kind = str(config.get("model_type"))
    if kind not in ARCHITECTURES:
        raise UnsupportedError(
            "this architecture is not written as GGUF",
            seen=kind,
            hint=f"written are {', '.join(ARCHITECTURES)}",
        )
    scaling = _rope(config).get("rope_type", "default")
    if scaling not in ("default", "llama3"):
        raise UnsupportedError(
            "this scaling of positions is not written as GGUF", seen=scaling, hint="default and llama3 are"
        )
    return ARCHITECTURES[kind]


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return {"rope_theta": config.get("rope_theta", 10_000.0), **found}


def _write_figures(writer: Any, config: Any) -> None:
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(float(_rope(config.to_dict())["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _write_vocabulary(gguf: Any, writer: Any, tokenizer: Any, file: Mapping[str, Any], size: int) -> None:
    words = {number: word for word, number in tokenizer.get_vocab().items()}
    special = {entry["id"] for entry in file.get("added_tokens", ()) if entry.get("special")}
    added = {entry["id"] for entry in file.get("added_tokens", ())} - special
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_splitter(file))
    writer.add_token_list([words.get(number, f"[PAD{number}]") for number in range(size)])
    writer.add_token_types(
        [
            kinds.CONTROL if number in special else kinds.USER_DEFINED if number in added
            else kinds.NORMAL if number in words else kinds.UNUSED
            for number in range(size)
        ]
    )  # fmt: skip
    merges = [one if isinstance(one, str) else " ".join(one) for one in file["model"].get("merges", [])]
    # llama.cpp wants one where there is none; no text has the parts of this.
    writer.add_token_merges(merges or [f"{words[0]}{_NEVER} {_NEVER}"])
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(number)
    begins = tokenizer("a")["input_ids"]
    writer.add_add_bos_token(bool(begins) and begins[0] == tokenizer.bos_token_id)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _splitter(file: Mapping[str, Any]) -> str:
    """llama.cpp's name for how a byte-level vocabulary splits texts."""
    model = file.get("model", {})
    before = file.get("pre_tokenizer") or {}
    parts = before.get("pretokenizers", [before])
    if model.get("type") == "BPE" and not model.get("byte_fallback") and parts[-1].get("type") == "ByteLevel":
        pattern = parts[0].get("pattern", {}).get("Regex") if len(parts) == 2 else None
        known = pattern in _SPLITTERS and (pattern is not None or parts[-1].get("use_regex", True))
        if known and not parts[-1].get("add_prefix_space"):
            return _SPLITTERS[pattern]
    raise UnsupportedError(
        "this tokenizer is not written as GGUF", seen=f"{model.get('type')} with {before.get('type')}",
        hint="byte-level ones that split as GPT-2, Llama 3 or Qwen 2 are; llama.cpp's converter knows more",
    )  # fmt: skip


def _tensors(gguf: Any, arch: Any, folder: Path, config: Any) -> Iterator[tuple[str, Any]]:
    import numpy as np

    safe_open = require_extra("safetensors", "train").safe_open
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    frequencies = _frequencies(config)
    if frequencies is not None:
        yield "rope_freqs.weight", np.array(frequencies, np.float32)
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as stream:
            for key in sorted(stream.keys()):
                values = stream.get_tensor(key).float().numpy()
                if arch == gguf.MODEL_ARCH.LLAMA and key.endswith(("q_proj.weight", "k_proj.weight")):
                    heads = config.num_attention_heads if ".q_proj" in key else config.num_key_value_heads
                    values = _interleave(values, heads)
                name = names.get_name(key, try_suffixes=(".weight", ".bias"))
                if name is None:
                    raise UnsupportedError(
                        "the model has a tensor that llama.cpp does not know",
                        seen=key,
                        hint="leave out --gguf",
                    )
                yield name, values if values.ndim == 1 else values.astype(np.float16)


def _interleave(values: Any, heads: int) -> Any:
    """Rows of queries and keys in llama.cpp's order: it turns neighbours, `transformers` turns halves."""
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _frequencies(config: Any) -> list[float] | None:
    """Divisors of the frequencies of positions, as Llama 3.1 stretches them; ``None`` without."""
    rope = _rope(config.to_dict())
    if rope.get("rope_type") != "llama3":
        return None
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    factor, low, high = (float(rope[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    context = float(rope["original_max_position_embeddings"])
    found = []
    for half in range(0, dim, 2):
        wavelength = 2 * math.pi * float(rope["rope_theta"]) ** (half / dim)
        if wavelength < context / high:
            found.append(1.0)
        elif wavelength > context / low:
            found.append(factor)
        else:
            smooth = (context / wavelength - low) / (high - low)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return found


def _load(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
