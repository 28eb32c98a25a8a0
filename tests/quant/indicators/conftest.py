"""Series to hold indicators against: real daily bars, and made-up bars with a seed."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Columns = dict[str, npt.NDArray[np.float64]]


@pytest.fixture(scope="session")
def sp500() -> Columns:
    """S&P 500, daily, 1999-2018, as shipped by arch."""
    spec = importlib.util.find_spec("arch")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "data" / "sp500" / "sp500.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    names = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}
    return {name: np.array([float(row[column]) for row in rows]) for name, column in names.items()}


@pytest.fixture(scope="session")
def made() -> Columns:
    """Return 400 bars of a random walk with fat tails, gaps, flat bars and bars without volume."""
    rng = np.random.default_rng(7)
    close = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_t(4, 400)))
    opened = np.concatenate(([50.0], close[:-1])) * np.exp(0.003 * rng.standard_normal(400))
    high = np.maximum(opened, close) * (1.0 + 0.01 * rng.random(400))
    low = np.minimum(opened, close) * (1.0 - 0.01 * rng.random(400))
    close, high, low, opened = (np.round(price, 2) for price in (close, high, low, opened))
    volume = np.where(rng.random(400) < 0.05, 0.0, np.floor(rng.gamma(2.0, 5e5, 400)))
    return {"open": opened, "high": high, "low": low, "close": close, "volume": volume}
