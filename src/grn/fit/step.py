"""A training step under fake tensors: the program runs, and its memory is counted and not taken."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from grn.fit.live import LiveBytes
from grn.kit.errors import GrnError, UsageError

ROUNDING: Final = 512
"""Bytes that PyTorch's allocator of CUDA memory rounds up to (`kMinBlockSize`, CUDACachingAllocator.h)."""
STEPS = 2
"""The first step makes the optimiser's moments after its backward pass; the second has them at its loss."""

Loss = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Work:
    """What is trained.

    Attributes
    ----------
    model
        The module.
    optimizer
        Over what is trained of it.
    loss
        A forward pass: gives the loss of a batch, one number.
    """

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss


@dataclass(frozen=True)
class Traced:
    """Memory of a training step, bytes.

    Attributes
    ----------
    weights
        Parameters and buffers, quantised ones with their scales.
    gradients, optimizer
        Of what is trained.
    peak
        The most that was alive at once.
    moment
        When that was: ``forward`` (the loss among it), ``backward`` or ``step``.
    peaks
        The most at each of these.
    """

    weights: int
    gradients: int
    optimizer: int
    peak: int
    moment: str
    peaks: dict[str, int]

    @property
    def activations(self) -> int:
        """All else that was alive at the peak."""
        held = self.weights + self.optimizer + (self.gradients if self.moment != "forward" else 0)
        return max(0, self.peak - held)


def trace(build: Callable[[], Work], *, fake: bool = True, rounding: int = ROUNDING) -> Traced:
    """Run two training steps and count the memory of their tensors.

    Parameters
    ----------
    build
        Makes the work; its tensors are as fake as those of the steps.
    fake
        Tensors without content: nothing is computed or taken.  Otherwise it is really done.
    rounding
        See :class:`grn.fit.live.LiveBytes`.

    Raises
    ------
    UsageError
        A step depends on the content of tensors (``if x.sum() > 0``), or gives no loss.
    """
    live = LiveBytes(rounding)
    mode = FakeTensorMode(allow_non_fake_inputs=True) if fake else contextlib.nullcontext()
    with warnings.catch_warnings(), mode, live, _explained():
        # Theirs, of what they will rename: their users cannot do anything about it.
        for kind in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", category=kind)
        work = build()
        gc.collect()  # of what building left behind in circles
        weights = live.now
        gradients = 0
        live.peaks.clear()
        for _ in range(STEPS):
            live.begin("forward")
            loss = check_loss(work.loss())
            live.begin("backward")
            loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
            del loss
            gradients = live.size_of([each.grad for each in work.model.parameters() if each.grad is not None])
            live.begin("step")
            work.optimizer.step()
            work.optimizer.zero_grad(set_to_none=True)
        # Moments stay, and the few numbers that a model keeps from its first pass.
        optimizer = max(0, live.now - weights)
    peaks = {name: live.peaks[name] for name in ("forward", "backward", "step")}
    moment = max(peaks, key=lambda name: peaks[name])
    return Traced(weights, gradients, optimizer, peaks[moment], moment, peaks)


def check_loss(loss: Any) -> torch.Tensor:
    """The loss of what a module gave: one number, ``.loss`` or ``["loss"]`` of it, or the first of several.

    Raises
    ------
    UsageError
        There is none.
    """
    if isinstance(loss, dict):
        loss = loss.get("loss")
    elif hasattr(loss, "loss"):
        loss = loss.loss
    elif isinstance(loss, tuple | list) and loss:
        loss = loss[0]
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise UsageError(
            "the module gives no loss", seen=shape, hint='forward(**batch) returns one number, or {"loss": …}'
        )
    return loss


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Say what stands in the way of fake tensors in the words of the house."""
    try:
        yield
    except GrnError:
        raise
    except Exception as error:
        if type(error).__module__.startswith("torch._subclasses"):
            raise UsageError(
                "this module cannot be traced: what it does depends on the content of its tensors",
                seen=f"{type(error).__name__}: {(str(error).strip() or 'nothing said').splitlines()[0]}",
                hint="measure it: grn compute train keeps what a run took",
            ) from error
        raise
