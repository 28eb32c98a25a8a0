"""A module of one's own as the trainer wants it: batches by name in, a loss out."""

from __future__ import annotations

from typing import Any

import torch

from grn.fit.step import check_loss


# Where torch is not installed, its classes are of no known type.
class Wrapped(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Calls a module with a batch's tensors by name, and passes on the loss that it gives.

    Parameters
    ----------
    module
        What is trained.
    """

    accepts_loss_kwargs = False
    """`transformers`' trainer passes the number of its tokens on to whoever takes any names."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, return_loss: bool = True, **batch: Any) -> dict[str, torch.Tensor]:
        """The loss of a batch. The trainer finds `return_loss` by its name, and evaluates only who has it.

        Raises
        ------
        UsageError
            The module gives none.
        """
        return {"loss": check_loss(self.module(**batch))}
