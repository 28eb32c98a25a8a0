"""Cases of strategy, data and rules, numbered by a seed: the same number is the same case, anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from grn.quant import Bars, Rules, Strategy
from grn.quant.engine.ahead import print_kernel
from grn.quant.engine.choose import choose_engine
from grn.quant.engine.plan import Grid, Plan, build_grid, build_plan
from grn.quant.metrics.accumulators import GROUPS
from tests.property.markets import make_bars
from tests.property.rules import Style, draw_style, make_rules
from tests.property.strategies import Author

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
SHAPES = 2_400 if NIGHTLY else 64
CASES_PER_SHAPE = 32
"""Many, because a shape costs seconds of compilation and a case milliseconds."""
SHAPES_PER_TEST = 20 if NIGHTLY else 4
ALL_GROUPS = tuple(g.name for g in GROUPS if g.name != "always")


@dataclass(frozen=True)
class Shape:
    """One strategy with one style of rules and one choice of accumulators: what a kernel is printed from."""

    seed: int
    strategy: Strategy
    style: Style
    groups: tuple[str, ...]

    @cached_property
    def plan(self) -> Plan:
        return build_plan(self.strategy, self.style.example())

    @cached_property
    def grid(self) -> Grid:
        return build_grid(self.strategy, 1.0)

    @cached_property
    def kernel(self) -> str:
        """The printed kernel: two shapes with one text are one shape."""
        return print_kernel(self.plan, self.grid.params, self.groups, self.style.example())

    @cached_property
    def engine(self) -> str:
        """What `auto` chooses."""
        return choose_engine(self.strategy).engine

    def __str__(self) -> str:
        return f"make_shape({self.seed}) [{self.strategy}; {self.style}]"


@dataclass(frozen=True)
class Case:
    """A shape on data and rules of its own."""

    shape: Shape
    number: int
    bars: Bars
    rules: Rules

    def __str__(self) -> str:
        again = f"make_case(make_shape({self.shape.seed}), {self.number})"
        return f"{again}: {self.shape}; {len(self.bars)} bars; {self.rules}"


def make_shape(seed: int) -> Shape:
    """The shape of that number: four in ten have neither stops nor any rule beside costs, size and cash."""
    rng = np.random.default_rng([seed, 1])
    simple = bool(rng.random() < 0.4)
    parts = bool(rng.random() < 0.5)
    strategy = Author(rng).strategy(simple=simple, parts=parts)
    style = draw_style(rng, simple=simple, parts=parts)
    groups = ALL_GROUPS
    if rng.random() < 0.3:
        groups = tuple(g for g in ALL_GROUPS if rng.random() < 0.5)
    return Shape(seed, strategy, style, groups)


def make_case(shape: Shape, number: int) -> Case:
    """Case `number` of a shape."""
    rng = np.random.default_rng([shape.seed, 2, number])
    return Case(shape, number, make_bars(rng), make_rules(rng, shape.style))


def shapes_of(block: int) -> Iterator[Shape]:
    """The shapes that one test runs."""
    for seed in range(block * SHAPES_PER_TEST, (block + 1) * SHAPES_PER_TEST):
        yield make_shape(seed)


def cases_of(shape: Shape) -> Iterator[Case]:
    """The cases of a shape."""
    for number in range(CASES_PER_SHAPE):
        yield make_case(shape, number)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two float64 arrays hold the same bits; every NaN counts as one value, 0.0 and -0.0 as two."""
    if a.shape != b.shape:
        return False
    left, right = np.ascontiguousarray(a, dtype=np.float64), np.ascontiguousarray(b, dtype=np.float64)
    return bool(((left.view(np.int64) == right.view(np.int64)) | (np.isnan(left) & np.isnan(right))).all())
