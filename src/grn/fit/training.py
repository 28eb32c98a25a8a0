"""Memory that training takes on one card, from the architecture alone.

Bytes are counted where PyTorch keeps them: weights, gradients and the optimiser's moments by parameter;
what the backward pass needs again by token, layer and matrix; the logits by token and word.  The peak is
the largest of three moments: the loss, when all that was kept meets the logits; the backward pass of a
layer; and the step of the optimiser.  Sizes of tensors are those of `transformers` with `peft` and
bitsandbytes; the table of measurements that it is held to was not fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from grn.fit.architecture import Architecture, Matrix
from grn.kit.errors import UsageError

GIB = 1 << 30
Method = Literal["full", "lora", "qlora"]
Loss = Literal["full", "chunked"]
Targets = Literal["all", "qv"]

NF4_BYTES: Final = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Of a weight in bitsandbytes' NF4 with double quantisation: four bits, one byte of scale for 64 weights,
and one float32 for 256 scales (QLoRA, arXiv:2305.14314, section 3)."""
LOGIT_BYTES: Final[dict[str, int]] = {"full": 16, "chunked": 2}
"""Of a logit at the loss. In full: bf16 logits 2, their float32 copy 4, log-softmax 4, its gradient 4, the
gradient in bf16 2. In chunks: bf16 logits alone, the rest for an eighth at a time or fused.
The slope of the longest contexts in Unsloth's README, 24 to 80 GB, asks for 16.6."""
LARGE_VOCABULARY = 65_536
FRAGMENTATION = 0.05
"""Share of what comes and goes that PyTorch's allocator holds without using it: its own rounding and gaps."""
CONTEXT_BYTES = 0.45 * GIB
"""Of the CUDA context with cuBLAS: 0.3 to 0.6 GiB from Ampere to Hopper; no allocator counts it."""
UPPER = 1.30
"""The upper bound: versions, dropout, packing, other memory of a library."""
ERROR = 0.10
"""The stated error of the prediction, from what published measurements were missed by."""


@dataclass(frozen=True)
class Job:
    """How a model is trained.

    Attributes
    ----------
    method
        ``full``: every weight, in bf16 (or float32 with autocast, see `mixed`). ``lora``: adapters of a rank
        beside bf16 weights. ``qlora``: beside weights in 4 bits.
    seq, batch
        Tokens of a sequence, sequences of one step (gradients may be summed over several).
    rank
        Of the adapters.
    targets
        Which matrices have one: ``all`` of every layer, or queries and values (``qv``), peft's own default.
    checkpointing
        Keep only what goes into each layer, and compute the rest again.
    attention
        ``sdpa``, ``flash`` (FlashAttention of any version), or ``eager``, which writes all scores down.
    optimizer
        ``adamw`` (two moments in the weights' own precision), ``adamw_8bit``, ``paged_adamw_8bit`` (moments
        go to the host when memory is short), ``sgd`` (none).
    loss
        ``full`` logits, or in ``chunks`` (chunked or fused); ``None`` decides, see :func:`choose_loss`.
    mixed
        Full training with float32 weights and autocast.
    compiled
        With `torch.compile`: norms and activations are computed again from their inputs.
    """

    method: Method = "qlora"
    seq: int = 2048
    batch: int = 1
    rank: int = 16
    targets: Targets = "all"
    checkpointing: bool = True
    attention: str = "sdpa"
    optimizer: str = "adamw"
    loss: Loss | None = None
    mixed: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        for name, count in (("seq", self.seq), ("batch", self.batch), ("rank", self.rank)):
            if count < 1:
                raise UsageError(f"{name} must be at least 1", seen=count)
        value: str | None
        for name, value, known in (
            ("method", self.method, ("full", "lora", "qlora")),
            ("attention", self.attention, tuple(ATTENTIONS)),
            ("optimizer", self.optimizer, tuple(MOMENT_BYTES)),
            ("loss", self.loss, (None, "full", "chunked")),
            ("targets", self.targets, ("all", "qv")),
        ):
            if value not in known:
                raise UsageError(f"{name} is not known", seen=value, hint=f"known are {known}")

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return self.seq * self.batch


ATTENTIONS: Final = ("sdpa", "flash", "flash2", "flash3", "flash4", "eager")
MOMENT_BYTES: Final[dict[str, Callable[[int], float]]] = {
    "adamw": lambda weight_bytes: 2.0 * weight_bytes,
    # Two bytes, and a float32 scale for every 256 of each (bitsandbytes' block-wise states).
    "adamw_8bit": lambda _: 2 * (1 + 4 / 256),
    "paged_adamw_8bit": lambda _: 0.0,
    "sgd": lambda _: 0.0,
}
"""Bytes of an optimiser's moments for a trained weight that takes so many bytes itself."""


@dataclass(frozen=True)
class Memory:
    """Memory of a training run, bytes.

    Attributes
    ----------
    weights, adapters, gradients, optimizer
        By parameter.
    kept
        By token: what the backward pass needs again.
    logits
        At the loss.
    working
        Of the moment of the peak, beside the above: one layer computed again, its gradients, a matrix in 16
        bits, or the optimiser's own.
    moment
        Where the peak is: ``loss``, ``backward`` or ``step``.
    allocated
        Most that is in use at once.
    reserved
        What the allocator holds for it: `torch.cuda.max_memory_reserved`.
    device
        With the CUDA context: what has to be free on the card.
    upper
        What `device` should never exceed.
    loss
        The loss that was counted on, and why.
    """

    weights: float
    adapters: float
    gradients: float
    optimizer: float
    kept: float
    logits: float
    working: float
    moment: str
    allocated: float
    reserved: float
    device: float
    upper: float
    loss: Loss
    loss_reason: str


def choose_loss(model: Architecture, job: Job) -> tuple[Loss, str]:
    """The loss that a job has, and why: chunks where memory is saved anyway and the vocabulary is large.

    That is what today's recipes do: torchtune's chunk it, axolotl's examples fuse it.
    """
    if job.loss is not None:
        return job.loss, "as asked for"
    if model.encoder:
        return "full", "an encoder has few classes"
    if job.checkpointing and model.vocabulary > LARGE_VOCABULARY:
        return (
            "chunked",
            f"{model.vocabulary:,} words and checkpointing: chunked or fused, as recipes have it",
        )
    return "full", "logits of the whole batch, as transformers' own trainer has it"


def predict_memory(model: Architecture, job: Job) -> Memory:
    """Predict the memory of a training run on one card."""
    trained_bytes = 4 if job.method != "full" or job.mixed else 2  # peft keeps adapters in float32
    loss, reason = choose_loss(model, job)
    adapters = 0 if job.method == "full" else adapter_parameters(model, job.rank, job.targets)
    trained = model.parameters if job.method == "full" else adapters
    weights = _weights(model, job, loss)
    gradients = float(trained * trained_bytes)
    optimizer = trained * MOMENT_BYTES[job.optimizer](trained_bytes)
    logits = 0.0 if model.encoder else float(job.tokens * model.vocabulary * LOGIT_BYTES[loss])

    layer = _layer_bytes(model, job)
    kept = model.layers * (job.tokens * model.hidden * 2 if job.checkpointing else layer)
    kept += job.tokens * model.hidden * 8  # the last norm, in float32 and bf16, and the embedding's output
    static = weights + adapters * trained_bytes + optimizer
    # Gradients of adapters stay between the steps that are summed; those of all weights are set to nothing.
    held = gradients if job.method != "full" else 0.0
    backward = _backward_bytes(model, job) + (layer if job.checkpointing else 0.0)
    # The step takes roots of the second moments into memory of their own.
    moments = {
        "loss": (static + held + kept + logits, 0.0),
        "backward": (static + gradients + (kept if job.checkpointing else 0.0) + backward, backward),
        "step": (static + gradients + trained * trained_bytes, float(trained * trained_bytes)),
    }
    moment = max(moments, key=lambda name: moments[name][0])
    allocated, working = moments[moment]
    reserved = allocated + FRAGMENTATION * (allocated - static)
    device = reserved + CONTEXT_BYTES
    return Memory(
        weights, float(adapters * trained_bytes), gradients, optimizer, kept, logits, working, moment,
        allocated, reserved, device, device * UPPER, loss, reason,
    )  # fmt: skip


def adapter_parameters(model: Architecture, rank: int, targets: Targets = "all") -> int:
    """Parameters of low-rank adapters (LoRA, arXiv:2106.09685)."""
    return sum(
        rank * (matrix.n_in + matrix.n_out) * matrix.count
        for matrix in model.all_matrices()
        if _has_adapter(matrix, targets)
    )


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to `most` for which something fits, 0 for none; what fits, fits with less."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def largest_sequence(model: Architecture, job: Job, room: float) -> int:
    """Longest sequence of which a step fits into so many bytes; the model's own context at most."""
    return largest(lambda seq: predict_memory(model, replace(job, seq=seq)).device <= room, model.context)


def largest_batch(model: Architecture, job: Job, room: float, most: int = 1024) -> int:
    """Most sequences of which a step fits into so many bytes."""
    return largest(lambda batch: predict_memory(model, replace(job, batch=batch)).device <= room, most)


def _weights(model: Architecture, job: Job, loss: Loss) -> float:
    rest = model.embedding_parameters + model.small_parameters
    if job.method == "qlora":
        # Before transformers' own trainer, peft's prepare_model_for_kbit_training makes the rest float32.
        return model.linear_parameters * NF4_BYTES + rest * (4.0 if loss == "full" else 2.0)
    return model.parameters * (4.0 if job.method == "full" and job.mixed else 2.0)


def _layer_bytes(model: Architecture, job: Job) -> float:
    """Bytes that one layer keeps for its backward pass.

    By token and element: both norms in float32, 4; queries, keys, values and what comes out of attention, 2;
    the gate before and after its function and the other half of the network, 2 each.  The input of a matrix
    is kept where the matrix is trained or has an adapter.
    """
    matrices = list(model.matrices(model.layers - 1))  # a layer with experts, where there are any
    heads, kv = model.heads * model.head_dim, model.kv_heads * model.head_dim
    width = _width(matrices)
    # torch's own kernel is given keys and values repeated for every head.
    repeated = kv if job.attention.startswith("flash") else heads
    kept = 2 * (4 if not job.compiled else 2) * model.hidden
    kept += 2 * heads + 4 * repeated + 2 * heads + 4 * model.heads
    if job.attention == "eager":
        kept += model.heads * job.seq * (4 + 2)  # the softmax in float32 and in bf16
    kept += width * ((6 if model.gated else 4) - (2 if job.compiled else 0))
    full = job.method == "full"
    adapted = [matrix for matrix in matrices if full or _has_adapter(matrix, job.targets)]
    names = {matrix.name for matrix in adapted}
    # One tensor goes into all three projections, another into gate and up; attention's own result is kept
    # anyway.
    kept += (
        2 * model.hidden * (("attn_q" in names or "attn_q_a" in names) + any("_up" in name for name in names))
    )
    kept += 2 * width * any(name.endswith("down") for name in names)
    if full:
        kept += 2 * 2 * model.hidden  # a trained norm keeps what it scales
    else:
        kept += 2 * job.rank * sum(matrix.active for matrix in adapted)
    return float(kept * job.tokens)


def _backward_bytes(model: Architecture, job: Job) -> float:
    """Gradients that live at once in a layer's backward pass, and the matrix that 4 bits are unpacked to."""
    matrices = list(model.matrices(model.layers - 1))
    gradients = job.tokens * 2.0 * ((2 if job.compiled else 3) * _width(matrices) + 2 * model.hidden)
    largest_matrix = max(matrix.n_in * matrix.n_out for matrix in matrices)
    return gradients + (2.0 * largest_matrix if job.method == "qlora" else 0.0)


def _width(matrices: Iterable[Matrix]) -> int:
    """Elements of a token between up and down, over the experts that it goes through."""
    return sum(matrix.n_in * matrix.active for matrix in matrices if matrix.name.endswith("down"))


def _has_adapter(matrix: Matrix, targets: Targets) -> bool:
    if targets == "qv":
        return matrix.name in ("attn_q", "attn_v", "attn_q_b", "attn_kv_b")
    return matrix.name != "ffn_gate_inp"
