"""Other values for a strategy's parameters: what `-p` and a backtest ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from grn.kit.errors import UsageError
from grn.quant.strategy.advice import nearest
from grn.quant.strategy.expr import param
from grn.quant.strategy.plain import find_steps, from_plain, to_plain
from grn.quant.strategy.weights import AnyStrategy

S = TypeVar("S", bound=AnyStrategy)


def with_values(strategy: S, settings: Mapping[str, float | Iterable[float]]) -> S:
    """Build the strategy again with other values for some parameters.

    The new values are held to all that the old ones were: an indicator's range, a lag's sign.  Its conditions
    and its identity stay the same.

    Raises
    ------
    UsageError
        It has no such parameter, or the parameter takes whole numbers and a value is none.
    StrategyError
        A value is no finite number, or one that the strategy cannot take.
    """
    if not settings:
        return strategy
    plain: dict[str, Any] = to_plain(strategy)
    known = {p["name"]: p for p in plain["params"]}
    for name, values in settings.items():
        if name not in known:
            raise UsageError(
                f"the strategy has no parameter {name!r}",
                seen=", ".join(known) or "it has none",
                hint=nearest(name, known) or None,
            )
        checked = param(name, values).values  # type: ignore[arg-type]  # one number is a list of one
        if known[name]["integer"]:
            odd = [v for v in checked if v != int(v)]
            if odd:
                raise UsageError(f"parameter {name!r} takes whole numbers", seen=f"{odd[0]:g}")
            checked = tuple(int(v) for v in checked)
        known[name]["values"] = list(checked)
    return cast(S, from_plain(plain, find_steps(strategy)))
