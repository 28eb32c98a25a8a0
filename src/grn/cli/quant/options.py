"""Options that the commands running strategy files share, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.quant.files import StrategyFile
    from grn.quant.strategy.rules import Rules
    from grn.quant.strategy.sizes import Size

_Command = TypeVar("_Command", bound=Callable[..., object])


def _until(ctx: click.Context, _parameter: click.Parameter, moment: str | None) -> None:
    if moment is not None and not ctx.resilient_parsing:
        from grn.quant.holdout import only_before

        ctx.with_resource(only_before(moment))


def _open(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from grn.quant.holdout import open_holdout

        ctx.with_resource(open_holdout())


_OPTIONS = (
    click.argument("file", type=click.Path(path_type=Path)),
    click.option("--data", help="Sample such as SP500 or INDICES, or a file (default: the file's `data`)."),
    click.option("--until", metavar="DATE", expose_value=False, callback=_until,
                 help="Leave out bars that end after this moment."),
    click.option("--open-holdout", is_flag=True, expose_value=False, callback=_open,
                 help="Allow this run to touch a hold-out: once, and recorded."),
    click.option("--fill", type=click.Choice(["next_open", "close"]), help="When orders fill."),
    click.option("--fee", type=float, help="Proportional fee, 0.001 is 0.1 %."),
    click.option("--fixed-fee", type=float, help="Fee per order, in account currency."),
    click.option("--slippage", type=float, help="Fraction by which fills are worse than the price."),
    click.option("--size", "size_text", help="all, fraction:0.5, quantity:10 or value:1000 (default all)."),
    click.option("--cash", type=float, help="Initial cash per symbol (default 10,000)."),
    click.option("--metrics", help="Metrics by name, separated by commas; default or all."),
    click.option("--engine", type=click.Choice(["auto", "cpu", "cuda", "reference"]), default="auto",
                 show_default=True, help="Engine; the numbers are the same bits."),
)  # fmt: skip


def run_options(command: _Command) -> _Command:
    """Give a command the strategy file and the options of a run."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_rules(
    file: StrategyFile,
    *,
    fill: str | None,
    fee: float | None,
    fixed_fee: float | None,
    slippage: float | None,
    size_text: str | None,
    cash: float | None,
) -> Rules:
    """Rules of a run: the command line's, else the file's, else the defaults."""
    from dataclasses import replace

    costs: dict[str, Any] = {"fee": fee, "fixed_fee": fixed_fee, "slippage": slippage}
    given: dict[str, Any] = {
        "costs": replace(file.rules.costs, **{k: v for k, v in costs.items() if v is not None}),
        "fill": fill,
        "size": None if size_text is None else parse_size(size_text),
        "cash": cash,
    }
    return replace(file.rules, **{k: v for k, v in given.items() if v is not None})


def parse_size(text: str) -> Size:
    """``all``, ``fraction:0.5``, ``quantity:10`` or ``value:1000``."""
    from grn.quant.strategy.sizes import AllCash, Fraction, Quantity, Value

    kind, _, number = text.partition(":")
    if text == "all":
        return AllCash()
    makers: dict[str, Callable[[float], Size]] = {"fraction": Fraction, "quantity": Quantity, "value": Value}
    try:
        return makers[kind](float(number))
    except (KeyError, ValueError):
        raise UsageError(
            "unknown size", seen=text, hint="all, fraction:0.5, quantity:10 or value:1000"
        ) from None


def pick_data(file: StrategyFile, data: str | None) -> Any:
    """Data of a run: the command line's or the file's.

    Raises
    ------
    UsageError
        Neither names any.
    """
    if data is not None:
        return data
    if file.data is None:
        raise UsageError(
            "no data to run on", seen=str(file.path), hint="give --data SP500, or define `data` in the file"
        )
    return file.data


def parse_settings(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """``name=value``, ``name=a,b,c`` or ``name=first:last[:step]`` (last included) -> values by name."""
    found: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if name in found:
            raise UsageError(
                f"parameter {name!r} is set twice", seen=text, hint=f"list its values: -p {name}=10,20"
            )
        try:
            if not (name and equals):
                raise ValueError
            found[name] = _values(name, value)
        except ValueError:
            raise UsageError(
                "a parameter setting reads name=value",
                seen=text,
                hint="-p fast=10, -p fast=10,20,50 or -p fast=10:50:5",
            ) from None
    return found


def _values(name: str, text: str) -> tuple[float, ...]:
    if ":" not in text:
        return tuple(_number(part) for part in text.split(","))
    from grn.quant.strategy.expr import check_length

    parts = [_number(part) for part in text.split(":")]
    if not 2 <= len(parts) <= 3 or not all(math.isfinite(part) for part in parts):
        raise ValueError
    first, last, step = (*parts, 1)[:3]
    if step <= 0:
        raise ValueError
    # The last value belongs to the range; 0.1:0.3:0.1 ends at 0.3 although three times 0.1 is above it.
    steps = (last - first) / step + 1e-9
    check_length(name, steps)
    return tuple(first + k * step for k in range(math.floor(steps) + 1))


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)
