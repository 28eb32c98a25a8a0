"""The bars and labels of mlfinpy on the trades that it ships, as CSV; for an environment of its own.

``python peer_mlfinpy.py FOLDER``: nothing of ours is imported.  Bars are written with every digit; seconds go
to stdout as one line of JSON.
"""

import json
import sys
import time
from pathlib import Path

import mlfinpy.dataset
import numpy as np
import pandas as pd
from mlfinpy.data_structure import imbalance_bars, standard_bars
from mlfinpy.labeling import labeling

PLAIN = {
    "tick": (standard_bars.get_tick_bars, {"threshold": 500}),
    "volume": (standard_bars.get_volume_bars, {"threshold": 1_000}),
    "dollar": (standard_bars.get_dollar_bars, {"threshold": 2e6}),
}
IMBALANCE = {
    "dollar_imbalance": (
        imbalance_bars.get_ema_dollar_imbalance_bars,
        {"exp_num_ticks_constraints": [10, 50_000]},
    ),
    "constant_volume_imbalance": (
        imbalance_bars.get_const_volume_imbalance_bars,
        {"expected_imbalance_window": 1_000, "exp_num_ticks_init": 1_000},
    ),
    "constant_tick_imbalance": (
        imbalance_bars.get_const_tick_imbalance_bars,
        {"expected_imbalance_window": 500, "exp_num_ticks_init": 200},
    ),
}


def main(folder):
    """Compute everything and write it."""
    path = Path(mlfinpy.dataset.__file__).parent / "data" / "tick_data.csv"
    trades = pd.read_csv(path, parse_dates=[0])
    seconds, bars = {}, {}
    for name, (make, settings) in {**PLAIN, **IMBALANCE}.items():
        began = time.perf_counter()
        made = make(trades, verbose=False, **settings)
        seconds[name] = time.perf_counter() - began
        bars[name] = made if name in PLAIN else made[0]
        bars[name].to_csv(folder / (name + ".csv"), index=False, float_format="%.17g")
    # One bar per moment: their labels look prices up by time.
    dollar = bars["dollar"].drop_duplicates("date_time", keep="last").set_index("date_time")
    close = dollar["close"]
    width = close.pct_change().rolling(50).std()
    moves = np.sign(close.diff()).replace(0, np.nan).ffill().fillna(1.0)
    table = pd.DataFrame({"close": close, "width": width, "side": moves})
    table.to_csv(folder / "closes.csv", float_format="%.17g")
    vertical = labeling.add_vertical_barrier(close.index, close, num_minutes=30)
    for name, side, multiples in (("labels", None, [2, 2]), ("meta_labels", moves, [3, 2])):
        began = time.perf_counter()
        events = labeling.get_events(
            close, close.index, multiples, width, 0.0, 1, vertical, side_prediction=side, verbose=False
        )
        found = labeling.get_bins(events, close)
        seconds[name] = time.perf_counter() - began
        found["t1"] = events["t1"]
        found.to_csv(folder / (name + ".csv"), float_format="%.17g")
    print(json.dumps({"trades": str(path), "rows": len(trades), "seconds": seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
