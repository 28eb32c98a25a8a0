"""Bars and labels beside a published implementation, mlfinpy, on the 500,000 real trades that it ships.

``python -m benchmarks.published_bars`` makes an environment for it first: mlfinpy pins NumPy 1.26.  Every bar
has to be equal in every column, to the bit; every label in its touch and its return.  Where mlfinpy's label
says another thing than its own touch, the row is counted, and shown to follow from its formula.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from grn.quant import dollar_bars, imbalance_bars, tick_bars, triple_barrier, volume_bars

RELEASE: Final = "0.1.2"
# The extra brings scikit-learn, which mlfinpy imports whether or not it was asked for.
REQUIREMENT: Final = f"mlfinpy[optionals]=={RELEASE}"
_NAMES: Final = {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
                 "cum_dollar_value": "value", "cum_buy_volume": "bought", "cum_ticks": "trades"}  # fmt: skip
_RULE: Final[dict[str, Any]] = {"signs": "tick_rule"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both and compare; 1 when a number differs without a reason that is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published_bars", description=__doc__)
    parser.add_argument("--environment", type=Path, help="folder to keep the environment of mlfinpy in")
    parser.add_argument("--save", metavar="NAME", default="published_bars.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = make_environment(chosen.environment or folder / "environment")
        theirs = run_theirs(python, folder)
        bars = compare_bars(folder, theirs)
        labels = {
            "labels": compare_labels(folder, "labels", side=None, above=2.0, below=2.0),
            "meta_labels": compare_labels(folder, "meta_labels", side="side", above=3.0, below=2.0),
        }
    result = {
        "command": "python -m benchmarks.published_bars",
        "peer": REQUIREMENT,
        "trades": theirs["rows"],
        "bars": bars,
        "labels": labels,
        "machine": describe_machine(),
        **describe_code(),
    }
    report(result)
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    right = all(found["equal"] for found in bars.values())
    right &= all(found["equal"] and not found["unexplained"] for found in labels.values())
    return 0 if right else 1


def make_environment(folder: Path) -> Path:
    """Make a virtual environment with mlfinpy in it, and return its Python."""
    python = folder / "bin" / "python"
    uv = Path(sys.executable).parent / "uv"
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, REQUIREMENT], check=True)
    return python


def run_theirs(python: Path, folder: Path) -> dict[str, Any]:
    """Run `benchmarks/peer_mlfinpy.py` with that Python."""
    script = ROOT / "benchmarks" / "peer_mlfinpy.py"
    ran = subprocess.run([python, script, folder], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"mlfinpy failed:\n{ran.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def our_bars(trades: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """The same bars from us; the settings are those of `peer_mlfinpy`."""
    constant: dict[str, Any] = {"expected_bars": None, **_RULE}
    return {
        "tick": tick_bars(trades, 500, **_RULE),
        "volume": volume_bars(trades, 1_000.0, **_RULE),
        "dollar": dollar_bars(trades, 2e6, **_RULE),
        "dollar_imbalance": imbalance_bars(trades, "dollar", trades_range=(10, 50_000), **_RULE),
        "constant_volume_imbalance": imbalance_bars(
            trades, "volume", window=1_000, first_trades=1_000, **constant
        ),
        "constant_tick_imbalance": imbalance_bars(trades, "trade", window=500, first_trades=200, **constant),
    }


def compare_bars(folder: Path, theirs: dict[str, Any]) -> dict[str, Any]:
    """Compare every column of every bar."""
    trades = pl.read_csv(theirs["trades"]).select(
        ts=pl.col("DateTime").str.to_datetime(time_unit="ns"),
        symbol=pl.lit("ES"),
        price=pl.col("Price").cast(pl.Float64),
        amount=pl.col("Volume").cast(pl.Float64),
    )
    found = {}
    tick_bars(trades.lazy().head(9), 3, **_RULE).collect()  # compiles
    imbalance_bars(trades.lazy().head(9), **_RULE).collect()
    for name, frame in our_bars(trades.lazy()).items():
        began = time.perf_counter()
        ours = frame.collect()
        seconds = time.perf_counter() - began
        other = pl.read_csv(folder / f"{name}.csv").with_columns(
            pl.col("date_time").str.to_datetime(time_unit="ns").dt.replace_time_zone("UTC")
        )
        equal = ours.height == other.height and bool((ours["known_ts"] == other["date_time"]).all())
        for column, mine in _NAMES.items():
            equal = equal and bool((ours[mine] == other[column].cast(ours[mine].dtype)).all())
        found[name] = {
            "bars": ours.height,
            "theirs": other.height,
            "equal": equal,
            "seconds": seconds,
            "their_seconds": theirs["seconds"][name],
        }
    return found


def compare_labels(
    folder: Path, name: str, *, side: str | None, above: float, below: float
) -> dict[str, Any]:
    """Compare touch and return of every event, and the label with what the touch says."""
    moment = pl.col("date_time").str.to_datetime(time_unit="ns").dt.replace_time_zone("UTC")
    closes = pl.read_csv(folder / "closes.csv").with_columns(ts=moment, symbol=pl.lit("ES"))
    began = time.perf_counter()
    ours = triple_barrier(
        closes.lazy(), width="width", horizon="30m", above=above, below=below, side=side
    ).collect()
    seconds = time.perf_counter() - began
    # Events whose barrier in time lies beyond the data have a touch there only if a price barrier was met.
    theirs = pl.read_csv(folder / f"{name}.csv").with_columns(
        ts=moment, t1=pl.col("t1").str.to_datetime(time_unit="ns").dt.replace_time_zone("UTC")
    )
    both = ours.join(theirs, on="ts", how="full", coalesce=True, suffix="_theirs")
    # Their return of a short bet is price before / price after - 1, ours 1 - price after / price before.
    short = pl.col("side") < 0 if side else pl.lit(value=False)
    gain = pl.when(short).then(1 / (1 - pl.col("ahead_return")) - 1).otherwise("ahead_return")
    gap = both.select((gain - pl.col("ret")).abs().max()).item()
    label = both["ahead_label"].cast(pl.Int64)
    # Their label is read off the log return: beyond k ln(1 + width), which is not where the barrier stands.
    gain, bound = np.log1p(both["ret"].to_numpy()), np.log1p(both["trgt"].to_numpy())
    formula = np.where(
        (gain > 0) & (gain > above * bound), 1, np.where((gain < 0) & (gain < -below * bound), -1, 0)
    )
    formula = np.where(gain <= 0, 0, formula) if side else formula
    differ = (label != both["bin"]).fill_null(value=True)
    return {
        "events": theirs.height,
        "ours": ours.height,
        "equal": both.height == ours.height == theirs.height
        and bool((both["ahead_ts"] == both["t1"]).all())
        and gap < 1e-12,
        "largest_return_difference": gap,
        "labels_of_each_kind": dict(sorted(label.value_counts().rows())),
        "label_says_other_than_touch": int(differ.sum()),
        "unexplained": int((formula != both["bin"].to_numpy()).sum()),
        "seconds": seconds,
    }


def report(result: dict[str, Any]) -> None:
    """Print what was found."""
    print(f"\n{result['trades']:,} real trades; mlfinpy {RELEASE}")
    for name, found in result["bars"].items():
        verdict = "every value equal" if found["equal"] else "DIFFERENT"
        times = f"{found['seconds']:.3f} s, mlfinpy {found['their_seconds']:.2f} s"
        print(f"  {name:<26} {found['bars']:6,} bars   {verdict:<18} {times}")
    for name, found in result["labels"].items():
        verdict = "touches and returns equal" if found["equal"] else "DIFFERENT"
        print(f"  {name:<26} {found['events']:6,} events {verdict}; {found['labels_of_each_kind']}")
        other, odd = found["label_says_other_than_touch"], found["unexplained"]
        print(f"  {'':<26} {other} labels of mlfinpy differ from its own touch, {odd} of them unexplained")


if __name__ == "__main__":
    raise SystemExit(main())
