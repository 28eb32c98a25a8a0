"""Printing: a strategy's conditions as the source of one fused kernel.

The printed function walks one combination at a time through all bars with its account in local variables:
signals, orders, marking to market and the accumulators in one pass, nothing kept per bar.  It does what
`engine.walk` does, skipping only what cannot change a bit: while no position is held, equity and peak stand
still and every return is exactly zero.

Two kernels with the same text are the same kernel: the text is the cache key (`engine.cpu`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from grn.quant.engine.plan import Plan
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.strategy.expr import SYMBOLS, Binary, Const, Expr, Key, Lag, Param, Unary, When
from grn.quant.strategy.strategy import is_never

KERNEL_ARGUMENTS: Final = (
    "table, rows, params, fill, close, fee, fixed, slippage, size_kind, size, initial, first, last, out"
)


_EXPOSURE: Final = ("                if position != 0.0:", "                    bars_in += 1.0")
_LAST_SPELL: Final = (
    "        if below_since >= 0 and n - below_since > dd_longest:",
    "            dd_longest = n - below_since",
    "        dd_bars = float(dd_longest)",
)


class _Block:
    """Statements of one straight-line piece of code; equal sub-expressions are printed once."""

    def __init__(self, printer: _Printer, indent: int) -> None:
        self.printer, self.indent = printer, indent
        self.lines: list[str] = []
        self.names: dict[tuple[Key, str], str] = {}

    def value(self, node: Expr, shift: str = "") -> str:
        """Name of a variable that holds the node's value `shift` bars ago (`shift` is printed code)."""
        match node:
            case Const():
                return repr(node.value) if node.kind == "bool" else _literal(float(node.value))
            case Param():
                return self.printer.param(node)
            case Lag():
                n = f"int({self.printer.param(node.n)})" if isinstance(node.n, Param) else str(node.n)
                return self.value(node.operand, shift if n == "0" else f"{shift} - {n}")
        known = self.names.get((node.key, shift))
        if known is None:
            code = self._code(node, shift)
            known = self.names[node.key, shift] = self.printer.fresh()
            self.lines.append(f"{' ' * self.indent}{known} = {code}")
        return known

    def _code(self, node: Expr, shift: str) -> str:
        if node.series:
            load = f"a{self.printer.leaf(node)}[i{shift}]"
            return load if node.kind == "float" else f"{load} == 1.0"
        if isinstance(node, Binary):
            a, b = self.value(node.left, shift), self.value(node.right, shift)
            match node.op:
                case "minimum":
                    return f"{a} if ({a} < {b} or {a} != {a}) else {b}"
                case "maximum":
                    return f"{a} if ({a} > {b} or {a} != {a}) else {b}"
                case "ne":
                    return f"({a} < {b}) | ({a} > {b})"
                case "xor":
                    return f"{a} != {b}"
            return f"{a} {SYMBOLS[node.op]} {b}"
        if isinstance(node, When):
            test, yes, no = (self.value(c, shift) for c in node.children)
            return f"{yes} if {test} else {no}"
        assert isinstance(node, Unary)
        x = self.value(node.operand, shift)
        return {
            "neg": f"-{x}",
            "abs": f"abs({x})",
            "sqrt": f"sqrt({x})",
            "not": f"not {x}",
            "truth": f"({x} < 0.0) | ({x} > 0.0)",
            "missing": f"{x} != {x}",
        }[node.op]


def _literal(value: float) -> str:
    """Shortest text that reads back as the same float64."""
    return (
        repr(value) if math.isfinite(value) else ("nan" if value != value else "inf" if value > 0 else "-inf")
    )


class _Printer:
    """Numbers leaves, parameters and variables of one kernel."""

    def __init__(self, plan: Plan, params: Sequence[Param]) -> None:
        self._leaf = {leaf.key: i for i, leaf in enumerate(plan.leaves)}
        self._param = {p.name: i for i, p in enumerate(params)}
        self._count = 0

    def leaf(self, node: Expr) -> int:
        return self._leaf[node.key]

    def param(self, node: Param) -> str:
        return f"p{self._param[node.name]}"

    def fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"


def print_kernel(plan: Plan, params: Sequence[Param], groups: Sequence[str], *, at_next_bar: bool) -> str:
    """Source of the kernel for these conditions, these accumulator groups and this fill.

    The kernel takes `KERNEL_ARGUMENTS`: table float64 [rows, pad + T], rows int32 [C, leaves], params
    float64 [C, P], fill and close float64 [T], the rules as numbers, the range of combinations, and out
    float64 [C, accumulators], in the order of `metrics.accumulators.accumulator_names`.
    """
    printer = _Printer(plan, params)
    has = set(groups)
    needs_return = bool(has & {"moments", "shape", "downside", "omega"})
    needs_peak = bool(has & {"drawdown", "duration"})
    used = sorted({p.name for p in params})
    position = {p.name: i for i, p in enumerate(params)}
    lines = [
        f"def kernel({KERNEL_ARGUMENTS}):",
        "    n = close.shape[0]",
        "    for c in range(first, last):",
        *(f"        a{i} = table[rows[c, {i}]]" for i in range(len(plan.leaves))),
        *(f"        p{position[name]} = params[c, {position[name]}]" for name in used),
        "        cash = initial",
        "        position = 0.0",
        "        basis = 0.0",
        "        equity = initial",
        "        previous = initial",
        *(f"        {name} = 0.0" for name in _locals(has)),
        *(
            ["        peak = initial", "        dd_peak = initial", "        dd_trough = initial"]
            if needs_peak
            else []
        ),
        *(["        below_since = -1", "        dd_longest = 0"] if "duration" in has else []),
        "        action = 0",
        "        for t in range(n):",
        f"            i = t + {plan.pad}",
        "            moved = False",
    ]
    if at_next_bar:
        lines += _orders(has) + _decision(printer, plan)
    else:
        lines += _decision(printer, plan) + _orders(has)
    lines += [
        "            if position != 0.0 or moved:",
        "                equity = cash + position * close[t]",
        "                if equity <= 0.0:",
        *_ruin(has),
        *(["                r = equity / previous - 1.0", *_returns(has)] if needs_return else []),
        "                previous = equity",
        *(_peaks(has) if needs_peak else []),
        *(_EXPOSURE if "exposure" in has else []),
        "                if equity <= 0.0:",
        "                    break",
        *(_LAST_SPELL if "duration" in has else []),
        *(f"        out[c, {k}] = {name}" for k, name in enumerate(accumulator_names(groups))),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _locals(has: set[str]) -> list[str]:
    """Accumulators that start at zero."""
    return [n for n in accumulator_names(has) if n not in ("equity", "dd_peak", "dd_trough", "dd_bars")]


def _decision(printer: _Printer, plan: Plan) -> list[str]:
    """Code that sets `action` from the signals and the position held, as `account.decide` does.

    With one side only, nothing but what the position makes relevant is evaluated: the exit while in the
    market, the entry while out of it, and the opposite condition only where it could cancel.
    """
    long_entry, long_exit, short_entry, short_exit = plan.signals
    lines = ["            action = 0"]

    def nest(indent: int, wanted: Expr, cancelling: Expr, action: str) -> None:
        for node, negated in ((wanted, ""), (cancelling, "not ")):
            block = _Block(printer, indent)
            name = block.value(node)
            lines.extend([*block.lines, f"{' ' * indent}if {negated}{name}:"])
            indent += 4
        lines.append(f"{' ' * indent}action = {action}")

    has_long = not (is_never(long_entry) and is_never(long_exit))
    has_short = not (is_never(short_entry) and is_never(short_exit))
    if has_long and has_short:
        block = _Block(printer, 12)
        names = ", ".join(block.value(signal) for signal in plan.signals)
        lines += [*block.lines, f"            action = decide(position, {names})"]
        return lines
    entry, leave, action = (short_entry, short_exit, "-1") if has_short else (long_entry, long_exit, "1")
    lines.append("            if position == 0.0:")
    nest(16, entry, leave, action)
    lines.append("            else:")
    nest(16, leave, entry, "2")
    return lines


def _orders(has: set[str]) -> list[str]:
    """Code that executes `action` at ``fill[t]`` (see `walk`)."""
    before = "turnover" in has
    trades = "trades" in has
    fees = ["fees = fees + paid"] if "fees" in has else []
    close = [
        "if position != 0.0:",
        "    _, value, paid = close_leg(position, fill[t], fee, fixed, slippage)",
        "    if position > 0.0:",
        "        cash = cash + (value - paid)",
        *(["        pnl = (value - paid) - basis"] if trades else []),
        "    else:",
        "        cash = cash - (value + paid)",
        *(["        pnl = basis - (value + paid)"] if trades else []),
        *([f"    {x}" for x in _closed_trade()] if trades else []),
        *(["    volume = volume + value"] if before else []),
        *(f"    {x}" for x in fees),
        "    position = 0.0",
        "    fixed_left = 0.0",
    ]
    open_ = [
        "if action != 2:",
        "    units, _, value, paid, cash = open_leg(",
        "        action, cash, fill[t], fee, fixed_left, slippage, size_kind, size",
        "    )",
        "    if units != 0.0:",
        "        position = units",
        *(
            ["        opened = opened + 1.0", "        basis = value + paid if units > 0.0 else value - paid"]
            if trades
            else []
        ),
        *(["        volume = volume + value"] if before else []),
        *(f"        {x}" for x in fees),
    ]
    body = [
        "moved = True",
        "fixed_left = fixed",
        *(["before = cash + position * fill[t]", "volume = 0.0"] if before else []),
        *close,
        *open_,
        *(["if before > 0.0:", "    traded = traded + volume / before"] if before else []),
    ]
    return ["            if action != 0:", *(f"                {x}" for x in body)]


def _closed_trade() -> list[str]:
    return [
        "closed = closed + 1.0",
        "if pnl > 0.0:",
        "    wins = wins + 1.0",
        "    win_sum = win_sum + pnl",
        "elif pnl < 0.0:",
        "    loss_sum = loss_sum - pnl",
    ]


def _ruin(has: set[str]) -> list[str]:
    """Forced close at a close that leaves no equity; trading ends (the loop is left below)."""
    body = [
        "if position != 0.0:",
        "    _, value, paid = close_leg(position, close[t], fee, fixed, slippage)",
        "    if position > 0.0:",
        "        cash = cash + (value - paid)",
        *(["        pnl = (value - paid) - basis"] if "trades" in has else []),
        "    else:",
        "        cash = cash - (value + paid)",
        *(["        pnl = basis - (value + paid)"] if "trades" in has else []),
        *([f"    {x}" for x in _closed_trade()] if "trades" in has else []),
        *(["    fees = fees + paid"] if "fees" in has else []),
        "    position = 0.0",
        "    equity = cash",
    ]
    return [f"                    {x}" for x in body]


def _returns(has: set[str]) -> list[str]:
    body: list[str] = []
    if has & {"moments", "shape", "downside"}:
        body.append("rr = r * r")
    if "moments" in has:
        body += ["s1 = s1 + r", "s2 = s2 + rr"]
    if "shape" in has:
        body += ["s3 = s3 + rr * r", "s4 = s4 + rr * rr"]
    if has & {"downside", "omega"}:
        body += ["if r < 0.0:"]
        body += ["    d2 = d2 + rr"] if "downside" in has else []
        body += ["    loss = loss - r"] if "omega" in has else []
        body += ["elif r > 0.0:", "    gain = gain + r"] if "omega" in has else []
    return [f"                {x}" for x in body]


def _peaks(has: set[str]) -> list[str]:
    body = [
        "if equity > peak:",
        "    peak = equity",
        "elif equity * dd_peak < dd_trough * peak:",
        "    dd_peak = peak",
        "    dd_trough = equity",
    ]
    if "duration" in has:
        body += [
            "if equity < peak:",
            "    if below_since < 0:",
            "        below_since = t",
            "elif below_since >= 0:",
            "    if t - below_since > dd_longest:",
            "        dd_longest = t - below_since",
            "    below_since = -1",
        ]
    return [f"                {x}" for x in body]
