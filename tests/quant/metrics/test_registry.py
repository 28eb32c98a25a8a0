"""The table of metrics: complete, consistent with the formulas, and what the documentation says."""

from __future__ import annotations

from pathlib import Path

import pytest

from grn.kit.errors import UsageError
from grn.quant.metrics.accumulators import GROUP_BY_NAME
from grn.quant.metrics.from_accumulators import FORMULAS
from grn.quant.metrics.page import render
from grn.quant.metrics.registry import DEFAULT, METRICS, groups_needed, parse_metrics

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "metrics.md"


def test_every_one_pass_metric_has_a_formula_and_no_other():
    """The registry and the formulas name the same metrics."""
    assert tuple(FORMULAS) == DEFAULT


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_described(name: str):
    """No empty field, and every group it needs exists."""
    metric = METRICS[name]
    assert metric.name == name
    assert all((metric.label, metric.formula, metric.undefined, metric.peers))
    assert all(group in GROUP_BY_NAME for group in metric.needs)


def test_names_and_labels_are_unique():
    """Two columns must not look alike in a table."""
    assert len({metric.label.lower() for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("names", [None, "default", " Default ", ["default"]])
def test_default_is_everything_one_pass_gives(names: str | list[str] | None):
    """Nobody pays for a second pass who did not ask for it."""
    assert tuple(metric.name for metric in parse_metrics(names)) == DEFAULT
    assert not any(metric.second_pass for metric in parse_metrics(names))


def test_all_adds_the_second_pass():
    """``all`` is the whole table in its order."""
    assert tuple(metric.name for metric in parse_metrics("all")) == tuple(METRICS)


def test_order_is_the_callers_and_repeats_vanish():
    """Columns come as asked; a name given twice gives one column."""
    found = parse_metrics("trades, sharpe,max-drawdown,trades")
    assert [metric.name for metric in found] == ["trades", "sharpe", "max_drawdown"]
    assert [metric.name for metric in parse_metrics(["var", "sharpe"])] == ["var", "sharpe"]


def test_an_unknown_name_gets_its_neighbours():
    """The hint names the closest metrics."""
    with pytest.raises(UsageError, match="unknown metric") as caught:
        parse_metrics("sharp")
    assert "sharpe" in str(caught.value.hint)


def test_a_hopeless_name_gets_the_list():
    """Without a neighbour the hint lists every metric."""
    with pytest.raises(UsageError) as caught:
        parse_metrics(["zzzzzzz"])
    assert all(name in str(caught.value.hint) for name in METRICS)


@pytest.mark.parametrize("names", ["", " , ", []])
def test_no_name_at_all_is_an_error(names: str | list[str]):
    """An empty request is a mistake, not a request for nothing."""
    with pytest.raises(UsageError, match="no metric"):
        parse_metrics(names)


def test_groups_needed_are_the_least():
    """An engine is asked for what the metrics need and nothing more."""
    assert groups_needed(parse_metrics("total_return,var")) == ("always",)
    assert groups_needed(parse_metrics("max_drawdown,sharpe")) == ("always", "moments", "drawdown")


def test_the_page_is_the_registry():
    """docs/concepts/metrics.md is what the registry prints; its first comment says how to renew it."""
    assert PAGE.read_text(encoding="utf-8") == render()
