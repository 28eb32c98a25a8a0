"""What the quant commands print and save."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grn.cli.output import write_table
from grn.kit.errors import OutputError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from grn.quant.result import SweepResult

SHOWN = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "win_rate", "exposure", "fees")
"""Metrics in a sweep's printed table, where they were computed; the saved frame has all."""


_FORMATS = (".parquet", ".csv")


def pick_order(by: str | None, metrics: str | None) -> str:
    """Metric that orders the rows: the one asked for, else the Sharpe ratio, else the first there is.

    Raises
    ------
    UsageError
        It is unknown, or is not among the metrics of the sweep.
    """
    from grn.quant.metrics.registry import parse_metrics

    names = [m.name for m in parse_metrics(metrics)]
    if by is None:
        return "sharpe" if "sharpe" in names else names[0]
    asked = [m.name for m in parse_metrics(by)]
    if len(asked) != 1 or asked[0] not in names:
        raise UsageError("rows can be ordered by one of the sweep's metrics", seen=by, hint=", ".join(names))
    return asked[0]


def top_rows(result: SweepResult, by: str, top: int, min_trades: int = 0) -> list[dict[str, Any]]:
    """Best rows by a metric, with all that was computed; missing values and rows without trades last."""
    import polars as pl

    from grn.quant.metrics.registry import METRICS

    columns = ["symbol", *(p.name for p in result.grid.params)]
    frame, order = result.frame, pl.col(by).fill_nan(None)
    if "trades" in frame.columns:
        frame = frame.filter(pl.col("trades") >= min_trades)
        order = pl.when(pl.col("trades") > 0).then(order)
    ordered = frame.sort(
        order,
        descending=METRICS[by].higher_is_better is not False,
        nulls_last=True,
        maintain_order=True,
    )
    return ordered.head(top).select(*columns, *(m.name for m in result.metrics)).rows(named=True)


def write_top(rows: list[dict[str, Any]], by: str, *, everything: bool) -> None:
    """Print the best rows, four digits: all metrics asked for by name, else the most telling ones."""
    from grn.quant.metrics.registry import METRICS

    names = [k for k in rows[0] if everything or k not in METRICS or k in (*SHOWN, by)]

    def cell(value: object) -> object:
        return float(f"{value:.4g}") if isinstance(value, float) and value == value else value

    write_table(names, [[cell(row[k]) for k in names] for row in rows])


def check_output(path: Path | None) -> None:
    """Refuse a path that cannot be written before anything is computed; nothing is left there.

    Raises
    ------
    OutputError
        Its folder does not exist or is not writable, or it is a folder.
    """
    if path is None:
        return
    folder = path.resolve().parent
    if path.is_dir():
        raise OutputError("the output path is a folder", seen=str(path), hint="give a file name")
    if path.exists() and not path.is_file():
        raise OutputError("the output path is not a regular file", seen=str(path), hint="name a file")
    if not folder.exists():
        raise OutputError("the output folder does not exist", seen=str(folder), hint=f"mkdir -p {folder}")
    if not folder.is_dir():
        raise OutputError("the output folder is a file", seen=str(folder), hint="choose another folder")
    try:
        # Permissions do not tell the superuser that /proc takes no files: only trying does.
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"the output folder is not writable: {error.strerror}",
            seen=str(folder),
            hint="choose another folder",
        ) from error


def check_frame_output(path: Path | None) -> None:
    """Hold a path for a frame to `check_output`, and its name to the formats there are.

    Raises
    ------
    UsageError
        The name ends in neither .parquet nor .csv.
    """
    if path is not None and path.suffix not in _FORMATS:
        raise UsageError(
            "unknown output format", seen=path.suffix or str(path), hint="end the name in .parquet or .csv"
        )
    check_output(path)


def save_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as .parquet or .csv, whole or not at all."""
    from grn.kit.files import write_atomic

    buffer = io.BytesIO()
    if path.suffix == ".parquet":
        frame.write_parquet(buffer, compression="zstd")
    else:
        frame.write_csv(buffer)
    write_atomic(path, buffer.getvalue())


def plain_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows by name for tables and JSON, timestamps in ISO form (UTC)."""
    import polars as pl

    from grn.quant.schema.stamps import stamp

    stamps = [name for name, dtype in frame.schema.items() if dtype == pl.Datetime]
    rows = frame.with_columns(pl.col(stamps).dt.timestamp("ns")).rows(named=True)
    for row in rows:
        for name in stamps:
            row[name] = None if row[name] is None else stamp(row[name])
    return rows
