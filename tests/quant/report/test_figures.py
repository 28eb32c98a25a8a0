from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import UsageError
from grn.quant.report import figures
from grn.quant.report.figures.luck import cut
from grn.quant.report.figures.parameters import _scale
from grn.quant.report.figures.style import thin
from grn.quant.report.landscape import Landscape
from grn.quant.report.palette import LIGHT
from grn.quant.report.subject import buy_and_hold, drawdown
from grn.quant.result import SweepResult
from grn.quant.validation import Validation


def test_equity_draws_the_path_and_buy_and_hold(result: SweepResult) -> None:
    """The lines are the row's equity and its price scaled to the same cash; short series are drawn whole."""
    row = result.best()
    path = result.path(row)
    figure = result.plot()
    hold, own = figure.data[0], figure.data[1]
    assert own.y.tolist() == path.equity.tolist()
    assert hold.y.tolist() == (10_000.0 * (path.close / path.close[0])).tolist()
    assert own.x.tolist() == (path.ts_ns / 1e6).tolist()


def test_drawdown_starts_at_the_initial_cash() -> None:
    """A loss on the first bar is a drawdown; a new high is none."""
    assert drawdown(np.array([90.0, 110.0, 99.0]), 100.0).tolist() == pytest.approx([-0.1, 0.0, -0.1])
    assert buy_and_hold(np.array([4.0, 2.0]), 10.0).tolist() == [10.0, 5.0]


def test_every_figure_is_made_and_is_deterministic(result: SweepResult, validation: Validation) -> None:
    """All public figures come out the same twice, as JSON, in colours of the palette only."""
    row = result.best()
    for draw in (
        lambda: figures.equity(result, row),
        lambda: figures.drawdown(result, row),
        lambda: figures.monthly(result, row),
        lambda: figures.trades(result, row),
        lambda: figures.heatmap(result),
        lambda: figures.heatmap(result, "max_drawdown", "B"),
        lambda: figures.scatter(result),
        lambda: figures.scatter(result, row, other="A"),
        lambda: figures.trials(result, validation),
        lambda: figures.null_distribution(validation),
    ):
        one, two = (draw().to_json(engine="json") for _ in range(2))
        assert one == two
        assert set(_colours(json.loads(one))) <= set(LIGHT.values())


def _colours(data: object) -> list[str]:
    if isinstance(data, dict):
        return [c for value in data.values() for c in _colours(value)]
    if isinstance(data, list):
        return [c for value in data for c in _colours(value)]
    return [data] if isinstance(data, str) and data.startswith("#") else []


def test_null_distribution_marks_winner_and_luck(validation: Validation) -> None:
    """Bars add up to the shuffles; orange ones are those that reached the winner, and no bar straddles it."""
    figure = figures.null_distribution(validation)
    bars = figure.data[0]
    assert int(bars.y.sum()) == 8
    orange = [y for y, c in zip(bars.y.tolist(), bars.marker.color, strict=True) if c == LIGHT["warm"]]
    assert sum(orange) == validation.noise.reached
    drawn = {shape.x0 for shape in figure.layout.shapes}
    assert drawn == {validation.verdict.sharpe, validation.verdict.effective_luck}


def test_heatmap_marks_the_row_and_refuses_what_is_not_there(result: SweepResult) -> None:
    """The ring stands on the best row's parameters; unknown metrics and symbols are named."""
    row = result.row(result.best())
    figure = result.heatmap()
    assert (figure.data[1].x[0], figure.data[1].y[0]) in {
        (row["fast"], row["slow"]),
        (row["fast"], str(row["slow"])),
    }
    with pytest.raises(UsageError, match="no such metric"):
        result.heatmap("var")
    with pytest.raises(UsageError, match="no such symbol"):
        result.heatmap(symbol="C")


def test_missing_cells_lie_on_a_hatched_ground(result: SweepResult) -> None:
    """Where a combination was not run the ground under the map is seen, which no colour of the map is."""
    figure = result.heatmap()
    assert np.isnan(np.array(figure.data[0].z)).any()
    ground = figure.data[-1]
    assert ground.fillpattern.shape == "/"
    assert (ground.xaxis, figure.layout.xaxis.overlaying) == ("x2", "x2")


@pytest.mark.parametrize(("n", "step"), [(1, 1), (12, 1), (13, 2), (24, 2), (25, 5), (61, 10), (300, 50)])
def test_ticks_are_values_that_were_tried(n: int, step: int) -> None:
    """At most 12 of them, a round number of values apart; evenly spaced or not, averaged or not."""
    for tried in (np.arange(n) * 3.0 + 7.0, (np.arange(n) + 2.0) ** 2):
        for group in (1, 2):
            starts = np.arange(0, n, group)
            means = np.add.reduceat(tried, starts) / np.diff(np.r_[starts, n])
            here, one = (tried[-1],), (group,)
            found = Landscape("A", "sharpe", ("n",), (means,), means, here, 0.0, {}, one, (tried,), 0)
            _, ticks, _ = _scale(found, 0)
            values = [float(str(v).split(" to ")[0]) for v in ticks["tickvals"]]
            assert set(values) <= set(tried.tolist())
            assert len(values) <= 12
            if group == 1:
                assert values == tried[::step].tolist()


def test_trades_are_drawn_where_they_were_filled(result: SweepResult) -> None:
    """Entries stand at the fill's time and price."""
    frame = result.trades()
    figure = figures.trades(result, result.best())
    entry = next(t for t in figure.data if t.name == "Long entry")
    assert entry.y.tolist() == frame["entry_price"].to_list()
    assert entry.x.tolist() == (frame["entry_ts"].to_physical().to_numpy() / 1e6).tolist()


@given(st.integers(1, 3), st.integers(0, 2**32), st.integers(10, 400))
def test_thinning_keeps_extremes_and_ends(n_lines: int, seed: int, n: int) -> None:
    """At most as many points as asked; first, last, highest and lowest point of every line stay, in order."""
    rng = np.random.default_rng(seed)
    lines = [rng.normal(size=n) for _ in range(n_lines)]
    lines[0][rng.random(n) < 0.1] = np.nan
    kept = thin(lines, most=40)
    assert len(kept) <= max(40, 2 * n_lines + 2) or n <= 40
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == n - 1
    for line in lines:
        if not np.isnan(line).all():
            assert np.nanmax(line[kept]) == np.nanmax(line)
            assert np.nanmin(line[kept]) == np.nanmin(line)


@given(
    st.lists(st.floats(-5, 5, allow_nan=False), min_size=1, max_size=60),
    st.one_of(st.just(float("nan")), st.floats(-6, 6)),
)
def test_histogram_edges_hold_every_value(values: list[float], breaks: float) -> None:
    """Edges increase, enclose all values, are few, and one is the value that must not be straddled."""
    found = cut(np.array(values), breaks=breaks)
    assert (np.diff(found) > 0).all()
    assert np.histogram(values, found)[0].sum() == len(values)
    assert len(found) <= 90
    if min(values) < breaks < max(values):
        assert np.abs(found - breaks).min() <= 1e-9
