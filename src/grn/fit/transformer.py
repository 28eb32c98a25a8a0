"""The model of an architecture as `transformers` has it, ready to be trained as a job says, for tracing."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.utils.checkpoint import checkpoint

from grn.fit.architecture import Architecture
from grn.fit.step import Work
from grn.fit.training import Job, choose_loss
from grn.kit.errors import UnsupportedError, UsageError, require_extra

CHUNKS = 8
"""Pieces of a sequence whose logits are made one after the other in a chunked loss (torchtune's default)."""


def config_of(model: Architecture | None, path: Path | None) -> Any:
    """The config of a model for `transformers`: that of its file, or one with the same figures.

    Raises
    ------
    MissingExtraError
        `transformers` is not installed.
    UnsupportedError
        Of latent attention or experts only the model's own ``config.json`` says enough.
    """
    transformers = require_extra("transformers", "train")
    if path is not None:
        file = path / "config.json" if path.is_dir() else path
        figures = json.loads(file.read_text(encoding="utf-8"))
        try:
            return transformers.AutoConfig.for_model(**figures)
        except (ValueError, KeyError, TypeError) as error:
            raise UnsupportedError(
                "transformers does not know this model",
                seen=str(error).splitlines()[0],
                hint="leave out --trace",
            ) from error
    if model is None:
        raise UnsupportedError("without a config nothing is known of this model", hint="name its config.json")
    shared = {
        "vocab_size": model.vocabulary, "hidden_size": model.hidden, "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads, "intermediate_size": model.width,
        "max_position_embeddings": model.context,
    }  # fmt: skip
    if model.encoder:
        return transformers.BertConfig(**shared)
    if model.latent is not None or model.experts is not None or not model.gated or model.positions:
        raise UnsupportedError(
            "this model cannot be traced from its figures",
            seen=model.name,
            hint="name its config.json, or leave out --trace",
        )
    return transformers.LlamaConfig(
        **shared, num_key_value_heads=model.kv_heads, head_dim=model.head_dim, tie_word_embeddings=model.tied,
        attention_bias=model.bias,
    )  # fmt: skip


def load_code(config: Any, job: Job, classify: bool) -> None:
    """Import what a trace will need, before it: tensors that a file makes as it is imported would be fake.

    Raises
    ------
    MissingExtraError
        `peft` or `bitsandbytes` is not installed.
    UnsupportedError
        `transformers` has no such task for this model.
    """
    if job.method != "full":
        require_extra("peft", "train")
    if job.method == "qlora" or job.optimizer == "adamw_8bit":
        require_extra("bitsandbytes", "train")
    try:
        _kind(classify)._model_mapping[type(config)]
    except KeyError as error:
        raise UnsupportedError(
            "transformers has no such task for this model", seen=config.model_type, hint="leave out --trace"
        ) from error


def _kind(classify: bool) -> Any:
    import transformers

    return transformers.AutoModelForSequenceClassification if classify else transformers.AutoModelForCausalLM


def build_work(config: Any, job: Job, classify: bool, *, on_card: bool = True, padded: bool = False) -> Work:
    """A model of random (or fake) weights, its adapters, its optimiser, and a forward pass over one batch.

    Parameters
    ----------
    config
        Of `transformers`.
    job
        How it is trained.
    classify
        A classifier of two classes; else a causal language model.
    on_card
        As it is trained on a card: weights in bf16 without mixed precision, and the optimiser in lists of all
        tensors.  Otherwise in float32, tensor by tensor, as on a processor.
    padded
        Sequences of a batch are of different lengths: then there is a mask of all their pairs of tokens.

    Raises
    ------
    MissingExtraError, UsageError
        `peft` or `bitsandbytes` is not installed; an option that cannot be traced.
    """
    if job.attention not in ("sdpa", "eager") or job.compiled:
        raise UsageError(
            "only attention sdpa and eager can be traced, not compiled",
            seen=job.attention,
            hint="leave out --trace",
        )
    # Made without memory and without content, and then of fake tensors: these cannot be moved (`Module.to`).
    with unset_fake_temporarily() as faked, _kept_tables():
        with torch.device("cpu" if faked is None else "meta"):
            model = _make(
                config, job, classify, torch.float32 if job.mixed or not on_card else torch.bfloat16
            )
        if faked is not None:
            with faked:
                materialise(model)
    tokens = torch.zeros((job.batch, job.seq), dtype=torch.long)
    labels = torch.zeros(job.batch, dtype=torch.long) if classify else tokens
    chunked = not classify and choose_loss_of(config, job) == "chunked"
    forward = _forward(model, tokens, labels, job, chunked, padded)
    return Work(model, make_optimizer(model, job.optimizer, on_card=on_card), forward)


def materialise(model: torch.nn.Module) -> None:
    """Give every tensor on ``meta`` one of its size on the processor, shared where it was shared."""
    made: dict[int, torch.Tensor] = {}

    def like(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in made:
            empty = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
            if isinstance(tensor, torch.nn.Parameter):
                empty = torch.nn.Parameter(empty, requires_grad=tensor.requires_grad)
                empty.__dict__.update(tensor.__dict__)
            made[id(tensor)] = empty
        return made[id(tensor)]

    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.is_meta:
                    tensors[name] = like(tensor)  # type: ignore[assignment]
                    _materialise_scales(getattr(tensor, "quant_state", None), like)


def _materialise_scales(state: Any, like: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Scales of a matrix in 4 bits, and the scales of those."""
    for holder in (state, getattr(state, "state2", None)):
        for name in ("absmax", "code", "offset"):
            tensor = getattr(holder, name, None)
            if isinstance(tensor, torch.Tensor) and tensor.is_meta:
                setattr(holder, name, like(tensor))


@contextlib.contextmanager
def _kept_tables() -> Iterator[None]:
    """Tables of values that bitsandbytes keeps for the life of a process: none without content may stay."""
    try:
        tables = importlib.import_module("bitsandbytes.functional").name2qmap
    except ImportError:
        yield
        return
    before = dict(tables)
    tables.setdefault("dynamic", importlib.import_module("bitsandbytes.functional").create_dynamic_map())
    try:
        yield
    finally:
        tables.clear()
        tables.update(before)


def _make(config: Any, job: Job, classify: bool, dtype: torch.dtype) -> Any:
    from transformers.initialization import no_init_weights

    with no_init_weights():
        model = _kind(classify).from_config(  # type: ignore[no-untyped-call, unused-ignore]
            config, dtype=dtype, attn_implementation=job.attention
        )
    model.config.use_cache = False
    if job.method == "qlora":
        # Recipes with a chunked or fused loss leave embedding and output in 16 bits.
        _quantise(model, dtype, rest_in_float32=choose_loss_of(config, job) == "full")
    if job.method != "full":
        model = _adapt(model, job, classify)
    model.train()
    if job.checkpointing:
        if job.method != "full":
            model.enable_input_require_grads()
        # The state of random numbers is no tensor of the step, and fake ones cannot put it back.
        model.gradient_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})
    return model


def choose_loss_of(config: Any, job: Job) -> str:
    """The loss that a job has with a model of this config."""
    model = Architecture("", 1, 1, 1, 1, 1, 1, int(config.vocab_size))
    return choose_loss(model, job)[0]


def make_optimizer(model: torch.nn.Module, name: str, *, on_card: bool = True) -> torch.optim.Optimizer:
    """An optimiser over what is trained of a module."""
    trained = [each for each in model.parameters() if each.requires_grad]
    if name == "sgd":
        return torch.optim.SGD(trained, lr=1e-3, foreach=on_card)
    if name == "adamw":
        return torch.optim.AdamW(trained, lr=1e-3, foreach=on_card)
    if name == "paged_adamw_8bit":  # its moments go to the host, and SGD has none
        return torch.optim.SGD(trained, lr=1e-3, foreach=False)
    bitsandbytes = require_extra("bitsandbytes", "train")
    with unset_fake_temporarily():  # its tables of values are computed
        return bitsandbytes.optim.AdamW8bit(trained, lr=1e-3)  # type: ignore[no-any-return]


def _forward(
    model: Any, tokens: torch.Tensor, labels: torch.Tensor, job: Job, chunked: bool, padded: bool
) -> Callable[[], torch.Tensor]:
    given = {"input_ids": tokens, "labels": labels}
    if padded:
        given["attention_mask"] = torch.ones_like(tokens)

    def plain() -> torch.Tensor:
        return model(**given).loss  # type: ignore[no-any-return]

    def in_chunks() -> torch.Tensor:
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        hidden = base.get_decoder()(input_ids=tokens).last_hidden_state
        head = base.get_output_embeddings()
        pieces = zip(hidden.chunk(CHUNKS, dim=1), labels.chunk(CHUNKS, dim=1), strict=True)
        losses = [
            checkpoint(piece_loss, head, *piece, use_reentrant=False, preserve_rng_state=False)
            for piece in pieces
        ]
        return torch.stack(losses).mean()

    def piece_loss(head: Any, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits = head(hidden).float()
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())

    forward = in_chunks if chunked else plain

    def mixed() -> torch.Tensor:
        with torch.autocast(tokens.device.type, torch.bfloat16):
            return forward()

    def whole() -> torch.Tensor:
        # Fake tensors look like an export to transformers, which then writes a mask for packed sequences.
        with mock.patch("transformers.masking_utils.find_packed_sequence_indices", return_value=None):
            return mixed() if job.mixed else forward()

    return whole


def _quantise(model: Any, dtype: torch.dtype, *, rest_in_float32: bool) -> None:
    """Make the matrices of all layers NF4, their scales quantised; the rest float32 or as it is."""
    bitsandbytes = require_extra("bitsandbytes", "train")
    peft = require_extra("peft", "train")
    head = model.get_output_embeddings()
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is not torch.nn.Linear or child is head:
                continue
            small = bitsandbytes.nn.Linear4bit(
                child.in_features, child.out_features, child.bias is not None, compute_dtype=dtype,
                compress_statistics=True, quant_type="nf4",
            )  # fmt: skip
            small.weight = bitsandbytes.nn.Params4bit(
                child.weight.data,
                requires_grad=False,
                compress_statistics=True,
                quant_type="nf4",
                module=small,
            )._quantize(child.weight.device)
            small.bias = child.bias
            small.support_avx512bf16_for_cpu = False  # see compute/train/weights
            setattr(module, name, small)
    model.is_loaded_in_4bit = True
    if rest_in_float32:
        peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    else:
        model.requires_grad_(False)


def _adapt(model: Any, job: Job, classify: bool) -> Any:
    peft = require_extra("peft", "train")
    adapter = peft.LoraConfig(
        r=job.rank,
        lora_alpha=2 * job.rank,
        target_modules="all-linear" if job.targets == "all" else ["q_proj", "v_proj"],
        task_type="SEQ_CLS" if classify else "CAUSAL_LM",
    )
    return peft.get_peft_model(model, adapter)
