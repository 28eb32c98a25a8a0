"""Weights of what speaks for a piece, by logistic regression on half of the packages.

    python -m benchmarks.pack_weights --cache FOLDER      prints them for `grn.llm.tokens.pack.rank`

Every release weighs the same, however many functions it changed. Each package is left out in turn to see what
the weights are worth on others: recall at 8,000 tokens as files / functions. What is printed last is found on
all of them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.pack import TUNE, mirror, recall, weigh
from benchmarks.pack_cases import Task, tasks
from grn.llm.tokens.pack import rank as ranking
from grn.llm.tokens.pack.index import Piece, open_index
from grn.llm.tokens.pack.pack import pack
from grn.llm.tokens.pack.words import read_question

_AT = 8_000
_STRENGTH = 0.03  # of what the data say against weights of nothing, on standardised measures
_ROUND = 2


@dataclass(frozen=True)
class Sample:
    """What a release teaches: measures of functions, and which of them it changed."""

    package: str
    names: tuple[str, ...]
    measures: np.ndarray[Any, np.dtype[np.float64]]
    changed: np.ndarray[Any, np.dtype[np.bool_]]


def sample(task: Task, cache: Path) -> Sample:
    """Measure the functions of a release that may answer its entry."""
    place = cache / "mirror" / task.package
    place.mkdir(parents=True, exist_ok=True)
    mirror(task.folder, place)
    with open_index(place, cache / "indexes") as index:
        measured = ranking.measure(index, read_question(task.question), "code")
    functions = {piece: of for piece, of in measured.items() if piece.chunk.kind == "function"}
    names = tuple(next(iter(functions.values())))
    return Sample(
        task.package,
        names,
        np.array([[of[name] for name in names] for of in functions.values()]),
        np.array([_is_changed(piece, task) for piece in functions]),
    )


def _is_changed(piece: Piece, task: Task) -> bool:
    lines = piece.chunk.lines
    return any(
        path == piece.path and lines[0] <= last and first <= lines[-1] for path, first, last in task.functions
    )


def fit(samples: Sequence[Sample]) -> tuple[dict[str, float], float]:
    """Find weights and the constant."""
    some = [one for one in samples if one.changed.any()]
    measures = np.concatenate([one.measures for one in some])
    changed = np.concatenate([one.changed for one in some])
    share = np.concatenate([np.full(len(one.changed), 1 / one.changed.sum()) for one in some])
    mean, spread = measures.mean(axis=0), measures.std(axis=0) + 1e-9
    found = LogisticRegression(C=_STRENGTH, max_iter=500)
    found.fit((measures - mean) / spread, changed, sample_weight=share)
    weights = found.coef_[0] / spread
    constant = float(found.intercept_[0] - weights @ mean)
    return dict(zip(some[0].names, np.round(weights, _ROUND).tolist(), strict=True)), round(constant, _ROUND)


def main() -> None:
    """Fit, test on what was left out, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    known = [(task, sample(task, options.cache)) for task in tasks(options.cache / "sdists", TUNE)]
    every: list[tuple[float, float]] = []
    for package in dict.fromkeys(task.package for task, _ in known):
        ranking._WEIGHTS, ranking._NOTHING = fit([one for _, one in known if one.package != package])
        mine: list[tuple[float, float]] = []
        for task in [task for task, _ in known if task.package == package]:
            place = options.cache / "mirror" / package
            mirror(task.folder, place)
            with open_index(place, options.cache / "indexes") as index:
                mine.append(recall(task, pack(index, task.question, _AT, weigh).text))
        every += mine
        print(f"{package:12}", len(mine), _mean(mine), flush=True)
    print(f"{'all':12}", len(every), _mean(every))
    print(fit([one for _, one in known]))


def _mean(found: Sequence[tuple[float, float]]) -> str:
    return " / ".join(f"{math.fsum(column) / len(found):.3f}" for column in zip(*found, strict=True))


if __name__ == "__main__":
    main()
