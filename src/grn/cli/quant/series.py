"""How the commands of the data lake name series and moments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grn.kit.clock import utc_text
from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.quant.lake.holdings import Lake
    from grn.quant.lake.series import Series

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z?)?")


def parse_moment(text: str | None) -> int | None:
    """Read ``2024-01-31`` or ``2024-01-31T15:30:00Z`` as nanoseconds since 1970, UTC.

    Raises
    ------
    UsageError
        It is neither.
    """
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise UsageError("not a date", seen=text, hint="2024-01-31, or 2024-01-31T15:30:00Z (UTC)") from None
    return int(moment.timestamp()) * 10**9


def moment_text(ts_ns: int | None) -> str | None:
    """Write a moment for a person: a date where it is midnight, else to the second."""
    return None if ts_ns is None else utc_text(ts_ns).removesuffix("T00:00:00Z")


def series_json(series: Series) -> dict[str, object]:
    """Name a series in JSON. Stable fields."""
    return {
        "source": series.source,
        "symbol": series.symbol,
        "kind": series.kind,
        "interval": series.interval,
    }


def chosen_series(lake: Lake, symbols: tuple[str, ...]) -> list[Series]:
    """Give every series of the symbols; without symbols, every series.

    Raises
    ------
    UsageError
        A symbol has none.
    """
    every = lake.series()
    known = {one.symbol for one in every}
    for symbol in symbols:
        if symbol not in known:
            raise UsageError(
                "the lake has no such symbol", seen=symbol, hint="grn quant ls shows what there is"
            )
    return [one for one in every if not symbols or one.symbol in symbols]
