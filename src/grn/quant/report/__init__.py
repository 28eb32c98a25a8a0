"""The report of a sweep: one self-contained HTML file, the figures in it, and a card for notebooks.

`subject` gathers what is shown, `sections` puts it into words, `figures` draws it, `page` lays it out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grn.quant.result import SweepResult
    from grn.quant.validation import Validation


def write_report(
    result: SweepResult,
    path: Path,
    *,
    validation: Validation | None = None,
    row: int | None = None,
    title: str | None = None,
    command: str | None = None,
) -> Path:
    """Write the report of one row of a sweep as a single HTML file that needs no network.

    The same inputs give the same bytes: the file carries no date, no run name and no timing.

    Parameters
    ----------
    result : the sweep.
    path : the file to write; it is whole or absent, never a part.
    validation : the verdict on this sweep; without one the report says that none was computed.
    row : row to draw; default the winner of the validation, else the best Sharpe ratio.
    title : headline; default the strategy's name.
    command : line that reproduces the report; default ``grn quant report`` with the result key.

    Returns
    -------
    The path.

    Raises
    ------
    OutputError : the path cannot be written.
    UsageError : no such row, or the validation is of another sweep.
    """
    from grn.kit.files import write_atomic
    from grn.quant.report.page import render
    from grn.quant.report.subject import choose_subject

    subject = choose_subject(result, validation=validation, row=row)
    write_atomic(path, render(subject, title=title or result.strategy.name, command=command))
    return path
