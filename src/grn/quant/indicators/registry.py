"""All indicators by name, and the one way to evaluate them in either mode."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from grn.kit.errors import StrategyError
from grn.quant.indicators import averages, channels, kalman, momentum, rolling, volatility, volume
from grn.quant.indicators.compiled import compile_kernel
from grn.quant.indicators.spec import Indicator, ParamSpec

__all__ = ["INDICATORS", "Indicator", "ParamSpec", "evaluate", "get", "jitted"]

_FAMILIES = (averages, momentum, volatility, channels, volume, rolling, kalman)

INDICATORS: Mapping[str, Indicator] = MappingProxyType(
    {indicator.name: indicator for family in _FAMILIES for indicator in family.FAMILY}
)
_DTYPES = {"int": np.int64, "float": np.float64}


def get(name: str) -> Indicator:
    """Return the indicator of that name.

    Raises
    ------
    StrategyError
        There is none; the hint names close matches.
    """
    if name in INDICATORS:
        return INDICATORS[name]
    close = difflib.get_close_matches(name.lower(), INDICATORS, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else "`grn quant indicators` lists them all"
    raise StrategyError("no such indicator", seen=name, hint=hint)


def jitted(name: str) -> Callable[..., None]:
    """Return the kernel of an indicator compiled by Numba (no GIL, cached on disk, no fast-math).

    Its arguments are those of the plain kernel, all sequences contiguous float64 arrays (int64 for ``int``
    scratch).
    """
    return compile_kernel(get(name), INDICATORS)


def share(
    name: str, inputs: Sequence[npt.NDArray[np.float64]]
) -> Callable[..., tuple[npt.NDArray[np.float64], ...]] | None:
    """Find a quicker way to an indicator of these inputs, what its windows share computed once; or None.

    A function that takes checked parameters by name and gives what `evaluate` gives, bit for bit.
    """
    if name == "sma":
        from grn.quant.indicators.shared import exact_sums, mean_of_window

        sums = exact_sums(inputs[0])
        return None if sums is None else lambda n: (mean_of_window(sums, n),)
    if name == "rolling_std":
        from grn.quant.indicators.abreast import deviation_of_window, gapless

        x = inputs[0]
        return (lambda n, ddof: (deviation_of_window(x, n, ddof),)) if gapless(x) else None
    return None


def evaluate(
    name: str, inputs: Sequence[npt.NDArray[np.float64]], params: Mapping[str, object], *, jit: bool
) -> tuple[npt.NDArray[np.float64], ...]:
    """Compute an indicator.

    Parameters
    ----------
    inputs
        One series of shape (bars,) per input, in declared order.
    params
        Values by name; defaults are filled in.
    jit
        Run the compiled kernel on arrays, or the plain Python function on lists of floats. Same bits.

    Returns
    -------
    One new array of shape (bars,) per output, in declared order.

    Raises
    ------
    StrategyError
        Unknown indicator, wrong number of inputs, inputs of unequal length, or wrong parameters.
    """
    indicator = get(name)
    values = indicator.check_params(params).values()
    series = [np.ascontiguousarray(column, dtype=np.float64) for column in inputs]
    if len(series) != len(indicator.inputs):
        needs = f"it takes {', '.join(indicator.inputs)}"
        raise StrategyError(f"{name}: wrong number of inputs", seen=len(series), hint=needs)
    shapes = [column.shape for column in series]
    if any(shape != (len(series[0]),) for shape in shapes):
        hint = "give one-dimensional series of equal length"
        raise StrategyError(f"{name}: inputs differ in shape", seen=shapes, hint=hint)
    bars = len(series[0])
    if jit:
        scratch = [np.empty(bars, _DTYPES[cell.kind]) for cell in indicator.scratch]
        outputs = [np.empty(bars) for _ in indicator.outputs]
        jitted(name)(*series, *values, *scratch, *outputs)
        return tuple(outputs)
    cells = [[_DTYPES[cell.kind](0).item()] * bars for cell in indicator.scratch]
    results = [[0.0] * bars for _ in indicator.outputs]
    indicator.kernel(*(column.tolist() for column in series), *values, *cells, *results)
    return tuple(np.array(result, dtype=np.float64) for result in results)
