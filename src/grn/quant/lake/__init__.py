"""The data lake: market data that was fetched once, checked, and is kept where nothing gets lost.

`lake` opens it; commands (``grn quant pull``, ``record``, ``import``, ``ls``, ``check``, ``repair``,
``export``) fill it and look after it. From top to bottom:

- `repair`, `check` (`book_check`, `findings`), `load` (files), `export`
- `pull` (bringing a series up to date), `gaps`; `record` (several streams), `reel` (one), `intake` (journals)
- `holdings` (the lake as its users see it), `view` (adjusted prices), `book` (of any moment)
- `sources`, `source` and `live` (what a source or a stream has to give), `pace` (how often one is asked),
  `calendars`
- `store` (one series: readers and its one writer), `mend`, `room`
- `manifest`, `parquet`, `journal`, `series`, `kinds`, `interval`, `spans`
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grn.quant.lake.holdings import Lake

__all__ = ["lake"]


def lake(root: str | PathLike[str] | None = None) -> Lake:
    """Open the data lake.

    Parameters
    ----------
    root
        Its folder; default ``data_root`` of the settings, else ``lake`` in ``$GRN_HOME``. It need not exist
        yet.

    Returns
    -------
    Lake
        Whose ``bars(symbol, interval, adjusted=True)`` and ``trades(symbol)`` are Polars LazyFrames.

    Raises
    ------
    UsageError
        The settings cannot be read.
    """
    from grn.quant.lake.holdings import open_lake

    return open_lake(root)
