"""Which series: kind, source, symbol and interval, and the folder that is named by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from grn.kit.errors import UsageError

_ANY_INTERVAL = "all"
_LONGEST_NAME = 255  # bytes that a file name may have, on every file system in use


@dataclass(frozen=True, order=True)
class Series:
    """One series of the lake.

    Attributes
    ----------
    kind
        ``bars``, ``trades`` or ``quotes``.
    source
        Where it comes from: ``yfinance``, ``ccxt:binance``, ``import``.
    symbol
        As the source writes it: ``SPY``, ``BTC/USDT``.
    interval
        Of bars, such as ``1d``; ``None`` for the other kinds.
    """

    kind: str
    source: str
    symbol: str
    interval: str | None = None

    def __post_init__(self) -> None:
        for name in ("kind", "source", "symbol"):
            text = getattr(self, name)
            if not text or text != text.strip() or not text.isprintable():
                raise UsageError(f"a {name} needs a name that can be printed", seen=text)
            if len(_folder_name(text).encode()) > _LONGEST_NAME:
                raise UsageError(f"this {name} is too long for a file name", seen=text)

    def __str__(self) -> str:
        return f"{self.source} {self.symbol} {self.interval or self.kind}"

    def folder(self, root: Path) -> Path:
        """Folder of the series below the lake's root; two different series never share one."""
        names = (self.kind, self.source, self.symbol, self.interval or _ANY_INTERVAL)
        return root.joinpath(*map(_folder_name, names))


def find_series(root: Path) -> Iterator[Series]:
    """Find every series that has been begun below `root`, in order."""
    for manifest in sorted(root.glob("*/*/*/*/manifest.json")):
        kind, source, symbol, interval = map(unquote, manifest.parts[-5:-1])
        yield Series(kind, source, symbol, None if interval == _ANY_INTERVAL else interval)


def _folder_name(text: str) -> str:
    # A leading dot is hidden, and "." and ".." are folders of their own.
    name = quote(text, safe="^=+@, ")
    return f"%2E{name[1:]}" if name.startswith(".") else name
