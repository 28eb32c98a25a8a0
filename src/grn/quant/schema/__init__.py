"""Market data as the engines see it: checked, immutable, in UTC.

`load_bars` turns whatever Polars can read into `Bars`, one per symbol, and refuses anything it would have to
guess about. Everything downstream relies on that check and repeats none of it.
"""

from __future__ import annotations

from grn.quant.schema.bars import Bars
from grn.quant.schema.faults import BAR_COLUMNS, PRICE_COLUMNS
from grn.quant.schema.load import BarSource, load_bars

__all__ = ["BAR_COLUMNS", "PRICE_COLUMNS", "BarSource", "Bars", "load_bars"]
