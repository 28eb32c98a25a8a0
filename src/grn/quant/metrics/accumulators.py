"""What an engine sums up while it walks the bars once: the raw material of every one-pass metric.

An engine keeps, for every parameter combination, a handful of float64 numbers and nothing else. This module
fixes their names, their meaning and the exact order of operations, so that every engine (and
``from_returns``, which starts from a finished path) ends with the same bits.

Returns. ``r_t = equity_t / equity_{t-1} - 1`` with ``equity_{-1} = initial``: T returns for T bars.

Power sums about the pivot 0. The moments are kept as sums of ``r``, ``r*r``, ... and not as running central
moments (Welford), because a bar without a position has ``r = 0`` and then adds exactly nothing: a kernel
may skip it. The usual objection to ``s2 - s1*s1/n`` is cancellation. With ``k = |mean| / std`` and unit
roundoff ``u = 2**-53``, the recursive sums are within ``n*u`` of their absolute counterparts (Higham 2002,
*Accuracy and Stability of Numerical Algorithms*, eq. 4.4), so the relative error of the variance is at most
about ``3*n*u*(1 + k*k)``: for per-bar returns ``k`` is below 1, and 1e6 bars cost at worst 7e-10 and in
practice (rounding errors behave like a random walk) some 1e-13. Only a near-constant return series has a
large ``k``; it is caught by ``constant_tolerance``.

The drawdown is compared by cross-multiplication, so that no bar costs a division::

    if equity > peak:                               # peak, dd_peak, dd_trough start at `initial`
        peak = equity
        below = 0
    elif equity * dd_peak < dd_trough * peak:
        dd_peak, dd_trough = peak, equity
    if equity < peak:
        below += 1; dd_bars = max(dd_bars, below)   # a close equal to the peak ends the run: below = 0
    else:
        below = 0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_ROUNDOFF: Final = 2.0**-53


def constant_tolerance(n_bars: int) -> float:
    """Return the share of ``s2`` up to which ``s2 - s1*s1/n`` is rounding, and the returns are constant.

    1e-12, and from some 2,000 bars on ``4*n*u``, above the bound of ``3*n*u`` (measured: half of ``n*u``).
    """
    return max(1e-12, 4.0 * n_bars * _ROUNDOFF)


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One float64 number per run: begins at ``start`` and is updated bar by bar as ``update`` says."""

    name: str
    start: str
    update: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Group:
    """Accumulators that an engine switches on together, because they share their reads."""

    name: str
    members: tuple[Accumulator, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members, in canonical order."""
        return tuple(member.name for member in self.members)


GROUPS: Final[tuple[Group, ...]] = (
    Group(
        "always",
        (Accumulator("equity", "initial", "equity = cash + shares * close", "equity at the last close"),),
    ),
    Group(
        "moments",
        (
            Accumulator("s1", "0", "s1 += r", "sum of returns"),
            Accumulator("s2", "0", "s2 += r * r", "sum of squared returns"),
        ),
    ),
    Group(
        "shape",
        (
            Accumulator("s3", "0", "s3 += (r * r) * r", "sum of cubed returns"),
            Accumulator("s4", "0", "s4 += (r * r) * (r * r)", "sum of fourth powers of the returns"),
        ),
    ),
    Group("downside", (Accumulator("d2", "0", "if r < 0: d2 += r * r", "sum of squared negative returns"),)),
    Group(
        "omega",
        (
            Accumulator("gain", "0", "if r > 0: gain += r", "sum of positive returns"),
            Accumulator("loss", "0", "if r < 0: loss -= r", "sum of the sizes of negative returns"),
        ),
    ),
    Group(
        "drawdown",
        (
            Accumulator("dd_peak", "initial", "see the module", "equity at the peak of the worst drawdown"),
            Accumulator("dd_trough", "initial", "see the module", "equity at its trough"),
        ),
    ),
    Group(
        "duration",
        (Accumulator("dd_bars", "0", "see the module", "longest run of closes below the peak"),),
    ),
    Group(
        "trades",
        (
            Accumulator("opened", "0", "+= 1 when a trade opens", "trades opened, closed or not"),
            Accumulator("closed", "0", "+= 1 when a trade closes", "trades closed"),
            Accumulator("wins", "0", "+= 1 when pnl > 0", "closed trades with a profit after fees"),
            Accumulator("win_sum", "0", "if pnl > 0: win_sum += pnl", "sum of the profits of closed trades"),
            Accumulator("loss_sum", "0", "if pnl < 0: loss_sum -= pnl", "sum of the sizes of their losses"),
        ),
    ),
    Group(
        "exposure",
        (Accumulator("bars_in", "0", "+= 1 when shares != 0", "closes that found a position"),),
    ),
    Group(
        "turnover",
        (Accumulator("traded", "0", "+= notional / equity_before", "traded value in units of equity"),),
    ),
    Group("fees", (Accumulator("fees", "0", "+= fee", "fees paid"),)),
)
"""Every group in canonical order. ``n`` (bars) and ``initial`` (cash) are constants of the run."""

GROUP_BY_NAME: Final = MappingProxyType({group.name: group for group in GROUPS})


def select_groups(names: Iterable[str]) -> tuple[Group, ...]:
    """Return ``always`` and the named groups in canonical order; an unknown name is a ``KeyError``."""
    wanted = {"always", *(GROUP_BY_NAME[name].name for name in names)}
    return tuple(group for group in GROUPS if group.name in wanted)


def accumulator_names(groups: Iterable[str]) -> tuple[str, ...]:
    """Return the accumulators an engine must fill for these groups, ``equity`` first, in canonical order."""
    return tuple(name for group in select_groups(groups) for name in group.names)
