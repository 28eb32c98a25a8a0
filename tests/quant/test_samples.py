"""The samples are real, whole, and cost no download and no heavy import."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import polars as pl
import pytest

from grn.kit.errors import DataError, MissingExtraError, install_command
from grn.quant import samples
from grn.quant.samples import SAMPLES, sample
from grn.quant.schema import BAR_COLUMNS, load_bars


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("SP500", 1228.099976, 2506.850098), ("NASDAQ", 2208.050049, 6635.279785)],
)
def test_index_sample(name: str, first: float, last: float) -> None:
    """5,031 sound daily bars; first and last close as in the CSV files of arch 8.0.0."""
    (bars,) = load_bars(name, BAR_COLUMNS)
    assert (bars.symbol, len(bars), bars.timezone) == (name, 5031, None)
    assert (bars.column("close")[0], bars.column("close")[-1]) == (first, last)
    assert repr(bars).startswith(f"Bars({name!r}, 5031 bars from 1999-01-04 to 2018-12-31")


def test_indices_are_both() -> None:
    """INDICES is the two index samples, one after the other, bar for bar."""
    pair = load_bars("INDICES", BAR_COLUMNS)
    assert [b.symbol for b in pair] == ["SP500", "NASDAQ"]
    for bars in pair:
        assert bars.digest(BAR_COLUMNS) == load_bars(bars.symbol, BAR_COLUMNS)[0].digest(BAR_COLUMNS)


def test_columns() -> None:
    """The frame has the documented columns and types, Date for time."""
    schema = sample("SP500").collect_schema()
    assert schema.names() == ["symbol", "ts", *BAR_COLUMNS]
    assert schema["ts"] == pl.Date
    assert all(schema[name] == pl.Float64 for name in BAR_COLUMNS)


def test_stocks() -> None:
    """Twenty stocks of 8,313 closes each; Apple's first and last as in the CSV file of skfolio 1.12.2."""
    if find_spec("skfolio") is None:
        pytest.skip("extra samples is not installed")
    every = load_bars("SKFOLIO20")
    assert len(every) == 20
    assert {len(b) for b in every} == {8313}
    assert every[0].symbol == "AAPL"
    assert (every[0].column("close")[0], every[0].column("close")[-1]) == (0.264, 125.674)


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without skfolio the error is exit code 3 with the exact command that installs it."""
    monkeypatch.setattr(samples, "find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "skfolio", None)  # makes `import skfolio` fail
    with pytest.raises(MissingExtraError) as caught:
        sample("SKFOLIO20")
    assert caught.value.hint == install_command("samples")


def test_an_unknown_sample_lists_the_known() -> None:
    """The hint lists every name."""
    with pytest.raises(DataError, match="no such sample") as caught:
        sample("DAX")
    assert caught.value.hint is not None
    assert all(name in caught.value.hint for name in SAMPLES)


def test_a_package_without_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that lost its data files says so instead of failing inside the reader."""
    monkeypatch.setattr(samples, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="'arch' does not hold the sample"):
        sample("SP500")


def test_no_heavy_import() -> None:
    """Loading samples imports neither arch nor skfolio nor pandas: that would cost seconds."""
    code = (
        "import sys; from grn.quant.schema import load_bars; load_bars('INDICES');"
        "print(sorted({'arch', 'skfolio', 'pandas', 'scipy', 'numba', 'pyarrow'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_polars_is_imported_late() -> None:
    """Importing the schema does not import Polars: the command line starts without it."""
    code = "import sys, grn.quant.schema, grn.quant.samples; print('polars' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
