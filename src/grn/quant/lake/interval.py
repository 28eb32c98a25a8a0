"""Bar intervals: ``1m`` to ``1w``, their length, and the names that sources have for them."""

from __future__ import annotations

import re
from typing import Final

from grn.kit.errors import UsageError

NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * NS
_UNIT_NS: Final = {"s": NS, "m": 60 * NS, "h": 3600 * NS, "d": DAY_NS, "w": 7 * DAY_NS}
_OTHER_NAMES: Final = {"60m": "1h", "1wk": "1w", "24h": "1d", "7d": "1w"}


def parse_interval(text: str) -> str:
    """Give an interval its one name: ``60m`` is ``1h``.

    Raises
    ------
    UsageError
        The text is no number with a unit out of s m h d w.
    """
    name = _OTHER_NAMES.get(text, text)
    if not re.fullmatch(r"[1-9][0-9]*[smhdw]", name):
        raise UsageError(
            "unknown interval", seen=text, hint="a number and a unit out of s m h d w, such as 1m, 5m, 1h, 1d"
        )
    return name


def length_ns(interval: str) -> int:
    """Nanoseconds from the label of a bar to the end of what it covers, as if the market never closed."""
    return int(interval[:-1]) * _UNIT_NS[interval[-1]]


def is_daily(interval: str) -> bool:
    """Whether a bar covers whole sessions: its label is then the session's date at 00:00 UTC."""
    return interval[-1] in "dw"
