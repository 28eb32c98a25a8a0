"""Settings proposed by Optuna, a batch at a time: each batch is one sweep of the fast engine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from grn.kit.errors import UsageError, require_extra
from grn.quant.engine.grid import Lattice
from grn.quant.search.method import Desk, check_count, check_seed, too_few

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

SAMPLERS: Final = ("tpe", "nsga2")
_ASKS: Final = 50
"""Proposals per setting: so many may repeat others, or be excluded by `where`, before the search gives up."""


@dataclass(frozen=True)
class Optuna:
    """`n` different settings that Optuna's samplers propose after what earlier batches gave.

    A proposal is the place of each value in its parameter's list.  What `where` excludes is told to the
    sampler as pruned, what it proposed before as the value known: neither is run.

    Attributes
    ----------
    sampler
        "tpe" (tree-structured Parzen estimator) or "nsga2" (a genetic algorithm).
    batch
        Settings per sweep: small batches learn sooner, large ones keep the engine busier.
    """

    name: ClassVar[str] = "optuna"
    n: int = 100
    seed: int = 0
    sampler: str = "tpe"
    batch: int = 16

    @property
    def adaptive(self) -> bool:
        """Yes: what is proposed depends on the data."""
        return True

    def looks(self, lattice: Lattice) -> int:
        """As many as are proposed."""
        return self.n

    def check(self) -> None:
        """Refuse settings that make no sense, and a missing Optuna."""
        check_count("n", self.n)
        check_count("batch", self.batch)
        check_seed(self.seed)
        if self.sampler not in SAMPLERS:
            raise UsageError("unknown sampler", seen=repr(self.sampler), hint=" or ".join(SAMPLERS))
        require_extra("optuna", "search")

    def run(self, lattice: Lattice, desk: Desk) -> None:
        """Ask for a batch, evaluate it, tell what it gave, until there are `n` settings."""
        with _quiet() as optuna:
            distributions = {
                p.name: optuna.distributions.IntDistribution(0, len(p.values) - 1) for p in lattice.params
            }
            samplers = {"tpe": optuna.samplers.TPESampler, "nsga2": optuna.samplers.NSGAIISampler}
            study = optuna.create_study(direction="maximize", sampler=samplers[self.sampler](seed=self.seed))
            known: dict[int, float] = {}
            asked = 0
            while len(known) < self.n:
                wanted = min(self.batch, self.n - len(known))
                waiting: dict[int, list[Trial]] = {}
                while len(waiting) < wanted:
                    if asked >= _ASKS * self.n:
                        raise too_few(lattice, len(known), self.n)
                    asked += 1
                    self._ask(study, lattice, distributions, known, waiting)
                grid = lattice.at(np.array(list(waiting), dtype=np.int64))
                for number, score in zip(waiting, desk.evaluate(grid).tolist(), strict=True):
                    known[number] = score
                    for trial in waiting[number]:
                        _tell(study, trial, score)

    def _ask(
        self,
        study: Study,
        lattice: Lattice,
        distributions: dict[str, Any],
        known: dict[int, float],
        waiting: dict[int, list[Trial]],
    ) -> None:
        """One proposal: put to those that wait, or answered at once."""
        from optuna.trial import TrialState

        trial = study.ask(distributions)
        places = np.array([[trial.params[p.name] for p in lattice.params]], dtype=np.int64)
        number = int(lattice.numbers(places.reshape(1, -1))[0])
        if number in known:
            _tell(study, trial, known[number])
        elif number in waiting:
            waiting[number].append(trial)
        elif lattice.admits(lattice.values(np.array([number], dtype=np.int64)))[0]:
            waiting[number] = [trial]
        else:
            study.tell(trial, state=TrialState.PRUNED)


def _tell(study: Study, trial: Trial, score: float) -> None:
    """Tell what a setting gave; one without an answer is pruned: worse than all that have one."""
    from optuna.trial import TrialState

    if np.isnan(score):
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, score)


@contextmanager
def _quiet() -> Iterator[Any]:
    """Optuna, without its log lines and its warnings of what is experimental, for a while."""
    optuna: Any = require_extra("optuna", "search")
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(level)
