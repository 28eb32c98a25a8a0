"""Figures of one sweep, as Plotly objects: the ones in the report, and the ones a notebook asks for.

Each function takes a result (and a row) and returns a figure in the light palette; the report repaints them.
"""

from __future__ import annotations

from grn.quant.report.figures.account import drawdown, equity
from grn.quant.report.figures.calendar import monthly
from grn.quant.report.figures.luck import null_distribution, trials
from grn.quant.report.figures.parameters import heatmap, scatter
from grn.quant.report.figures.trading import trades

__all__ = ["drawdown", "equity", "heatmap", "monthly", "null_distribution", "scatter", "trades", "trials"]
