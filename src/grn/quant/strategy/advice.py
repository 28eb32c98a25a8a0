"""Words of other libraries, and what stands for them here: hints for names that do not exist."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

RUNNERS: Final = (
    "GrnError",
    "Ledger",
    "backtest",
    "lake",
    "open_sweep",
    "sample",
    "search",
    "stream_sweep",
    "sweep",
    "validate",
)
"""The names of the package `grn`, which modules this far down do not import; tests hold them against it."""

METHODS: Final = ("crosses_above", "crosses_below", "lag", "sqrt")
"""What an expression can be asked for; tests hold it against the class."""

UFUNC_OPERATORS: Final = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "less": "lt", "less_equal": "le",
    "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne", "bitwise_and": "and_",
    "bitwise_or": "or_", "bitwise_xor": "xor",
}  # fmt: skip
"""NumPy's names of Python's operators, as in `operator`: what np.float64(2) * close comes in as."""

_STANDS_FOR: Final = {
    "abs": "abs(x)",
    "absolute": "abs(x)",
    "average": "sma(x, n)",
    "between": "(low < x) & (x < high)",
    "clip": "minimum(maximum(x, low), high)",
    "diff": "x - x.lag(1)",
    "ewm": "ema(x, n)",
    "ewm_mean": "ema(x, n)",
    "exp": "exp(x) of grn.quant",
    "fabs": "abs(x)",
    "fill_nan": "when(is_missing(x), value, x)",
    "fill_null": "when(is_missing(x), value, x)",
    "fillna": "when(is_missing(x), value, x)",
    "fmax": "maximum(a, b) of grn.quant",
    "fmin": "minimum(a, b) of grn.quant",
    "is_nan": "is_missing(x)",
    "is_null": "is_missing(x)",
    "isna": "is_missing(x)",
    "isnan": "is_missing(x)",
    "isnull": "is_missing(x)",
    "log": "log(x) of grn.quant",
    "log10": "log(x) / 2.302585092994046",
    "log1p": "log(1 + x)",
    "log2": "log(x) / 0.6931471805599453",
    "logical_and": "p & q",
    "logical_not": "~p",
    "logical_or": "p | q",
    "max": "rolling_max(x, n), or maximum(a, b) of two",
    "maximum": "maximum(a, b) of grn.quant",
    "mean": "sma(x, n)",
    "min": "rolling_min(x, n), or minimum(a, b) of two",
    "minimum": "minimum(a, b) of grn.quant",
    "negative": "-x",
    "notna": "~is_missing(x)",
    "over": "nothing: expressions never mix symbols",
    "pct_change": "x / x.lag(1) - 1, or roc(x, n) in percent",
    "pow": "x * x",
    "power": "x * x, or exp(y * log(x))",
    "resample": 'tf("1d", x)',
    "rolling": "sma, rolling_std, rolling_min, rolling_max or rolling_sum(x, n)",
    "rolling_max": "rolling_max(x, n)",
    "rolling_mean": "sma(x, n)",
    "rolling_min": "rolling_min(x, n)",
    "rolling_std": "rolling_std(x, n)",
    "rolling_sum": "rolling_sum(x, n)",
    "shift": "x.lag(n)",
    "sqrt": "x.sqrt()",
    "square": "x * x",
    "std": "rolling_std(x, n)",
    "sum": "rolling_sum(x, n)",
    "where": "when(test, yes, no)",
}


def nearest(name: str, known: Collection[str]) -> str:
    """Name what may have been meant: ``did you mean sma or wma?``; empty when nothing is like it."""
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""


def replacement(name: str) -> str:
    """Say what stands for another library's `name`; empty when nothing does."""
    return f"write {_STANDS_FOR[name]}" if name in _STANDS_FOR else ""


def advise(name: str) -> str:
    """Say what to write instead of `name`, a method that expressions do not have."""
    import grn.quant

    words = [word for word in grn.quant.__all__ if word.islower()]
    if name in _STANDS_FOR:
        return replacement(name)
    if name in words:
        return f"{name} is a function: write {name}(x, ...)"
    return nearest(name, [*words, *METHODS]) or "the guide on strategies lists operators and indicators"


def outputs_of(value: object) -> str:
    """Say how to take one output of an indicator that has several; empty for anything else."""
    fields = getattr(value, "_fields", ())
    return f"it has several outputs, take one: {', '.join(f'.{f}' for f in fields)}" if fields else ""


def explain(error: BaseException) -> str:
    """Say how to mend what Python itself found wrong in a strategy file; empty when only its author knows.

    An unknown name or import is answered with the nearest names of `grn.quant`, a wrong call with what the
    function takes.
    """
    import grn.quant

    if isinstance(error, AttributeError):
        return outputs_of(error.obj)
    if isinstance(error, TypeError):
        return _takes(str(error))
    if isinstance(error, NameError):
        name = error.name or ""
    else:
        # `ImportError.name_from` came with Python 3.12.
        found = re.match(r"cannot import name '(\w+)' from 'grn(?:\.quant)?'", str(error))
        name = found[1] if found else ""
    for package, words in (("grn.quant", grn.quant.__all__), ("grn", RUNNERS)):
        if name in words:
            return f"write from {package} import {name}"
    return (name and nearest(name, grn.quant.__all__)) or replacement(name)


def _takes(complaint: str) -> str:
    import inspect

    import grn.quant

    found = re.match(r"(\w+)(?:\.__init__|\.__new__)?\(\) ", complaint)
    if found is None or found[1] not in grn.quant.__all__:
        return ""
    written = []
    for each in inspect.signature(getattr(grn.quant, found[1])).parameters.values():
        if each.kind is each.KEYWORD_ONLY and "*" not in written:
            written.append("*")
        plain = each.default is each.empty
        written.append(each.name if plain else f"{each.name}={each.default!r}")
    return f"the call takes {found[1]}({', '.join(written)})"
