"""What looks on while a model trains: how far it is, and whether it is to stop and be queued again."""

from __future__ import annotations

import contextlib
import hashlib
import math
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback

from grn.kit.clock import Clock
from grn.kit.files import write_atomic
from grn.kit.progress import duration_text

WHOLE = "whole"
"""Name of the file that a checkpoint has when all of it was written."""


# Where transformers is not installed, its classes are of no known type.
class Watch(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Tells how far it is, stops at a signal, and marks checkpoints that are whole.

    Parameters
    ----------
    notify
        Is told a line every few seconds.
    clock
        For tokens a second and the time left; no result depends on it.
    every_s
        Seconds between lines.

    Attributes
    ----------
    asked
        Whether a signal asked to stop.
    """

    def __init__(self, notify: Callable[[str], None], clock: Clock, every_s: float = 5.0) -> None:
        self.asked = False
        self._notify = notify
        self._clock = clock
        self._every_ns = int(every_s * 1e9)
        self._begin_ns = self._told_ns = clock.monotonic_ns()
        self._first = (0, 0)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Stop after the current step at USR1, by which a scheduler tells that time is nearly up, or TERM."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGUSR1, signal.SIGTERM)
        before = [signal.signal(number, self._ask) for number in signals]
        try:
            yield
        finally:
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count from here: a resumed run has done steps that this process has not."""
        self._begin_ns = self._told_ns = self._clock.monotonic_ns()
        self._first = (int(state.global_step), int(state.num_input_tokens_seen))

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Draw dropout from the seed and the step's number: the same whatever came before in this process."""
        import torch

        drawn = hashlib.sha256(f"{args.seed} {state.global_step}".encode()).digest()
        torch.manual_seed(int.from_bytes(drawn[:7], "big"))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop when asked to."""
        if self.asked and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Tell loss, pace and time left."""
        now_ns = self._clock.monotonic_ns()
        loss = None if logs is None else logs.get("loss")
        if loss is None or now_ns - self._told_ns < self._every_ns:
            return
        self._told_ns = now_ns
        step, tokens = self._first
        elapsed_s = max((now_ns - self._begin_ns) / 1e9, 1e-9)
        done = max(1, state.global_step - step)
        left_s = (state.max_steps - state.global_step) * elapsed_s / done
        seen = state.num_input_tokens_seen - tokens
        pace = f"{seen / elapsed_s:,.0f} tokens/s  " if seen else ""  # of a module's arrays none are counted
        self._notify(
            f"step {state.global_step:,}/{state.max_steps:,}  loss {loss:.4g}  {pace}"
            f"{duration_text(left_s)} left"
        )
        if not math.isfinite(loss):
            control.should_training_stop = True

    def tokens_per_s(self, state: Any) -> float | None:
        """Pace of the steps that this process did; ``None`` where no tokens were counted."""
        elapsed_s = (self._clock.monotonic_ns() - self._begin_ns) / 1e9
        tokens = state.num_input_tokens_seen - self._first[1]
        return tokens / elapsed_s if tokens > 0 and elapsed_s > 0 else None

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint that was being written when its process died is not gone on from."""
        write_atomic(Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE, "")
