"""Seeded markets that comparisons run on: anybody gets the same prices."""

from __future__ import annotations

import numpy as np

from grn.quant import Bars

DAY_NS = 86_400 * 10**9


def random_market(
    symbols: int = 3, n_bars: int = 3_000, *, seed: int = 2, volatility: float = 0.01, step_ns: int = DAY_NS
) -> tuple[Bars, ...]:
    """Geometric random walks with open and close from 2015-01-01 on, daily unless `step_ns` says otherwise.

    The volatility is that of an index: no short is ruined, where vectorbt and grn differ on purpose
    (`docs/concepts/parity.md`).
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, volatility, (symbols, n_bars))
    overnight = rng.normal(0.0, volatility / 3, (symbols, n_bars))
    close = 100.0 * np.exp(np.cumsum(steps, axis=1))
    before = np.concatenate([np.full((symbols, 1), 100.0), close[:, :-1]], axis=1)
    opens = before * np.exp(overnight)
    start = int(np.datetime64("2015-01-01", "ns").astype(np.int64))
    ts_ns = start + step_ns * np.arange(n_bars, dtype=np.int64)
    return tuple(
        Bars(symbol=f"WALK{k + 1}", ts_ns=ts_ns, columns={"open": opens[k], "close": close[k]})
        for k in range(symbols)
    )
