"""A Llama of 96 thousand parameters with a tokenizer of bytes, made here from its config; data to overfit."""

from __future__ import annotations

import json
from pathlib import Path


def write_model(folder: Path) -> None:
    """Write config, weights drawn from a fixed seed, and tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=260, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128,
        bos_token_id=256, eos_token_id=257, pad_token_id=258,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    words = {byte: number for number, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    words |= {sign: 256 + number for number, sign in enumerate(("<s>", "</s>", "<pad>", "<unk>"))}
    made = Tokenizer(models.BPE(words, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)


def write_recipe(folder: Path, *, tuning: str = "rank = 4\ndropout = 0.1", steps: str = "most = 12") -> Path:
    """Write data and a recipe beside the model; returns the recipe."""
    lines = [json.dumps({"prompt": f"{n} and {n} is ", "completion": f"{2 * n}"}) for n in range(20)]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "held_out.jsonl").write_text(lines[7] + "\n")
    recipe = folder / "recipe.toml"
    recipe.write_text(
        f'[model]\npath = "model"\n[data]\ntrain = "train.jsonl"\nevaluate = "held_out.jsonl"\nseq = 64\n'
        f"[tuning]\n{tuning}\n[steps]\nbatch = 4\nrate = 0.01\nsave_every = 5\nevaluate_every = 5\n{steps}\n"
    )
    return recipe
