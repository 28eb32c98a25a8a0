"""Running step functions: compiled, or as the plain Python they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.kit.errors import StrategyError, UnsupportedError
from grn.quant.engine.market import writable
from grn.quant.jit import place_cache
from grn.quant.strategy.step import Step


def run_step(
    step: Step, inputs: Sequence[npt.NDArray[np.float64]], params: Sequence[float], n_bars: int, *, jit: bool
) -> npt.NDArray[np.float64]:
    """Call a step function on every bar: float64 [T].

    Raises
    ------
    StrategyError
        The step raised something, `SystemExit` included: a strategy must not end the process.
    UnsupportedError
        It does not compile.
    """
    out = np.full(n_bars, np.nan)
    state = np.zeros(step.state)
    try:
        if jit:
            _driver(step, len(inputs), len(params))(state, *map(writable, inputs), *params, out)
        else:
            columns = [x.tolist() for x in inputs]
            for t in range(n_bars):
                out[t] = step.function(state, *(x[t] for x in columns), *params)
    except UnsupportedError:
        raise
    except (Exception, SystemExit) as error:
        raise StrategyError(f"step {step.name} failed", seen=f"{type(error).__name__}: {error}") from error
    return out


@lru_cache(maxsize=256)
def _driver(step: Step, n_inputs: int, n_params: int) -> Callable[..., None]:
    """Compile the loop over bars around a step function."""
    place_cache()
    import numba

    if not step.jit:
        raise UnsupportedError(f"step {step.name} is declared jit=False: only the reference engine runs it")
    inputs = [f"x{i}" for i in range(n_inputs)]
    params = [f"p{i}" for i in range(n_params)]
    arguments = ", ".join(["state", *inputs, *params])
    call = ", ".join(["state", *(f"{x}[t]" for x in inputs), *params])
    source = f"def drive({arguments}, out):\n    for t in range(len(out)):\n        out[t] = step({call})\n"
    space: dict[str, Any] = {"step": numba.njit(step.function)}
    exec(compile(source, "<step driver>", "exec"), space)  # noqa: S102  # a loop with as many arguments as the step
    compiled: Callable[..., None] = numba.njit(nogil=True)(space["drive"])
    kinds = [numba.float64[::1]] * (1 + n_inputs) + [numba.float64] * n_params + [numba.float64[::1]]
    try:
        compiled.compile(tuple(kinds))  # type: ignore[attr-defined]  # numba dispatchers are untyped
    # Bytecode that Numba does not know is no NumbaError to it.
    except (numba.core.errors.NumbaError, numba.core.errors.UnsupportedBytecodeError) as error:
        # The first line names the compiler's pass, the next one what is wrong.
        lines = [
            x for x in str(error).splitlines() if x.strip() and not x.startswith("Failed in nopython mode")
        ]
        raise UnsupportedError(
            f"step {step.name} does not compile",
            seen=lines[0].strip() if lines else type(error).__name__,
            hint="declare it @step(jit=False) to run it on the reference engine",
        ) from error
    return compiled
