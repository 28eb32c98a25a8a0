"""Generated bars: calm and wild walks, prices that stand still, jumps that ruin a short, a bar or two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grn.quant import Bars

MINUTE_NS = 60 * 10**9
SPACINGS_NS = (15 * MINUTE_NS, 60 * MINUTE_NS, 1440 * MINUTE_NS)
KINDS = ("walk", "wild", "constant", "steps", "jumps", "rise", "tiny", "huge")


def make_bars(
    rng: np.random.Generator, *, symbol: str = "X", n_bars: int | None = None, kind: str | None = None
) -> Bars:
    """Bars of one symbol with open, high, low, close, volume, `score` (with gaps) and `flag` (0 or 1)."""
    n = n_bars if n_bars is not None else draw_length(rng)
    close = draw_prices(rng, str(rng.choice(KINDS)) if kind is None else kind, n)
    before = np.concatenate([close[:1], close[:-1]])
    opens = before * np.exp(rng.normal(0.0, 0.01, n)) if rng.random() < 0.8 else close.copy()
    high = np.maximum(opens, close) * (1.0 + np.abs(rng.normal(0.0, 0.005, n)))
    low = np.minimum(opens, close) / (1.0 + np.abs(rng.normal(0.0, 0.005, n)))
    volume = np.floor(rng.exponential(1_000.0, n)) * (rng.random(n) < 0.9)
    score = rng.normal(0.0, 1.0, n)
    score[rng.random(n) < rng.choice([0.0, 0.1, 0.5])] = np.nan
    flag = (rng.random(n) < 0.3).astype(np.float64)
    spacing = int(rng.choice(SPACINGS_NS))
    gaps = np.where(rng.random(n) < 0.1, rng.integers(2, 60, n), 1)
    start = int(rng.integers(1_500_000_000, 1_600_000_000)) // 900 * 900 * 10**9
    ts_ns = start + np.cumsum(gaps).astype(np.int64) * spacing
    columns = {
        "open": opens, "high": high, "low": low, "close": close, "volume": volume,
        "score": score, "flag": flag, "typical": (high + low + close) / 3.0, **draw_events(rng, close),
    }  # fmt: skip
    return Bars(symbol=symbol, ts_ns=ts_ns, columns=columns)


def draw_events(
    rng: np.random.Generator, close: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Dividends, splits and funding rates on a few bars each; missing means none."""
    n = len(close)
    dividend = np.where(rng.random(n) < 0.08, close * rng.uniform(0.0, 0.05, n), 0.0)
    split = np.where(rng.random(n) < 0.05, rng.choice([2.0, 0.5, 3.0, 0.1, 1.5], n), np.nan)
    funding = np.where(rng.random(n) < 0.3, rng.normal(0.0, 0.01, n), np.nan)
    return {"dividend": dividend, "split": split, "funding": funding}


def draw_length(rng: np.random.Generator) -> int:
    """Mostly some dozens of bars, sometimes one to three, seldom three hundred."""
    kind = rng.random()
    if kind < 0.1:
        return int(rng.integers(1, 4))
    if kind < 0.98:
        return int(rng.integers(8, 60))
    return 300


def draw_prices(rng: np.random.Generator, kind: str, n: int) -> npt.NDArray[np.float64]:
    """Positive closes of one kind: float64 [n]."""
    walk = np.cumsum(rng.normal(0.0, 0.015, n))
    match kind:
        case "wild":
            return np.asarray(50.0 * np.exp(8.0 * walk))
        case "constant":
            return np.full(n, 10.0)
        case "steps":
            # Few distinct prices: comparisons meet equal values.
            return np.asarray(10.0 + np.round(20.0 * walk) / 2.0 % 5.0)
        case "jumps":
            leaps = np.where(rng.random(n) < 0.1, rng.normal(0.4, 0.8, n), 0.0)
            return np.asarray(100.0 * np.exp(walk + np.cumsum(leaps)))
        case "rise":
            return np.asarray(5.0 * np.exp(0.2 * np.arange(n) / max(1.0, n / 20.0)))
        case "tiny":
            return 1e-9 * np.exp(walk)
        case "huge":
            return 1e12 * np.exp(walk)
    return 100.0 * np.exp(walk)
