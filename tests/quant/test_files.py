from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from grn.kit.errors import StrategyError, UsageError
from grn.quant.files import StrategyFile, load_strategy_file
from grn.quant.schema import load_bars
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Instrument, Rules
from grn.quant.strategy.sizes import Fraction
from tests.quant.markets import random_walk

HEAD = "from grn.quant import Costs, Strategy, close\n"
ONE = HEAD + "strategy = Strategy(close > 1, close < 1)\n"


def load(folder: Path, text: str, name: str = "mine.py") -> StrategyFile:
    """Write a strategy file and load it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_strategy_file(path)


def test_a_file_with_a_strategy_is_all_it_takes(tmp_path: Path) -> None:
    """Data and rules may be left open; the strategy is called like its file."""
    found = load(tmp_path, ONE, "golden_cross.py")
    assert found.strategy.name == "golden_cross"
    assert found.data is None
    assert found.rules == Rules()
    assert found.path == tmp_path / "golden_cross.py"


def test_a_name_given_in_the_file_is_kept(tmp_path: Path) -> None:
    """What the author calls it wins over the file's name, and the direction survives the renaming."""
    text = HEAD + 'strategy = Strategy(close > 1, close < 1, direction="short", name="mine")\n'
    assert load(tmp_path, text).strategy.name == "mine"
    renamed = load(tmp_path, text.replace(', name="mine"', "")).strategy
    assert (renamed.name, renamed.direction) == ("mine", "short")
    assert renamed.short_entry is None


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """A folder and a name that is not there are no strategy files; the hint shows one."""
    for path in (tmp_path / "nothing.py", tmp_path):
        with pytest.raises(UsageError, match="no such strategy file") as caught:
            load_strategy_file(path)
        assert "examples/ma_cross.py" in str(caught.value.hint)


def test_a_file_that_is_no_python_file_is_a_usage_error(tmp_path: Path) -> None:
    """A notebook or a text is named as such instead of being run."""
    with pytest.raises(UsageError, match="is a Python file"):
        load(tmp_path, ONE, "mine.txt")


def test_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    """The line is the file's, not one of ours."""
    with pytest.raises(StrategyError, match="raised an error") as caught:
        load(tmp_path, "x = 1\n\ndef f(:\n")
    assert "mine.py, line 3: SyntaxError" in str(caught.value)


@pytest.mark.parametrize("relative", [False, True])
def test_a_file_that_raises_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    """The innermost line of the file is named, also when the path was given relative to the folder."""
    (tmp_path / "mine.py").write_text("def f(x):\n    return 1 / x\n\ny = f(0)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StrategyError, match="raised an error") as caught:
        load_strategy_file("mine.py" if relative else tmp_path / "mine.py")
    assert "mine.py, line 2: ZeroDivisionError: division by zero" in str(caught.value)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("from grn.quant import smaa", "cannot import name 'smaa' from 'grn.quant'", "did you mean sma"),
        ("from grn.quant import open", "cannot import name 'open'", "did you mean open_"),
        ("from grn.quant import Sma", "cannot import name 'Sma'", "did you mean sma"),
        ("from grn.quant import Ledger", "cannot import name 'Ledger'", "write from grn import Ledger"),
        ("from grn.quant import shift", "cannot import name 'shift'", "write x.lag(n)"),
        ("x = sma(close, 3)", "name 'sma' is not defined", "write from grn.quant import sma"),
        ("x = clos > 1", "name 'clos' is not defined", "did you mean close"),
        ("x = close.shift(1)", "'Column' object has no attribute 'shift'", "write x.lag(n)"),
        (
            "from grn.quant import sma; sma(20)",
            "missing 1 required positional argument: 'n'",
            "takes sma(x, n)",
        ),
        (
            "from grn.quant import atr; atr(close, 14)",
            "takes from 0 to 1 positional arguments",
            "takes atr(n=14, *, high=high, low=low, close=close)",
        ),
        (
            "strategy = Strategy(close > 1)",
            "missing 1 required positional argument: 'exit'",
            "the call takes Strategy(entry, exit, short_entry=None",
        ),
        (
            "from grn.quant import bollinger; bollinger(close).lag(1)",
            "'Bands' object has no attribute 'lag'",
            "take one: .upper, .middle, .lower",
        ),
        ("x = 1 / 0", "division by zero", "run it with python"),
        ("import nothing_of_the_kind", "No module named", "run it with python"),
    ],
)
def test_a_slip_of_the_pen_is_answered(tmp_path: Path, line: str, said: str, hint: str) -> None:
    """What Python finds wrong is shown with its line, and the hint says what to write."""
    with pytest.raises(StrategyError, match="raised an error") as caught:
        load(tmp_path, f"{HEAD}{line}\n")
    assert "mine.py, line 2: " in str(caught.value.seen)
    assert said in str(caught.value.seen)
    assert hint in str(caught.value.hint)
    assert "__init__.py" not in str(caught.value.seen)


def test_an_error_of_ours_keeps_its_class_and_names_the_line(tmp_path: Path) -> None:
    """sma(close, 0) in the file: what is wrong with it, and where it stands."""
    with pytest.raises(StrategyError, match="below its minimum") as caught:
        load(tmp_path, "from grn.quant import close, sma\n\nx = sma(close, 0)\n")
    assert "mine.py, line 3" in str(caught.value.hint)
    assert "whole number of at least 1" in str(caught.value.hint)


def test_a_file_that_exits_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    """`sys.exit(0)` in a strategy file must not look like success."""
    with pytest.raises(StrategyError, match="SystemExit"):
        load(tmp_path, ONE + "import sys\nsys.exit(0)\n")


@pytest.mark.parametrize("text", ["\x00", "x = '\\ud8\n", "é = 1\n"])
def test_a_file_that_is_no_text_of_python_is_an_error(tmp_path: Path, text: str) -> None:
    """Null bytes, broken escapes and a wrong encoding are reported, never raised as they come."""
    path = tmp_path / "mine.py"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StrategyError, match="raised an error"):
        load_strategy_file(path)


def test_no_strategy_and_two_strategies_are_refused(tmp_path: Path) -> None:
    """The message says how many there are and how they are called; the hint says how to choose."""
    with pytest.raises(StrategyError, match="defines one strategy") as caught:
        load(tmp_path, "x = 1\n")
    assert "0 in" in str(caught.value)
    two = HEAD + "a = Strategy(close > 1, close < 1)\nb = Strategy(close > 2, close < 1)\n"
    with pytest.raises(StrategyError, match="defines one strategy") as caught:
        load(tmp_path, two)
    assert "a, b" in str(caught.value)
    assert "`strategy`" in str(caught.value.hint)
    chosen = load(tmp_path, two + "strategy = b\n")
    assert str(chosen.strategy.entry) == "(close > 2)"


def test_one_strategy_under_any_name_will_do(tmp_path: Path) -> None:
    """A second name for the same object is no second strategy."""
    text = HEAD + "trend = Strategy(close > 1, close < 1)\nalias = trend\n"
    assert str(load(tmp_path, text).strategy.entry) == "(close > 1)"


def test_rules_of_the_file_are_read(tmp_path: Path) -> None:
    """costs, fill, size and cash, where they are defined."""
    text = ONE + 'from grn.quant import Fraction\ncosts = Costs(fee=0.002)\nfill = "close"\n'
    found = load(tmp_path, text + "size = Fraction(0.5)\ncash = 500\n").rules
    assert found == Rules("close", Costs(fee=0.002), Fraction(0.5), 500.0)
    assert load(tmp_path, text).rules == Rules("close", Costs(fee=0.002))


def test_a_file_may_define_all_rules_at_once(tmp_path: Path) -> None:
    """`rules` is the whole of them; a rule that is named alone stands in its place there."""
    text = ONE + 'from grn.quant import Rules\nrules = Rules(fill="close", cash=300)\n'
    assert load(tmp_path, text).rules == Rules(fill="close", cash=300.0)
    assert load(tmp_path, text + "cash = 500\n").rules == Rules(fill="close", cash=500.0)
    lots = load(tmp_path, text + "from grn.quant import Instrument\ninstrument = Instrument(lot=5)\n").rules
    assert lots == Rules(fill="close", cash=300.0, instrument=Instrument(lot=5.0))
    with pytest.raises(UsageError, match="rules must be a Rules object"):
        load(tmp_path, ONE + "rules = {}\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("costs = 0.001", "costs must be a Costs object"),
        ('fill = "open"', "unknown fill"),
        ("size = 0.5", "unknown size"),
        ("cash = -1", "cash must be above 0"),
    ],
)
def test_rules_that_are_none_are_refused(tmp_path: Path, line: str, says: str) -> None:
    """A bare number where a rule belongs is named before anything runs."""
    with pytest.raises(UsageError, match=says):
        load(tmp_path, f"{ONE}{line}\n")


def test_data_as_a_sample_name(tmp_path: Path) -> None:
    """A name of a bundled sample is handed on as it is."""
    assert load(tmp_path, ONE + 'data = "SP500"\n').data == "SP500"


@pytest.mark.parametrize("line", ['data = "bars.csv"', 'from pathlib import Path\ndata = Path("bars.csv")'])
def test_data_as_a_path_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """The path is seen from the file, wherever the command is run."""
    random_walk(10).write_csv(tmp_path / "bars.csv")
    monkeypatch.chdir("/")
    assert len(load_bars(load(tmp_path, f"{ONE}{line}\n").data)[0]) == 10


def test_data_as_a_frame_and_as_a_function(tmp_path: Path) -> None:
    """Frames, lazy or not, and functions that return one or a path."""
    random_walk(10).write_csv(tmp_path / "bars.csv")
    for text in (
        'import polars as pl\ndata = pl.read_csv("bars.csv")',
        'import polars as pl\ndata = pl.scan_csv("bars.csv")',
        'def data():\n    import polars as pl\n    return pl.read_csv("bars.csv")',
        'def data():\n    return "bars.csv"',
    ):
        located = text.replace('"bars.csv")', f'"{tmp_path}/bars.csv")')
        found = load(tmp_path, f"{ONE}{located}\n").data
        frame = found.collect() if isinstance(found, pl.LazyFrame) else found
        assert isinstance(frame, pl.DataFrame | Path)
        bars = load_bars(frame.with_columns(pl.col("ts").str.to_datetime()) if isinstance(frame, pl.DataFrame)
                         else frame)  # fmt: skip
        assert len(bars[0]) == 10


def test_a_data_function_that_raises_is_named_with_its_line(tmp_path: Path) -> None:
    """The same message as for the file itself."""
    with pytest.raises(StrategyError, match=r"data\(\) of the strategy file raised") as caught:
        load(tmp_path, ONE + "def data():\n    return {}['bars']\n")
    assert "mine.py, line 4: KeyError: 'bars'" in str(caught.value)


def test_files_import_their_neighbours(tmp_path: Path) -> None:
    """As with `python mine.py`: modules beside the file are found, also by data()."""
    (tmp_path / "grn_test_neighbour.py").write_text("LEVEL = 7\n", encoding="utf-8")
    (tmp_path / "grn_test_later.py").write_text('NAME = "SP500"\n', encoding="utf-8")
    before = list(sys.path)
    text = (
        "from grn_test_neighbour import LEVEL\nfrom grn.quant import Strategy, close\n"
        "strategy = Strategy(close > LEVEL, close < 1)\n"
        "def data():\n    from grn_test_later import NAME\n    return NAME\n"
    )
    found = load(tmp_path, text)
    assert str(found.strategy.entry) == "(close > 7)"
    assert found.data == "SP500"
    assert sys.path == before


def test_what_a_file_prints_does_not_go_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stdout is for the command's data: a file's own words go to stderr."""
    load(tmp_path, ONE + 'print("hello")\ndef data():\n    print("loading")\n    return "SP500"\n')
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "hello\nloading\n"


def test_a_file_can_be_loaded_again_after_a_change(tmp_path: Path) -> None:
    """In a notebook the file is edited and run again: the new text counts."""
    assert str(load(tmp_path, ONE).strategy.entry) == "(close > 1)"
    assert str(load(tmp_path, ONE.replace("> 1", "> 2")).strategy.entry) == "(close > 2)"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"]
