"""Step functions that generated strategies use; the last one cannot be compiled and says so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grn.quant import step

State = npt.NDArray[np.float64]


@step(state=1)
def count_rises(state: State, x: float, level: float) -> float:
    """Bars in a row on which `x` stood above `level` times its distance to one."""
    if x > level:
        state[0] = state[0] + 1.0
    else:
        state[0] = 0.0
    return float(state[0])


@step(state=2)
def leaky_mean(state: State, x: float, y: float) -> float:
    """A mean that forgets, fed with the half-way point of two series; missing input is skipped."""
    value = 0.5 * (x + y)
    if value == value:
        if state[1] == 0.0:
            state[0] = value
            state[1] = 1.0
        else:
            state[0] = state[0] + 0.25 * (value - state[0])
    return float(state[0])


@step(state=1)
def toggle(state: State, x: float) -> float:
    """Switch between zero and one on every bar where `x` is positive."""
    if x > 0.0:
        state[0] = 1.0 - state[0]
    return float(state[0])


@step(state=1, jit=False)
def through_text(state: State, x: float) -> float:
    """Remember the length of a number's text: plain Python only."""
    state[0] = float(len(f"{x:.3g}"))
    return float(state[0])
