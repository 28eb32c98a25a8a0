"""Where bars are missing, and what is known about why.

A gap is a stretch of labels that the calendar expects and the series does not have. Each pull asks the source
for it once more; a source that has nothing three times, in three pulls, is believed: nothing traded.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from grn.quant.lake.calendars import Calendar, Stamps
from grn.quant.lake.kinds import GAPS
from grn.quant.lake.spans import Span

MISSING: Final = "missing"
"""Expected, not there, and not asked for often enough to say more."""
NO_TRADE: Final = "no trade"
"""The source was asked three times and has nothing."""
NOT_LISTED: Final = "not listed"
"""The same, before the first bar."""
BELIEVED: Final = 3


def find_gaps(
    calendar: Calendar, stamps: Stamps, covered: list[Span], step_ns: int, old: pl.DataFrame
) -> pl.DataFrame:
    """Find all gaps, and carry over how often each was asked for.

    Parameters
    ----------
    calendar
        What is to be expected.
    stamps
        Shape (N,): labels that are there, in order.
    covered
        Spans that the source was asked for.
    step_ns
        Length of a bar.
    old
        The gaps as they were known.
    """
    found: list[tuple[int, int]] = []
    for begin, end in covered:
        expected = calendar.expected(begin, end)
        if expected is None:
            continue
        absent = ~np.isin(expected, stamps)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], absent, [False])).astype(np.int8)))
        first, last = expected[edges[::2]], expected[edges[1::2] - 1]
        found += zip(first.tolist(), (last + step_ns).tolist(), strict=True)
    if not found:
        return GAPS.empty()
    known = {row[0]: (row[1], row[2]) for row in _plain(old)}
    start = int(stamps[0]) if len(stamps) else 2**63 - 1
    rows = []
    for begin, end in found:
        until, asked = known.get(begin, (0, 0))
        # A gap that grew has a part that nobody asked for; one that shrank was asked for as a whole.
        asked = asked if end <= until else 0
        rows.append((begin, end, _state(asked, begin < start), asked))
    return _table(rows)


def asked_again(gaps: pl.DataFrame, spans: list[Span]) -> pl.DataFrame:
    """Count one more question for the gaps that lie in `spans`; the table is that from before the answer."""
    rows = []
    for begin, end, asked, state in _plain(gaps):
        inside = any(low <= begin and end <= high for low, high in spans)
        count = asked + inside
        rows.append((begin, end, _state(count, state == NOT_LISTED), count))
    return _table(rows)


def open_gaps(gaps: pl.DataFrame, *, all_states: bool = False) -> list[Span]:
    """Spans to ask for: those that are not believed yet, or all."""
    return [(begin, end) for begin, end, asked, _ in _plain(gaps) if all_states or asked < BELIEVED]


def _state(asked: int, before_first: bool) -> str:
    if asked < BELIEVED:
        return MISSING
    return NOT_LISTED if before_first else NO_TRADE


def _plain(gaps: pl.DataFrame) -> list[tuple[int, int, int, str]]:
    columns = gaps.select(
        pl.col("ts").to_physical(), pl.col("until").to_physical(), pl.col("asked"), pl.col("state")
    )
    return columns.rows()


def _table(rows: list[tuple[int, int, str, int]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows, schema={"ts": pl.Int64, "until": pl.Int64, "state": pl.String, "asked": pl.Int32}, orient="row"
    )
    return GAPS.sort(GAPS.fit(frame))
