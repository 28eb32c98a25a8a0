"""Gracemann Research Node: from market data to an honest verdict, the same bytes every time."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grn.kit.errors import GrnError
    from grn.ledger import Ledger
    from grn.quant.judge import validate
    from grn.quant.lake import lake
    from grn.quant.samples import sample
    from grn.quant.search.run import search
    from grn.quant.stream.result import open_sweep
    from grn.quant.stream.run import stream_sweep
    from grn.quant.sweep import backtest, sweep

_HOME_OF = {
    "sweep": "grn.quant.sweep",
    "backtest": "grn.quant.sweep",
    "search": "grn.quant.search.run",
    "stream_sweep": "grn.quant.stream.run",
    "open_sweep": "grn.quant.stream.result",
    "validate": "grn.quant.judge",
    "sample": "grn.quant.samples",
    "lake": "grn.quant.lake",
    "Ledger": "grn.ledger",
    "GrnError": "grn.kit.errors",
}

__all__ = [
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
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
