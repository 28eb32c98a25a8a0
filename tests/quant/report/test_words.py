from __future__ import annotations

import math

import pytest

from grn.kit.errors import UsageError
from grn.quant.metrics.registry import METRICS
from grn.quant.report.mathml import formula, prose
from grn.quant.report.numbers import count, money, percent, plain, show
from grn.quant.report.words import describe_param, describe_rules, describe_strategy, phrase
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import rsi, sma
from grn.quant.strategy.plain import from_plain, to_plain
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.sizes import Fraction, Quantity, Value
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, col, is_missing
from tests.quant.markets import cross


def test_crossings_and_comparisons_read_as_sentences() -> None:
    """A crossing is named; comparisons, logic, lags, signal columns and missing values are spelt out."""
    n = param("n", [2, 3])
    assert phrase(sma(close, n).crosses_above(close)) == "sma(close, n) crosses above close"
    assert phrase(close.crosses_below(50.0)) == "close crosses below 50"
    assert phrase((rsi(close, 14) <= 30.0) & ~(close < close.lag(1))) == (
        "rsi(close, 14) ≤ 30 and not (close < [close] 1 bar ago)"
    )
    assert phrase((close > 1.0) | (close < 2.0) & (close != 3.0)) == (
        "close > 1 or (close < 2 and close ≠ 3)"
    )
    assert phrase(((close > 1.0) | (close < 2.0)) & ((close > 3.0) | (close < 4.0))) == (
        "(close > 1 or close < 2) and (close > 3 or close < 4)"
    )
    assert phrase(is_missing(col("score"))) == "score is missing"
    assert Strategy(entry=col("go"), exit=col("stop")).signals[0].kind == "bool"
    assert phrase(Strategy(entry=col("go"), exit=col("stop")).entry) == "go ≠ 0"


def test_strategy_reads_the_same_after_the_ledger() -> None:
    """Only the sides that exist are told, and a strategy restored from plain data tells the same."""
    told = describe_strategy(cross())
    assert [what for what, _ in told] == ["Enter long", "Leave long", "Only where"]
    both = Strategy(entry=close > 1.0, exit=close < 1.0, direction="both")
    assert [what for what, _ in describe_strategy(both)] == ["Enter long", "Enter short"]
    for strategy in (cross(), both):
        assert describe_strategy(from_plain(to_plain(strategy))) == describe_strategy(strategy)


def test_rules_and_parameters_read_as_sentences() -> None:
    """Every size and cost has its words."""
    said = dict(
        describe_rules(Rules(costs=Costs(fee=0.001, fixed_fee=2.0, slippage=0.0005), size=Fraction(0.5)))
    )
    assert said["Fees"] == "0.100\N{NO-BREAK SPACE}% of the traded value, 2.00 per order"
    assert said["Slippage"].startswith("0.050")
    assert said["Size"] == "an entry trades 50.0\N{NO-BREAK SPACE}% of the cash"
    assert "10 units" in dict(describe_rules(Rules(size=Quantity(10.0), fill="close")))["Size"]
    assert "1,000" in dict(describe_rules(Rules(size=Value(1_000.0))))["Size"]
    assert describe_param(param("n", range(2, 101))) == "2 to 100 (99 values)"
    assert describe_param(param("n", [0.5, -1.0])) == "0.5, −1"


def test_numbers_follow_their_unit() -> None:
    """Percent, money, counts; two significant digits of a small share, a real minus sign, no minus zero, a
    dash for what is not defined.
    """
    assert show(METRICS["total_return"], 4.449) == "444.9\N{NO-BREAK SPACE}%"
    assert show(METRICS["var"], -0.0152) == "−1.52\N{NO-BREAK SPACE}%"
    assert show(METRICS["trades"], 1234.0) == "1,234"
    assert show(METRICS["max_drawdown_bars"], 8377.0) == "8,377 bars"
    assert show(METRICS["max_drawdown_bars"], math.nan) == "–"
    assert show(METRICS["sharpe"], math.nan) == "–"
    assert (plain(-0.001), plain(math.inf), percent(math.nan)) == ("0.00", "∞", "–")
    assert [percent(v) for v in (0.0018, 0.00052, -0.0000123, 1e-12, 0.0)] == [
        f"{said}\N{NO-BREAK SPACE}%" for said in ("0.18", "0.052", "−0.0012", "0.00", "0.00")
    ]
    assert (money(-1234.4), money(12.5)) == ("−1,234", "12.50")
    assert (count(1, "trade"), count(2, "trade")) == ("1 trade", "2 trades")


def test_every_metric_has_a_formula_that_can_be_set() -> None:
    """All formulas and conditions of the registry translate to MathML with elements that nest."""
    from xml.etree import ElementTree

    for metric in METRICS.values():
        ElementTree.fromstring(formula(metric.formula))
        ElementTree.fromstring(f"<p>{prose(metric.undefined)}</p>")


def test_formula_structure() -> None:
    """A fraction, a script on a fenced group, a leading minus."""
    assert formula(r"\frac{a}{2}") == (
        '<math displaystyle="true"><mrow><mfrac><mrow><mi>a</mi></mrow>'
        "<mrow><mn>2</mn></mrow></mfrac></mrow></math>"
    )
    assert "<msup><mrow><mo" in formula(r"\left(x\right)^2")
    assert '<mo form="prefix">−</mo>' in formula("-x")
    for bad in (r"\nonsense", r"\frac{a}", "{a", r"\mathrm x"):
        with pytest.raises(UsageError):
            formula(bad)
