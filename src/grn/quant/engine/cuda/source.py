"""A kernel's whole source: head, the account's functions that it needs, and the kernel itself."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grn.kit.files import sha256_hex
from grn.quant.engine.account import LEG, SLOTS
from grn.quant.engine.cuda import doubts
from grn.quant.engine.cuda.expressions import Scope, read_signature
from grn.quant.engine.cuda.functions import changes_account, find_reachable, print_function, read_functions
from grn.quant.engine.cuda.inference import Type, refuse
from grn.quant.engine.cuda.prelude import THREADS, Real, print_prelude
from grn.quant.engine.cuda.statements import Body, calls_of
from grn.quant.engine.emit import KERNEL_ARGUMENTS, print_plain_kernel
from grn.quant.engine.forms import FIRST_LEVEL
from grn.quant.engine.plan import Plan
from grn.quant.strategy.expr import Param
from grn.quant.strategy.rules import Rules

ARGUMENTS = (
    "const real* __restrict__ table_data, i64 series, const real* __restrict__ market_data, i64 bars, "
    "const int* __restrict__ places_data, const real* __restrict__ params_data, i64 count, "
    "const real* __restrict__ form, const real* __restrict__ terms, real initial, real* __restrict__ out_data"
)
"""What a kernel takes; layouts are those of `prelude`."""

PASSED = (
    "table_data, series, market_data, bars, places_data, params_data, count, form, terms, initial, out_data"
)

COMPILER_OPTIONS = ("-std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false")
"""Every operation rounded as IEEE 754 says, none contracted into another."""

_TYPES = {
    "table": Type.TABLE, "rows": Type.PLACES, "params": Type.NUMBERS, "market": Type.MARKET,
    "form": Type.CONST_ROW, "terms": Type.CONST_ROW, "initial": Type.REAL, "account": Type.ROW,
    "ticket": Type.ROW, "levels": Type.ROW, "log": Type.LOG, "out": Type.RESULTS, "c": Type.INT,
}  # fmt: skip

_HOST_LOOP = """\
#ifndef __CUDACC__
extern "C" void {name}_on_host({arguments})
{{
    for (i64 c = 0; c < count; ++c) {{
        blockDim.x = {threads}; blockIdx.x = unsigned(c / {threads}); threadIdx.x = unsigned(c % {threads});
        {name}({passed});
    }}
}}
#endif
"""


@dataclass(frozen=True)
class Kernel:
    """A kernel as Python text, and how many places a ticket has.

    Two kernels that are equal have the same source.
    """

    text: str
    places: int


def make_kernel(plan: Plan, params: Sequence[Param], groups: Sequence[str], rules: Rules) -> Kernel:
    """The kernel of a plan: what the cpu engine compiles, one combination at a time."""
    # Room for one stop at least: compilers see the loops over stops, and not that they are never entered.
    places = max(len(plan.form.ticket), FIRST_LEVEL + 1)
    return Kernel(print_plain_kernel(plan, params, groups, rules), places)


def print_source(kernels: Iterable[Kernel], real: Real = "double") -> str:
    """CUDA C++ with these kernels, called ``kernel_0``, ``kernel_1``, ...

    Raises
    ------
    UnsupportedError
        A kernel, or a function that it calls, uses something that is not translated.
    """
    trees = [_read_kernel(kernel) for kernel in kernels]
    called = [dict.fromkeys(calls_of(tree)) for tree in trees]
    direct = {name for names in called for name in names}
    functions = read_functions()
    parts = [print_prelude(real), *([doubts.FUNCTIONS] if real == "float" else [])]
    for name in find_reachable(dict.fromkeys(n for names in called for n in names)):
        # What moves money is rare: called, it leaves the registers to the loop over the bars.
        apart = name in direct and changes_account(read_signature(functions[name].tree))
        parts.append(print_function(name, apart=apart))
    parts += [
        _print_kernel(f"kernel_{k}", tree, kernel.places, real)
        for k, (tree, kernel) in enumerate(zip(trees, kernels, strict=True))
    ]
    return "\n".join(parts)


def name_source(source: str, options: Sequence[str]) -> str:
    """The name of a source with its compiler's options: equal names, equal machine code."""
    return sha256_hex(source.encode(), *(option.encode() for option in options))[:32]


def _read_kernel(kernel: Kernel) -> ast.FunctionDef:
    (function,) = ast.parse(kernel.text).body
    if not isinstance(function, ast.FunctionDef) or ast.unparse(function.args) != KERNEL_ARGUMENTS:
        raise refuse("a kernel with other arguments", function)
    return function


def _print_kernel(name: str, function: ast.FunctionDef, places: int, real: Real) -> str:
    """The kernel as a function of one thread: the loop over combinations is the launch.

    In float32 one more row comes out: 1 where a decision is in doubt (`doubts`).
    """
    *head, loop = function.body
    if not (isinstance(loop, ast.For) and ast.unparse(loop.iter) == "range(first, last)"):
        raise refuse("a kernel without a loop over combinations", loop)
    signatures = {
        n: read_signature(f.tree) for n, f in read_functions().items() if n in set(calls_of(function))
    }
    scope = Scope(signatures, {"inf": float("inf"), "nan": float("nan")})
    watched = real == "float"
    body = (doubts.WatchedBody if watched else Body)([*head, *loop.body], _TYPES, scope)
    width = sum(ast.unparse(node).startswith("out[c, ") for node in loop.body)
    books = [
        f"    real account[{SLOTS}] = {{}};",
        f"    real ticket[{places}];",
        f"    real levels[{2 * places}];",
        f"    for (int k = 0; k < {places}; ++k) ticket[k] = real(1);",
        f"    for (int k = 0; k < {2 * places}; ++k) levels[k] = NOT_A_NUMBER;",
    ]
    return "\n".join(
        [
            f'extern "C" __global__ void __launch_bounds__({THREADS}) {name}({ARGUMENTS})',
            "{",
            "    const i64 c = i64(blockIdx.x) * blockDim.x + threadIdx.x;",
            "    if (c >= count) return;",
            "    const Table table = {table_data, series};",
            "    const Market market = {market_data, bars};",
            "    const Places rows = {places_data, count};",
            "    const Numbers params = {params_data, count};",
            "    const Results out = {out_data, count};",
            f"    const Log log = {{nullptr, 0, {LEG}}};",
            *books,
            *body.lines(4),
            *([f"    out.at(c, {width}) = doubt ? real(1) : real(0);"] if watched else []),
            "}",
            _HOST_LOOP.format(name=name, arguments=ARGUMENTS, passed=PASSED, threads=THREADS),
        ]
    )
