"""What the ledger hands out: plain, frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TrialCount:
    """How many different trials were run on some data, and how their Sharpe ratios spread.

    Attributes
    ----------
    n
        Size of the union of the trial keys.
    sharpe_mean, sharpe_variance
        Of the per-period Sharpe ratios of those trials; the variance with ddof = 1. Trials whose ratio is not
        finite are in ``n`` but not in the moments. NaN with no (mean) or fewer than two (variance) ratios.
    widest_variance
        Largest variance (ddof = 1) that the different Sharpe ratios of one run show; NaN when no run has two.
        Unlike ``sharpe_variance`` it never falls when trials are added.
    sweeps
        Number of ``trials`` rows that were united.
    watermark
        Highest ``trials`` row looked at: the count at a watermark never changes.
    data_sets
        Number of data sets that those rows are on: the one asked for, and others of the same market.
    """

    n: int
    sharpe_mean: float
    sharpe_variance: float
    widest_variance: float
    sweeps: int
    watermark: int
    data_sets: int = 0


@dataclass(frozen=True)
class Market:
    """One market that was looked at, under whatever names and in whatever cuts.

    Attributes
    ----------
    symbols
        Names that it had, in order of text; none where the data was never entered.
    data_ids
        Its data sets: each is counted together with the ones that overlap with it.
    first_ns, last_ns
        From the first label of its earliest history to the last label of its latest; 0 where not known.
    runs
        Runs that looked at it.
    earliest_ns, newest_ns
        When the first and the newest trials were recorded.
    count
        Different trials on all of its data sets.
    """

    symbols: tuple[str, ...]
    data_ids: tuple[str, ...]
    first_ns: int
    last_ns: int
    runs: tuple[str, ...]
    earliest_ns: int
    newest_ns: int
    count: TrialCount


@dataclass(frozen=True)
class TrialsRow:
    """One data set of one sweep: ``n`` trials whose keys and Sharpe ratios are in ``blob``."""

    watermark: int
    run: str
    recorded_ns: int
    data_id: str
    strategy_key: str
    n: int
    blob: str


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended."""

    finished_ns: int
    exit_code: int
    result_key: str | None
    watermark: int | None
    timings_s: Mapping[str, float]
    outputs: Mapping[str, object]


@dataclass(frozen=True)
class Invocation:
    """One run: what it was asked, with which versions, what it tried and how it ended.

    ``outcome`` is ``None`` for a run that did not finish: it was killed, or it is still running.
    ``inputs`` is what canonical JSON keeps: tuples have become lists, NaN the text ``"NaN"``.
    """

    run: str
    began_ns: int
    command: str
    inputs: Mapping[str, object]
    inputs_sha256: str
    versions: Mapping[str, str | None]
    trials: tuple[TrialsRow, ...]
    outcome: Outcome | None

    @property
    def n_trials(self) -> int:
        """Trials recorded by this run, repeated ones included."""
        return sum(row.n for row in self.trials)
