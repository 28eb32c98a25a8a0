"""The account's functions in C++, from the very source that the reference engine runs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from grn.quant.engine import account, holding, levels, signals, tariff, working
from grn.quant.engine.cuda.expressions import Scope, Signature, read_signature, spell
from grn.quant.engine.cuda.inference import Type, refuse
from grn.quant.engine.cuda.statements import Body, calls_of

_MODULES: tuple[ModuleType, ...] = (tariff, account, levels, holding, signals, working)


@dataclass(frozen=True)
class Function:
    """One function of the account: where it stands, its source, what it takes."""

    module: ModuleType
    tree: ast.FunctionDef

    @property
    def constants(self) -> dict[str, float | int | bool]:
        """Numbers that its module knows by name."""
        known = vars(self.module).items()
        return {name: value for name, value in known if isinstance(value, bool | int | float)}


@lru_cache(maxsize=1)
def read_functions() -> dict[str, Function]:
    """Every function of the account's modules by name."""
    found = {}
    for module in _MODULES:
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        found.update(
            {node.name: Function(module, node) for node in tree.body if isinstance(node, ast.FunctionDef)}
        )
    return found


def find_reachable(names: Iterable[str]) -> list[str]:
    """These functions and all that they call, callees first."""
    functions = read_functions()
    order: dict[str, None] = {}

    def visit(name: str, callers: tuple[str, ...]) -> None:
        if name in callers:
            raise refuse(f"the recursion of {name}")
        if name in order or name not in functions:
            return
        for callee in calls_of(functions[name].tree):
            visit(callee, (*callers, name))
        order[name] = None

    for name in names:
        visit(name, ())
    return list(order)


@lru_cache(maxsize=256)
def print_function(name: str, *, apart: bool) -> str:
    """A function in C++; one that stands `apart` is called and never copied into its caller."""
    function = read_functions()[name]
    signature = read_signature(function.tree)
    reachable = {callee: read_signature(read_functions()[callee].tree) for callee in find_reachable([name])}
    body = Body(
        function.tree.body, dict(signature.parameters), Scope(reachable, function.constants), signature.result
    )
    head = print_head(signature)
    kind = "GRN_APART" if apart else "GRN_INSIDE"
    comment = f"// {function.module.__name__}.{name}"
    return "\n".join([comment, f"{kind} {head} {{", *body.lines(4), "}"]) + "\n"


def print_head(signature: Signature) -> str:
    """Result, name and parameters."""
    parameters = ", ".join(f"{kind.value} {spell(name)}" for name, kind in signature.parameters)
    return f"{signature.result.value} {spell(signature.name)}({parameters})"


def changes_account(signature: Signature) -> bool:
    """Whether a function takes a row that it may write."""
    return any(kind is Type.ROW for _, kind in signature.parameters)
