"""A model's weights: loaded as they are trained, with their adapters, and written down at the end."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from grn.compute.train.recipe import Recipe
from grn.fit.module import make_module
from grn.kit.errors import MissingError, UsageError, require_extra
from grn.kit.files import make_dir

_QV = ["q_proj", "v_proj"]


def forbid_network(recipe: Recipe) -> None:
    """Let `transformers` ask no hub, unless the recipe says so: before it is imported, when it looks."""
    if not recipe.model.hub:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


def load_tokenizer(recipe: Recipe) -> Any:
    """The model's tokenizer; it fills up with its end where it has no sign of its own for that.

    Raises
    ------
    MissingError, MissingExtraError
        It is not there; the extra `train` is not installed.
    """
    transformers = _transformers(recipe)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(_where(recipe))
    except (OSError, ValueError) as error:
        raise _not_there(recipe, error) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(recipe: Recipe, device: str, classes: int = 0) -> Any:
    """The model with what is trained of it, on a device (``cpu``, ``cuda:0``).

    Weights of 4 bits are NF4 with double quantisation (QLoRA, arXiv:2305.14314).  Adapters, a new
    classifier's last layer and a module of one's own are drawn by the seed.

    Raises
    ------
    MissingError, MissingExtraError, UsageError
        It is not there; the extra `train` is not installed; it has no layers for adapters to stand beside.
    """
    import torch

    transformers = _transformers(recipe)
    if recipe.model.module is not None:
        from grn.compute.train.wrapped import Wrapped

        transformers.set_seed(recipe.steps.seed)
        return Wrapped(make_module(recipe.model.module, recipe.folder)).to(device)
    peft = require_extra("peft", "train")
    tuning = recipe.tuning
    # Processors compute bf16 slowly or not at all; the adapters are float32 in any case.
    dtype = torch.bfloat16 if device != "cpu" and not tuning.mixed else torch.float32
    quantised = None
    if tuning.method == "qlora":
        require_extra("bitsandbytes", "train")
        quantised = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    transformers.set_seed(recipe.steps.seed)
    try:
        model = _kind(transformers, recipe).from_pretrained(
            _where(recipe), dtype=dtype, quantization_config=quantised, device_map={"": device},
            **({"num_labels": classes} if classes else {}),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise _not_there(recipe, error) from error
    for module in model.modules():
        # On processors with AVX512-BF16 bitsandbytes repacks a layer's weights at its first evaluation, and
        # back again with scales in bf16: evaluating changed what was trained on (0.50.2, 2026-11-23).
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    model.config.use_cache = False
    if tuning.method == "full":
        return model
    if tuning.method == "qlora":
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if tuning.checkpointing:
        # Nothing before the first adapter has a gradient: without this none would reach it.
        model.enable_input_require_grads()
    adapter = peft.LoraConfig(
        r=tuning.rank,
        lora_alpha=tuning.alpha or 2 * tuning.rank,
        lora_dropout=tuning.dropout,
        target_modules="all-linear" if tuning.targets == "all" else _QV,
        task_type="SEQ_CLS" if recipe.model.task == "classify" else "CAUSAL_LM",
    )
    try:
        return peft.get_peft_model(model, adapter)
    except ValueError as error:
        raise UsageError(
            "this model has no layers of those names", seen=str(error), hint='targets = "all"'
        ) from error


def save(recipe: Recipe, model: Any, tokenizer: Any, target: Path) -> None:
    """Write what was trained, with its tokenizer; the same bytes wherever the model lay."""
    if recipe.model.module is not None:
        safetensors = require_extra("safetensors.torch", "train")
        make_dir(target)
        # With metadata: transformers' readers refuse a file that does not say whose layout it has.
        safetensors.save_model(model.module, str(target / "weights.safetensors"), metadata={"format": "pt"})
        return
    # As the recipe has it: peft writes down where the model lies on this machine.
    if recipe.tuning.method == "full":
        model.save_pretrained(str(target))
    else:
        for adapter in model.peft_config.values():
            adapter.base_model_name_or_path = recipe.model.path
            # A set, whose order is another in every process.
            adapter.target_modules = sorted(adapter.target_modules)
        # The vocabulary is as it was; by default peft looks for the model's config to know that.
        model.save_pretrained(str(target), save_embedding_layers=False)
        # A form to be filled in, and it names that place too.
        (target / "README.md").unlink(missing_ok=True)
    _save_tokenizer(tokenizer, target)


def merge(recipe: Recipe, adapter: Path, target: Path, classes: int = 0) -> None:
    """Write the model with its adapter folded in, from weights as they are and not from 4 bits.

    Raises
    ------
    MissingError, MissingExtraError
        The model is not there; the extra `train` is not installed.
    """
    import torch

    transformers = _transformers(recipe)
    peft = require_extra("peft", "train")
    base = _kind(transformers, recipe).from_pretrained(
        _where(recipe), dtype=torch.float32, **({"num_labels": classes} if classes else {})
    )
    merged = peft.PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    merged.save_pretrained(target)
    _save_tokenizer(load_tokenizer(recipe), target)


def _save_tokenizer(tokenizer: Any, target: Path) -> None:
    """Without how it was loaded: whether a network was allowed depends on the environment of the process."""
    for name in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(str(target))


def _kind(transformers: Any, recipe: Recipe) -> Any:
    if recipe.model.task == "classify":
        return transformers.AutoModelForSequenceClassification
    return transformers.AutoModelForCausalLM


def _where(recipe: Recipe) -> str:
    path = recipe.model.path or ""
    return path if recipe.model.hub else str(recipe.find(path))


def _transformers(recipe: Recipe) -> Any:
    forbid_network(recipe)
    transformers = require_extra("transformers", "train")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    return transformers


def _not_there(recipe: Recipe, error: Exception) -> MissingError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return MissingError(
        f"the model {recipe.model.name} cannot be loaded",
        seen=first,
        hint="path is a folder with config.json, weights and tokenizer; hub = true fetches OWNER/NAME",
    )
