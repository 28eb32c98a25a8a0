from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from grn.kit.errors import OutputError, UsageError
from grn.ledger import Ledger
from grn.quant.judge import validate
from grn.quant.replay import replay
from grn.quant.report import write_report
from grn.quant.report.numbers import percent
from grn.quant.result import SweepResult
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.expr import param
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, col
from grn.quant.sweep import backtest, sweep
from grn.quant.validation import Validation
from tests.quant.markets import cross, random_walk, two_walks

LOADING = ("src", "srcset", "data", "poster", "background")
VOID = {"meta", "link", "br", "img", "path", "circle"}
HEADS = [
    "Is it luck?", "Does choosing help?", "Equity", "Monthly returns", "Trades", "Parameters", "Metrics",
    "Costs", "Robustness", "How to reproduce it",
]  # fmt: skip


class Outline(HTMLParser):
    """Checks that elements nest, and collects ids, headings, figures and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.heads: list[str] = []
        self.captions = 0
        self.pictures: list[str] = []
        self.loads: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(str(found["id"]))
        if found.get("role") == "img":
            self.pictures.append(found.get("aria-label") or "")
        self.captions += tag == "figcaption"
        self.loads += [f"{tag} {name}" for name in LOADING if name in found]
        if not (found.get("href") or "#").startswith("#"):
            self.loads.append(f"{tag} href")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.heads.append(data)


def own_text(path: Path) -> str:
    """The page without the library, which carries addresses of its own that the page never uses."""
    text = path.read_text(encoding="utf-8")
    ours, n = re.subn(r'<script id="plotly">.*?</script>', "", text, flags=re.DOTALL)
    assert n == 1
    return ours


def single(strategy: Strategy, frame: pl.DataFrame, folder: Path, **options: object) -> SweepResult:
    with Ledger.open(folder / "ledger") as ledger:
        return sweep(strategy, frame, engine="reference", ledger=ledger, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def page(result: SweepResult, validation: Validation, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert write_report(result, path, validation=validation) == path
    return own_text(path)


def test_sections_come_in_the_order_of_an_argument(page: str) -> None:
    """The page is well nested, its ids are unique, and it goes from the verdict to the proof."""
    outline = Outline(page)
    assert outline.open == []
    assert len(set(outline.ids)) == len(outline.ids)
    assert outline.heads == HEADS


def test_every_figure_says_its_conclusion_in_words(page: str) -> None:
    """Each figure has a caption and a description for those who do not see it."""
    outline = Outline(page)
    assert outline.captions == len(outline.pictures) >= 10
    assert all(len(text) > 40 for text in outline.pictures)


def test_page_asks_the_network_for_nothing(page: str) -> None:
    """No element loads anything, no style imports, and the policy forbids the browser to."""
    assert Outline(page).loads == []
    assert not re.search(r"@import|url\(|https?:|//cdn|fetch\(|XMLHttpRequest", page)
    assert "default-src 'none'" in page


def test_library_cannot_end_its_script(result: SweepResult, tmp_path: Path) -> None:
    """Nothing inside the embedded library closes the element it stands in."""
    from plotly.offline import get_plotlyjs

    assert not re.search(r"</script|<!--", get_plotlyjs(), flags=re.IGNORECASE)


def test_page_has_the_verdict_and_its_reasons(page: str, validation: Validation) -> None:
    """The decision, three reasons and what would change it stand in the text, not in a figure only."""
    plain = page.replace("&lt;", "<").replace("&gt;", ">")
    for words in (*validation.verdict.reasons, validation.verdict.change):
        assert words[1:] in plain
    assert "What would change it" in page


def test_same_inputs_give_the_same_bytes(result: SweepResult, validation: Validation, tmp_path: Path) -> None:
    """Written twice, and from a result that carries other timings and another run name: the same bytes."""
    one, two = tmp_path / "one.html", tmp_path / "two.html"
    write_report(result, one, validation=validation)
    other = dataclasses.replace(result, run="20990101T000000-zzzzzz", timings_s={"run": 99.0})
    write_report(other, two, validation=validation)
    assert one.read_bytes() == two.read_bytes()


def test_replayed_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """A report of a replay from the ledger is the report of the run: strategy and rules read alike."""
    strategy = Strategy(
        entry=close > close.lag(2), exit=close < close.lag(3), short_entry=~(close > 90.0), name="both ways"
    )
    with Ledger.open(tmp_path / "ledger") as ledger:
        first = sweep(
            strategy, random_walk(60), costs=Costs(fixed_fee=1.0), engine="reference", ledger=ledger
        )
        again = replay(ledger, first.run).result
    one = write_report(first, tmp_path / "one.html", validation=validate(first, shuffles=2))
    two = write_report(again, tmp_path / "two.html", validation=validate(again, shuffles=2))
    assert one.read_bytes() == two.read_bytes()


def test_names_are_escaped(tmp_path: Path) -> None:
    """Names of strategies, symbols and columns are text, in the page as in its data."""
    evil = '<script>alert(1)</script>"&'
    frame = random_walk(80, symbol=evil).with_columns(pl.col("close").alias("<b>col</b>"))
    frame = pl.concat(
        [frame, random_walk(80, seed=3, symbol="</script><i>").with_columns(pl.lit(1.0).alias("<b>col</b>"))]
    )
    n = param("n", [1, 2, 3])
    strategy = Strategy(entry=close > close.lag(n), exit=col("<b>col</b>") < close.lag(n), name=evil)
    found = single(strategy, frame, tmp_path)
    path = write_report(
        found, tmp_path / "r.html", validation=validate(found, shuffles=2), title=evil, command="grn <x> & y"
    )
    text = own_text(path)
    assert Outline(text).open == []
    for raw in ("<script>alert", "</script><i>", "<b>col", "<x>"):
        assert raw not in text
    assert "alert" not in found._repr_html_().replace("&lt;script&gt;alert", "")


def test_without_a_validation_equity_opens_the_page(result: SweepResult, tmp_path: Path) -> None:
    """No verdict is said to be no verdict, and nothing looks like one."""
    text = own_text(write_report(result, tmp_path / "r.html"))
    assert Outline(text).heads[:2] == ["Equity", "Is it luck?"]
    assert "No verdict was computed" in text
    assert 'class="decision' not in text


def test_another_row_than_the_winner_can_be_shown(
    result: SweepResult, validation: Validation, tmp_path: Path
) -> None:
    """The verdict stays the winner's and says so."""
    row = (validation.row + 1) % len(result)
    text = own_text(write_report(result, tmp_path / "r.html", validation=validation, row=row))
    assert f"The verdict is about the winner, {result.label(validation.row)}" in text
    assert f'<p class="kicker">{result.label(row)}</p>' in text


def test_validation_of_another_sweep_is_refused(validation: Validation, tmp_path: Path) -> None:
    """A verdict cannot be put on a sweep that it was not computed from; nothing is written."""
    other = single(cross(), random_walk(60, symbol="C"), tmp_path)
    with pytest.raises(UsageError, match="not of this sweep"):
        write_report(other, tmp_path / "r.html", validation=validation)
    assert not (tmp_path / "r.html").exists()


def test_row_that_is_not_there_is_refused(result: SweepResult, tmp_path: Path) -> None:
    """As everywhere: by number and range."""
    with pytest.raises(UsageError, match="no such row"):
        write_report(result, tmp_path / "r.html", row=len(result))


def test_unwritable_path_leaves_nothing(result: SweepResult, tmp_path: Path) -> None:
    """A folder that is missing: OutputError, and no file anywhere."""
    with pytest.raises(OutputError):
        write_report(result, tmp_path / "missing" / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_command_is_the_callers_or_one_that_works(
    result: SweepResult, validation: Validation, tmp_path: Path
) -> None:
    """The default names the command and the result key; a given one is printed as it is."""
    text = own_text(write_report(result, tmp_path / "r.html", validation=validation))
    assert "grn quant report RUN --shuffles 8 --block 5 --seed 0" in text
    assert result.result_key in text
    assert result.run not in text
    assert "make it so" in own_text(write_report(result, tmp_path / "r.html", command="make it so"))


def never(n: int = 1) -> Strategy:
    return Strategy(entry=close < 0.0, exit=close > 0.0, name="never")


@pytest.mark.parametrize(
    ("name", "make", "frame"),
    [
        ("one row", lambda: cross((3,), (5,)), random_walk(60)),
        ("no trade, no Sharpe ratio anywhere", lambda: never(), random_walk(60)),
        ("no trade in a sweep", lambda: Strategy(entry=close < param("n", [-1.0, -2.0]), exit=close > 0.0),
         random_walk(60)),
        ("one bar", lambda: cross(), random_walk(1)),
        ("two bars", lambda: cross(), random_walk(2)),
        ("symbols of different length", lambda: cross(),
         pl.concat([random_walk(90, symbol="long"), random_walk(7, seed=2, symbol="short")])),
        ("no parameters", lambda: Strategy(entry=close > close.lag(1), exit=close < close.lag(1)),
         two_walks(50)),
        ("open trade at the end", lambda: Strategy(entry=close > 0.0, exit=close < 0.0), random_walk(30)),
        ("five parameters", lambda: Strategy(
            entry=close > close.lag(param("a", [1, 2])) * param("b", [0.99, 1.0, 1.05]) + param("c", [0.0]),
            exit=close < close.lag(param("d", [1, 2])) - param("e", [0.0, 1.0])), random_walk(80)),
    ],
)  # fmt: skip
def test_odd_sweeps_have_a_report(name: str, make: object, frame: pl.DataFrame, tmp_path: Path) -> None:
    """Whatever a sweep may be, its report is whole, and says what it cannot show."""
    found = single(make(), frame, tmp_path)  # type: ignore[operator]
    text = own_text(write_report(found, tmp_path / "r.html"))
    outline = Outline(text)
    assert outline.open == []
    assert outline.captions == len(outline.pictures)
    # Where a metric is undefined the reason is given, and that may speak of NaN.
    shown = re.sub(r'<script.*?</script>|<span class="why">.*?</span>', "", text, flags=re.DOTALL)
    assert not re.search(r"\bnan\b|\binf\b", shown, re.IGNORECASE)
    assert found._repr_html_().startswith("<div")
    if not np.isnan(np.concatenate(found.trial_sharpes)).all() and len(found.bars[0]) > 2:
        judged = write_report(found, tmp_path / "v.html", validation=validate(found, shuffles=0))
        assert Outline(own_text(judged)).open == []


def test_backtest_has_a_report(tmp_path: Path) -> None:
    """One pinned setting, every metric: no map of parameters."""
    with Ledger.open(tmp_path / "ledger") as ledger:
        found = backtest(cross(), random_walk(90), {"fast": 3, "slow": 8}, engine="reference", ledger=ledger)
    text = own_text(write_report(found, tmp_path / "r.html"))
    assert "Parameters" not in Outline(text).heads


def test_long_series_stay_small(tmp_path: Path) -> None:
    """200,000 minute bars: the page carries a few thousand points per line, not all."""
    n = 200_000
    rng = np.random.default_rng(5)
    price = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-4, n)))
    stamps = pl.Series(np.arange(n, dtype=np.int64) * 60_000_000_000).cast(pl.Datetime("ns"))
    frame = pl.DataFrame({"ts": stamps, "open": price, "close": price})
    strategy = Strategy(entry=close > close.lag(9), exit=close < close.lag(9), name="busy")
    with Ledger.open(tmp_path / "ledger") as ledger:
        found = sweep(strategy, frame, ledger=ledger)
    text = own_text(write_report(found, tmp_path / "r.html"))
    assert len(text) < 1_500_000
    assert "Drawn are the 500 that won or lost the most." in text
    assert "The first 200 trades" in text


def test_time_in_the_market_is_the_metrics_number(result: SweepResult, page: str) -> None:
    """The sentence on trades and the table of metrics print the exposure alike, never as a bare zero."""
    said = percent(result.details(result.best())["exposure"])
    assert f"In the market {said} of the time." in page
    assert f">{said}</td>" in page


def test_rank_is_among_all_settings(tmp_path: Path) -> None:
    """Settings that never traded count among those that ran, and are said to have never traded."""
    n = param("n", [1.0, 2.0, 1e6, 2e6])
    found = single(Strategy(entry=close > n, exit=close < n), random_walk(60), tmp_path)
    text = own_text(write_report(found, tmp_path / "r.html"))
    assert re.search(r"at the ring, rank 1 of 4 settings; 2 never traded\.", text)


def test_hatched_cells_are_explained(page: str) -> None:
    """The caption of a map says what its hatched cells are."""
    assert "Hatched cells were not run." in page


def test_words_for_what_was_run_are_defined_once(page: str, result: SweepResult) -> None:
    """Settings, rows and trials are defined below the headline; no other word is used for them."""
    assert re.findall(r"<dfn>(\w+)</dfn>", page) == ["setting", "row", "trial"]
    assert f"{len(result.grid)} settings on 2 symbols: {len(result)} rows, " in page
    assert f"The best of {len(result)} rows" in page
    shown = re.sub(r"<(script|style).*?</\1>", "", page.split("</header>")[1], flags=re.DOTALL)
    assert "combination" not in shown
