"""Strategy files: ordinary Python files that define a strategy, run by path from the command line.

A file defines `strategy` (a :class:`Strategy`; or exactly one under any name) and may define `data` (a
sample name, a path beside the file, a Polars frame, or a function that returns one) and the rules `costs`,
`fill`, `size`, `cash`.  The command line's options win over the file's.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import GrnError, StrategyError, UsageError
from grn.quant.strategy.strategy import Strategy

RULES = ("costs", "fill", "size", "cash")


@dataclass(frozen=True)
class StrategyFile:
    """What a strategy file defines; `data` is None when the file leaves it open."""

    path: Path
    strategy: Strategy
    data: Any
    rules: Mapping[str, Any]


def load_strategy_file(path: str | Path) -> StrategyFile:
    """Run a strategy file and read its definitions.

    Raises
    ------
    UsageError
        There is no such file.
    StrategyError
        It raises, or does not define exactly one strategy.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(
            "no such strategy file",
            seen=str(path),
            hint="give the path of a Python file, such as examples/ma_cross.py",
        )
    module_name = f"grn_strategy_{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise UsageError("a strategy file is a Python file", seen=str(path), hint="its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except GrnError:
        raise
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        where = f"{path}, line {lines[-1]}" if lines else str(path)
        if isinstance(error, SyntaxError):
            where = f"{path}, line {error.lineno}"
        raise StrategyError(
            "the strategy file raised an error",
            seen=f"{where}: {type(error).__name__}: {error}",
            hint="run it with python to see the traceback",
        ) from error
    found = vars(module)
    data = found.get("data")
    if callable(data):
        try:
            data = data()
        except GrnError:
            raise
        except Exception as error:
            raise StrategyError(
                "data() of the strategy file raised an error", seen=f"{path}: {type(error).__name__}: {error}"
            ) from error
    if isinstance(data, str | Path) and (file.parent / data).is_file():
        data = file.parent / data
    return StrategyFile(file, _only_strategy(found, file), data, {k: found[k] for k in RULES if k in found})


def _only_strategy(found: Mapping[str, Any], file: Path) -> Strategy:
    named = found.get("strategy")
    if isinstance(named, Strategy):
        chosen = named
    else:
        all_found = {k: v for k, v in found.items() if isinstance(v, Strategy)}
        if len(all_found) != 1:
            raise StrategyError(
                "a strategy file defines one strategy",
                seen=f"{len(all_found)} in {file}" + (f": {', '.join(all_found)}" if all_found else ""),
                hint="name it `strategy`",
            )
        chosen = next(iter(all_found.values()))
    if chosen.name == "strategy":
        from dataclasses import replace

        # Absent sides were filled in at construction; the direction is passed on as it was resolved.
        return replace(chosen, name=file.stem)
    return chosen
