"""Real market data that comes with the dependencies, so that nothing has to be downloaded.

The daily index series are those that `arch` ships for its own documentation (S&P 500 and NASDAQ Composite,
1999-01-04 to 2018-12-31); the twenty stocks are those of `skfolio` (adjusted closes, 1990 to 2022). The files
are read where they lie: neither package is imported, which would cost seconds.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from grn.kit.errors import DataError, require_extra

if TYPE_CHECKING:
    import polars as pl

SAMPLES: Final = ("SP500", "NASDAQ", "INDICES", "SKFOLIO20")
"""Names that `sample` knows. INDICES is SP500 and NASDAQ together; SKFOLIO20 needs the extra ``samples``."""


def sample(name: str) -> pl.LazyFrame:
    """Return sample data as a lazy frame.

    SP500, NASDAQ and INDICES have the columns ``symbol, ts, open, high, low, close, volume``; SKFOLIO20 has
    ``symbol, ts, close``. ``ts`` is a Date.

    Raises
    ------
    DataError
        For an unknown name.
    MissingExtraError
        For SKFOLIO20 when `skfolio` is not installed.
    """
    if name == "SP500" or name == "NASDAQ":
        return _index(name)
    if name == "INDICES":
        import polars as pl

        return pl.concat([_index("SP500"), _index("NASDAQ")])
    if name == "SKFOLIO20":
        return _stocks()
    raise DataError("there is no such sample", seen=name, hint=f"known: {', '.join(SAMPLES)}")


def _index(symbol: str) -> pl.LazyFrame:
    import polars as pl

    stem = symbol.lower()
    # "Adj Close" is left out: for an index it equals the close, and does so on every row of both files.
    return _scan("arch", "data", stem, f"{stem}.csv.gz").select(
        pl.lit(symbol).alias("symbol"),
        pl.col("Date").str.to_date("%m/%d/%Y").alias("ts"),
        *(
            pl.col(name.title()).cast(pl.Float64).alias(name)
            for name in ("open", "high", "low", "close", "volume")
        ),
    )


def _stocks() -> pl.LazyFrame:
    import polars as pl

    if find_spec("skfolio") is None:
        require_extra("skfolio", "samples")  # raises; not called when it is there, because it would import it
    wide = _scan("skfolio", "datasets", "data", "sp500_dataset.csv.gz")
    return (
        wide.rename({"Date": "ts"})
        .unpivot(index="ts", variable_name="symbol", value_name="close")
        .select("symbol", pl.col("ts").str.to_date("%Y-%m-%d"), pl.col("close").cast(pl.Float64))
    )


def _scan(package: str, *inside: str) -> pl.LazyFrame:
    """Open a CSV file inside an installed package without importing the package."""
    import polars as pl

    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    if not folders or not (path := Path(folders[0], *inside)).is_file():
        raise DataError(
            f"package {package!r} does not hold the sample",
            seen="/".join(inside),
            hint=f"reinstall it: pip install --force-reinstall {package}",
        )
    return pl.scan_csv(path, infer_schema=False)
