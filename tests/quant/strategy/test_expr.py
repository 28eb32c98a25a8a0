from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit.errors import BudgetError, StrategyError
from grn.quant.strategy.advice import METHODS, RUNNERS
from grn.quant.strategy.expr import Binary, Const, Expr, Param, Unary, condition, lift, param
from grn.quant.strategy.indicators import bollinger, macd, sma
from grn.quant.strategy.leaves import PolarsColumn
from grn.quant.strategy.words import close, col, open_, polars, when
from tests.quant.strategy.nodes import EVERY_NODE, Case


@pytest.mark.parametrize("case", EVERY_NODE.values(), ids=EVERY_NODE.keys())
def test_every_node_has_its_canonical_form_text_and_kind(case: Case) -> None:
    """Keys, texts and kinds are fixed: trial keys, messages and reports are made of them."""
    assert case.expr.key == case.key
    assert str(case.expr) == repr(case.expr) == case.text
    assert case.expr.kind == case.kind


def test_keys_tell_every_node_from_every_other() -> None:
    """Nodes of different meaning have different keys, and keys can be looked up."""
    assert len({case.expr.key for case in EVERY_NODE.values()}) == len(EVERY_NODE)


def test_constants_that_python_holds_equal_have_keys_of_their_own() -> None:
    """True, 1 and 1.0 are equal in Python; a truth value and a number are not the same constant."""
    assert Const(True).key != Const(1.0).key
    assert Const(False).key != Const(0.0).key
    assert Const(1).key == Const(1.0).key
    assert Const(float("nan")).key == Const(float("nan")).key


def test_an_expression_has_no_truth_value() -> None:
    """`and`, `or`, `not`, `if` and chained comparison would silently drop a condition: they are refused."""
    for attempt in (
        lambda: bool(close > 1),
        lambda: close > 1 and open_ > 1,
        lambda: not (close > 1),
        lambda: 1 < close < 3,
    ):
        with pytest.raises(StrategyError, match="no truth value") as caught:
            attempt()
        assert "&" in str(caught.value.hint)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "minimum", "maximum", "lt", "eq", "ne"])
def test_arithmetic_and_comparison_refuse_a_condition(op: str) -> None:
    """A condition is no number: the side that is one is named, whichever it is."""
    wrong = open_ > 1
    for left, right in ((close, wrong), (wrong, close), (wrong, Const(True))):
        with pytest.raises(StrategyError, match="needs numbers") as caught:
            Binary(op, left, right)
        assert str(caught.value.seen) == "(open > 1)"
        assert "when(" in str(caught.value.hint)


@pytest.mark.parametrize("op", ["neg", "abs", "sqrt", "truth", "missing"])
def test_numeric_functions_refuse_a_condition(op: str) -> None:
    """Minus, roots and the like apply to numbers only, and `not` to conditions only."""
    with pytest.raises(StrategyError, match="does not apply to a bool"):
        Unary(op, close > 1)
    with pytest.raises(StrategyError, match="does not apply to a float"):
        Unary("not", close)


def test_adding_a_truth_value_is_refused() -> None:
    """`close + True` is a slip of the pen, not close + 1."""
    with pytest.raises(StrategyError, match="`\\+` needs numbers"):
        close + True


def test_when_needs_two_answers_of_one_kind() -> None:
    """A value that is a number on some bars and a condition on others has no meaning."""
    with pytest.raises(StrategyError, match="must be numbers or both conditions"):
        when(close > 1, close, close > 2)


def test_numbers_are_conditions_when_combined_with_logic() -> None:
    """A ready-made column of 0 and 1 is a condition at once: non-zero is true."""
    both = col("entry") & col("allowed")
    assert both.key == ("and", ("truth", ("column", "entry")), ("truth", ("column", "allowed")))
    assert (~col("entry")).key == ("not", ("truth", ("column", "entry")))
    assert (2 & col("entry")).key == ("and", ("truth", ("const", 2.0)), ("truth", ("column", "entry")))
    assert (True ^ col("entry")).kind == "bool"


def test_operands_keep_their_order_when_the_number_comes_first() -> None:
    """2 - x is not x - 2, in arithmetic and in comparison."""
    c, two = close.key, ("const", 2.0)
    assert (2 - close).key == ("sub", two, c)
    assert (2 / close).key == ("div", two, c)
    assert (2 + close).key == ("add", two, c)
    assert (2 * close).key == ("mul", two, c)
    two_ = 2.0
    assert (two_ < close).key == ("gt", c, two)
    assert (two_ >= close).key == ("le", c, two)
    assert (two_ == close).key == ("eq", c, two)


@pytest.mark.parametrize(
    "value",
    [1, 1.0, np.float64(1.0), np.int64(1), np.float32(1.0), np.array(1.0)],
    ids=lambda v: str(type(v)),
)
def test_numbers_of_numpy_lift_like_those_of_python(value: object) -> None:
    """A window computed with NumPy is a number as well."""
    assert lift(value).key == ("const", 1.0)


def test_truth_values_and_polars_expressions_lift() -> None:
    """np.True_ is a truth value; a Polars expression becomes a column of its own."""
    assert lift(np.True_).key == ("true",)
    lifted = lift(pl.col("close").shift(1))
    assert isinstance(lifted, PolarsColumn)
    assert lifted.columns == ("close",)


@pytest.mark.parametrize(
    "value", ["close", None, [1, 2], np.arange(3), pl.Series([1.0]), np.str_("close"), 1j, object()],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_what_cannot_be_lifted_is_named(value: object) -> None:
    """Texts, lists and frames are no values per bar; the message says what may stand there."""
    with pytest.raises(StrategyError, match="cannot be part of a strategy") as caught:
        lift(value)
    assert type(value).__name__ in str(caught.value)
    assert "col(" in str(caught.value.hint)


@pytest.mark.parametrize("lag", [-1, 1.0, True, "1", None])
def test_a_lag_is_a_whole_number_of_bars_back(lag: object) -> None:
    """A negative lag would read the future; True and 1.0 are slips."""
    with pytest.raises(StrategyError, match="lag is a whole number"):
        close.lag(lag)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [[0.5, 1.5], [-1, 2]])
def test_a_lag_parameter_takes_whole_numbers_from_zero(values: list[float]) -> None:
    """No value that a sweep would try may read the future."""
    with pytest.raises(StrategyError, match="lag parameter"):
        close.lag(param("k", values))


def test_a_column_needs_a_name() -> None:
    """col("") names nothing."""
    with pytest.raises(StrategyError, match="needs a name"):
        col("")


def test_condition_leaves_conditions_alone() -> None:
    """Lifting twice changes nothing."""
    test = close > 1
    assert condition(test) is test
    assert condition(condition(close)).key == ("truth", ("column", "close"))


class TestParam:
    def test_whole_numbers_stay_whole(self) -> None:
        """A list of ints is an int parameter; one float makes it a float parameter."""
        assert param("n", range(2, 5)).values == (2, 3, 4)
        assert param("n", np.arange(2, 5)).integer
        mixed = param("q", [1, 2.5])
        assert (mixed.values, mixed.integer) == ((1.0, 2.5), False)
        assert all(isinstance(v, float) for v in mixed.values)

    def test_a_single_number_is_a_list_of_one(self) -> None:
        """`param("n", 5)` is a parameter with one value, whatever made the number."""
        assert param("n", 5).values == param("n", np.int64(5)).values == (5,)

    @pytest.mark.parametrize("name", ["", "2fast", "fast-slow", "a b", None, 7])
    def test_its_name_is_an_identifier(self, name: object) -> None:
        """The name becomes a column of the result and an option on the command line."""
        with pytest.raises(StrategyError, match="identifier"):
            param(name, [1])  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "values",
        [[float("nan")], [1, float("inf")], [True, False], ["1"], "12", [None], [1 + 0j], [[1, 2], [3, 4]]],
        ids=str,
    )
    def test_its_values_are_finite_numbers(self, values: object) -> None:
        """NaN, infinities, texts and truth values are refused by value."""
        with pytest.raises(StrategyError, match="takes finite numbers"):
            param("n", values)  # type: ignore[arg-type]

    @pytest.mark.parametrize("values", [None, object(), 1j])
    def test_what_is_no_list_is_refused(self, values: object) -> None:
        """What cannot be listed is an error of the strategy, not of Python."""
        with pytest.raises(StrategyError, match="'n' takes"):
            param("n", values)  # type: ignore[arg-type]

    @pytest.mark.parametrize("values", [[], range(5, 2), np.array([])])
    def test_it_has_at_least_one_value(self, values: object) -> None:
        """An empty range is a slip of its bounds."""
        with pytest.raises(StrategyError, match="no values"):
            param("n", values)  # type: ignore[arg-type]

    @pytest.mark.parametrize("values", [[2, 3, 2], [1, 1.0], [0.0, -0.0]])
    def test_no_value_comes_twice(self, values: list[float]) -> None:
        """A value listed twice would be run, and counted, twice; 0.0 and -0.0 are one value."""
        with pytest.raises(StrategyError, match="lists a value twice"):
            param("n", values)

    @pytest.mark.parametrize("values", [range(10**8), range(10**400), range(10**9, 0, -1)])
    def test_a_range_too_long_for_memory_is_priced_before_it_is_listed(self, values: range) -> None:
        """The message has the price and how many values there are; nothing is listed."""
        with pytest.raises(BudgetError, match=r"'n' need \S+ GiB") as caught:
            param("n", values)
        assert "at most 10,000,000" in str(caught.value.hint)

    def test_its_key_has_neither_values_nor_type(self) -> None:
        """A trial is a strategy at one value: which others were listed beside it does not matter."""
        keys = {param("q", v).key for v in ([1, 2], [1, 2.5], [9], np.linspace(0, 1, 5))}
        assert keys == {("param", "q")}


def test_expressions_are_hashable_by_identity() -> None:
    """`==` builds an expression, so sets and dicts go by identity."""
    a, b = close > 1, close > 1
    assert len({a, b, a}) == 2
    assert isinstance(a == b if a.kind == "float" else close == open_, Expr)
    assert isinstance(param("n", [1]), Param)


def test_a_polars_expression_stands_on_the_left_when_wrapped() -> None:
    """`polars(...)` lifts it, so that the comparison is ours and not Polars'."""
    wrapped = polars(pl.col("score")) > close
    assert wrapped.kind == "bool"
    assert wrapped.children[0].key == lift(pl.col("score")).key


@pytest.mark.parametrize(
    ("attempt", "hint"),
    [
        (lambda: close[-1], ".lag(1)"),
        (lambda: close[3], ".lag(3)"),
        (lambda: close[1:], ".lag(n)"),
        (lambda: np.log(close), "log(x) of grn.quant"),
        (lambda: np.maximum(close, 2), "maximum(a, b)"),
        (lambda: np.sin(close), "step function"),
        (lambda: np.add.reduce(close), "step function"),
        (lambda: np.mean(close), "functions of grn.quant"),
        (lambda: np.where(close > 1, 1, 0), "functions of grn.quant"),
        (lambda: np.array([1.0, 2.0]) * close, "use numbers"),
        (lambda: close > bollinger(close), ".upper, .middle, .lower"),
        (lambda: bollinger(close) - close, ".upper, .middle, .lower"),
        (lambda: sma(macd(close), 3), ".line, .signal, .histogram"),
    ],
)
def test_habits_of_other_libraries_are_answered(attempt: Callable[[], object], hint: str) -> None:
    """Indexing, NumPy's functions and an indicator without its output: the hint says what to write."""
    with pytest.raises(StrategyError) as caught:
        attempt()
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("shift", "write x.lag(n)"),
        ("rolling_mean", "write sma(x, n)"),
        ("diff", "write x - x.lag(1)"),
        ("pct_change", "x / x.lag(1) - 1"),
        ("ema", "ema is a function: write ema(x, ...)"),
        ("crosses_over", "did you mean crosses_above or crosses_below"),
        ("qqqq", "guide on strategies"),
    ],
)
def test_an_unknown_method_is_answered_with_the_word_to_use(name: str, advice: str) -> None:
    """It stays an AttributeError, which `hasattr` needs."""
    with pytest.raises(AttributeError, match=f"'Column' object has no attribute '{name}'; ") as caught:
        getattr(close, name)
    assert advice in str(caught.value)
    assert not hasattr(close, name)


def test_protocols_of_python_find_an_expression_as_before() -> None:
    """Copies and pickles are equal expressions; nothing takes it for an iterable or for an array."""
    rule = (sma(close, param("n", [2, 3])) > close.lag(2)) & ~(close == 1.0)
    for again in (copy.copy(rule), copy.deepcopy(rule), pickle.loads(pickle.dumps(rule))):
        assert again.key == rule.key
    assert not any(hasattr(close, name) for name in ("_repr_html_", "__len__", "__arrow_c_stream__", "item"))
    for attempt in (lambda: list(close), lambda: 1.0 in close):  # type: ignore[operator]
        with pytest.raises(TypeError, match="is not"):
            attempt()


def test_numbers_of_numpy_stand_on_the_left() -> None:
    """np.float64(2) * close is the product and not an array of one object; comparisons and `&` as well."""
    two = np.float64(2.0)
    assert (two * close).key == (2.0 * close).key
    assert (two / close).key == (2.0 / close).key
    assert (two < close).key == Binary("lt", Const(2.0), close).key
    assert (np.bool_(True) & (close > 1)).key == (True & (close > 1)).key


def test_advice_names_what_there_is() -> None:
    """The list of methods is the class's own, that of names above is the package's."""
    assert list(RUNNERS) == grn.__all__
    public = {name for name, value in vars(Expr).items() if callable(value) and not name.startswith("_")}
    assert public == set(METHODS)
