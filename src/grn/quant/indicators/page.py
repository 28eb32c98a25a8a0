"""The documentation's page on indicators, written from the registry."""

from __future__ import annotations

import inspect
import sys

from grn.quant.indicators.registry import INDICATORS
from grn.quant.indicators.spec import Indicator, ParamSpec

_HEAD = """\
# Indicators

One scalar recurrence each: run as plain Python it is the reference, compiled it is the fast version, and both
give the same bits. Definitions are held against TA-Lib; where an indicator differs on purpose, its entry says
how, and a test holds that difference.
"""
_EXAMPLE = 20  # stands in for a window without default where the page needs a number


def render() -> str:
    """Return the page as MyST Markdown: the common rules, a table of all indicators, one entry each."""
    entries = (_entry(indicator) for indicator in INDICATORS.values())
    return "\n".join([_HEAD, _rules(), _table(), *entries])


def _rules() -> str:
    package = sys.modules["grn.quant.indicators"].__doc__ or ""
    rules = inspect.cleandoc(package).partition("Rules that hold for every indicator:")[2]
    return f"## Rules that hold for every indicator\n\n{rules.strip().replace('``', '`')}\n"


def _table() -> str:
    lines = ["## All indicators", "", "| Call | Outputs | What it is |", "|---|---|---|"]
    for indicator in INDICATORS.values():
        link = f"[`{_call(indicator)}`](#indicator-{indicator.name})"
        lines.append(f"| {link} | {', '.join(indicator.outputs)} | {indicator.summary} |")
    return "\n".join(lines) + "\n"


def _call(indicator: Indicator) -> str:
    params = (
        spec.name if spec.default is None else f"{spec.name}={spec.default}" for spec in indicator.params
    )
    return f"{indicator.name}({', '.join([*indicator.inputs, *params])})"


def _entry(indicator: Indicator) -> str:
    lines = [f"(indicator-{indicator.name})=", f"## {indicator.name}", "", indicator.summary, ""]
    lines += ["```text", *indicator.formula.split("; "), "```", ""]
    lines += [f"- Call: `{_call(indicator)}`", f"- Outputs: {', '.join(f'`{o}`' for o in indicator.outputs)}"]
    lines += [f"- Parameter `{spec.name}`: {_range(spec)}" for spec in indicator.params]
    lines += [f"- Warm-up: {_warmup(indicator)}", f"- Source: {indicator.source}"]
    lines += [f"- TA-Lib: {_peer(indicator)}", ""]
    return "\n".join(lines)


def _range(spec: ParamSpec) -> str:
    kind = "whole number" if spec.kind == "int" else "number"
    upper = "" if spec.maximum is None else f", at most {spec.maximum:g}"
    default = "must be given" if spec.default is None else f"default {spec.default}"
    return f"{kind}, at least {spec.minimum:g}{upper}; {default}"


def _warmup(indicator: Indicator) -> str:
    params = indicator.check_params(
        {spec.name: _EXAMPLE for spec in indicator.params if spec.default is None}
    )
    bars = indicator.warmup(params)
    values = ", ".join(f"{name}={value}" for name, value in params.items())
    return f"{bars} {'bar' if bars == 1 else 'bars'}" + (f" with {values}" if values else "")


def _peer(indicator: Indicator) -> str:
    if indicator.talib is None:
        return "has no such function"
    return f"`{indicator.talib}`. {indicator.differs or 'Same definition, same numbers.'}"
