"""Bytes of tensors that are alive while a program runs, real tensors or fake ones."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


# Where torch is not installed, its classes are of no known type.
class LiveBytes(TorchDispatchMode):  # type: ignore[misc, no-untyped-call, unused-ignore]
    """Counts what tensors take that operations make, from when they are made until nobody refers to them.

    A tensor's memory is counted once, however many views there are of it.  What an operation takes for itself
    and gives back before it returns is not seen: workspaces of matrix products, and a card's kernels.

    Parameters
    ----------
    rounding
        Sizes are rounded up to multiples of it: 512 bytes is what CUDA's allocator of PyTorch does.

    Attributes
    ----------
    now, peak
        Bytes that are alive, and the most that ever were.
    moment
        A name for what is being done, set by who does it.
    peaks
        The most that were alive at each moment of that name.
    """

    def __init__(self, rounding: int = 1) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.now = 0
        self.moment = ""
        self.peaks: dict[str, int] = {}
        self._rounding = rounding
        self._known: dict[int, weakref.ref[Any]] = {}

    @property
    def peak(self) -> int:
        """Over all moments."""
        return max(self.peaks.values(), default=0)

    def begin(self, moment: str) -> None:
        """Name what comes next."""
        self.moment = moment
        self._note()

    def size_of(self, tensors: Sequence[torch.Tensor]) -> int:
        """Bytes of some tensors, those that share memory counted once."""
        storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage() for tensor in tensors}
        return sum(self._rounded(storage.nbytes()) for storage in storages.values())

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Let an operation happen, and see what it made."""
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf.untyped_storage())
        return made

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        known = self._known.get(key)
        if known is not None and known() is not None:
            return
        n_bytes = self._rounded(storage.nbytes())
        if not n_bytes:
            return

        def end(_: object) -> None:
            self.now -= n_bytes
            if self._known.get(key) is reference:
                del self._known[key]

        reference = weakref.ref(storage, end)
        self._known[key] = reference
        self.now += n_bytes
        self._note()

    def _note(self) -> None:
        self.peaks[self.moment] = max(self.peaks.get(self.moment, 0), self.now)

    def _rounded(self, n_bytes: int) -> int:
        return -(-n_bytes // self._rounding) * self._rounding
