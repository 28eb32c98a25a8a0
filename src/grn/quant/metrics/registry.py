"""Metrics by name, and what a request for some of them means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from grn.kit.errors import UsageError
from grn.quant.metrics.accumulators import select_groups
from grn.quant.metrics.definitions import DEFINITIONS, Metric

__all__ = ["DEFAULT", "METRICS", "Metric", "groups_needed", "parse_metrics"]

METRICS: Final[Mapping[str, Metric]] = MappingProxyType({metric.name: metric for metric in DEFINITIONS})
"""Every metric by name, in the order in which tables show them."""

DEFAULT: Final[tuple[str, ...]] = tuple(metric.name for metric in DEFINITIONS if not metric.second_pass)
"""What a sweep reports when nobody asks: everything that one pass can give."""


def parse_metrics(names: str | Iterable[str] | None = None) -> tuple[Metric, ...]:
    """Return the metrics meant by ``names``, each once, in the order given.

    ``None`` and ``"default"`` mean everything one pass can give, ``"all"`` the second-pass metrics too (both
    in table order); a string may hold several names with commas between them.

    Raises
    ------
    UsageError
        A name is unknown (the hint has the closest ones), or there is none.
    """
    if names is None:
        names = "default"
    words = names.split(",") if isinstance(names, str) else list(names)
    chosen: dict[str, Metric] = {}
    for word in words:
        for name in _expand(word):
            chosen[name] = METRICS[name]
    if not chosen:
        raise UsageError("no metric named", seen=names, hint=f"choose from: {', '.join(METRICS)}")
    return tuple(chosen.values())


def _expand(word: str) -> tuple[str, ...]:
    name = word.strip().lower().replace("-", "_")
    if name == "default":
        return DEFAULT
    if name == "all":
        return tuple(METRICS)
    if name in METRICS:
        return (name,)
    if not name:
        return ()
    near = get_close_matches(name, METRICS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose from: {', '.join(METRICS)}"
    raise UsageError("unknown metric", seen=word, hint=hint)


def groups_needed(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Return the accumulator groups that the one-pass metrics among these need, in canonical order."""
    return tuple(group.name for group in select_groups(need for metric in metrics for need in metric.needs))
