"""Printing: a strategy's conditions and rules as the source of one fused kernel.

The printed function walks one combination at a time through all bars: signals, orders, levels, marking to
market and the accumulators in one pass, nothing kept per bar.  It does what `engine.walk` does, with the same
compiled functions wherever money moves, and skips only what cannot change a bit: while no position is held,
equity and peak stand still and every return is exactly zero; a rule that cannot act is not printed.

The loop keeps a copy of cash, position and nearest levels in variables; after anything that changes the
account it reads them again.  The plain kernel visits every bar (the card runs it); the cpu engine's
(`ahead`) prints the same order of events for the bars on which something can happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from grn.quant.engine import account as slots
from grn.quant.engine import forms, market
from grn.quant.engine import terms as places
from grn.quant.engine.plan import Plan
from grn.quant.engine.statements import Block, Printer
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.strategy.expr import Expr, Param
from grn.quant.strategy.rules import Conflicts, Rules
from grn.quant.strategy.strategy import is_never

KERNEL_ARGUMENTS: Final = (
    "table, rows, params, market, form, terms, initial, first, last, account, ticket, levels, log, out"
)
COLUMNS: Final = {
    "open_": market.OPEN, "high": market.HIGH, "low": market.LOW, "close": market.CLOSE,
    "fill": market.FILL, "volume": market.VOLUME, "dividends": market.DIVIDENDS, "splits": market.SPLITS,
    "funding": market.FUNDING, "years": market.YEARS,
}  # fmt: skip
"""Names of the market's columns in a kernel."""
ACT: Final = "act(account, terms, form, ticket, levels, {action}, fill[t], True, volume[t], t, log)"


@dataclass(frozen=True)
class Features:
    """What a kernel has to print beside conditions and accumulators."""

    at_next: bool
    at_open: bool
    levels: bool
    trails: bool
    order: bool
    carries: bool
    timed: bool
    imposes: bool
    """Whether something can stand above the signals: a time stop, a stop that fills late, scarce volume."""
    margin: bool
    sides: int
    """1 or -1: entries and exits of that side only, each deciding by itself; 2: anything else."""
    apart: bool = False
    """Whether seldom calls are to work on a copy of the account, so that it need not lie in memory."""


def find_features(plan: Plan, rules: Rules) -> Features:
    """What the form and the rules make necessary."""
    n = plan.form.numbers
    levels = n[forms.STOPS] > 0.0
    plain = rules.conflicts == Conflicts() and rules.accumulate == "no"
    long_entry, long_exit, short_entry, short_exit = map(is_never, plan.signals)
    one_sided = plain and not n[forms.ORDER]
    sides = 1 if one_sided and short_entry and short_exit else 2
    if one_sided and long_entry and long_exit and sides == 2:
        sides = -1
    by_signal = "signal" in (rules.stop_rules.stop_fill, rules.stop_rules.target_fill)
    return Features(
        at_next=rules.at_next_bar,
        at_open=n[forms.AT_OPEN] > 0.0,
        levels=levels,
        trails=n[forms.TRAILS] > 0.0,
        order=n[forms.ORDER] > 0.0,
        carries=n[forms.CARRIES] > 0.0,
        timed=n[forms.TIMED] > 0.0,
        imposes=n[forms.TIMED] > 0.0
        or rules.volume_share is not None
        or (levels and (by_signal or rules.stop_rules.after == "skip")),
        margin=rules.margin is not None and rules.margin.maintenance > 0.0,
        sides=sides,
    )


def print_plain_kernel(plan: Plan, params: Sequence[Param], groups: Sequence[str], rules: Rules) -> str:
    """Source of the kernel that visits every bar, for this plan, these accumulator groups and such rules.

    The kernel takes `KERNEL_ARGUMENTS`: table float64 [rows, pad + T], rows int32 [C, leaves], params
    float64 [C, P], the market's columns, form and rules as numbers, the range of combinations, the account
    that it works with (`Form.open_books`), and out float64 [C, accumulators], in the order of
    `metrics.accumulators.accumulator_names`.
    """
    printer = Printer(plan, params)
    has = set(groups)
    f = find_features(plan, rules)
    action, exits = _choice(printer, plan, f)
    body = print_events(plan, printer, has, f, action, exits)
    return "\n".join([*_head(plan, params, has, f), *indent(12, body), *print_tail(groups)]) + "\n"


def print_events(
    plan: Plan, printer: Printer, has: set[str], f: Features, action: Sequence[str], exits: tuple[str, str]
) -> list[str]:
    """The order of events on bar `t`.

    Parameters
    ----------
    action
        Lines that set `action` from the signals.
    exits
        Names of the exit conditions, long and short, where a working order is to be taken back.
    """
    body = [*_overnight(f), *_range(f)]
    if f.at_next:
        body += _execution(f)
    body += [*_levels(f), *_working(f), *_trailing(f), *action, *_above_signals(f, exits)]
    if plan.form.asked:
        body += _ticket(printer, plan, f)
    if not f.at_next:
        body += _execution(f)
    return body + _close(f, has)


def indent(n: int, lines: Iterable[str]) -> list[str]:
    """Lines `n` places further in."""
    return [f"{' ' * n}{line}" for line in lines]


def _head(plan: Plan, params: Sequence[Param], has: set[str], f: Features) -> list[str]:
    """From the arguments to the first bar."""
    used = sorted({p.name for p in params})
    position = {p.name: i for i, p in enumerate(params)}
    peaks = has & {"drawdown", "duration"}
    return [
        f"def kernel({KERNEL_ARGUMENTS}):",
        *(f"    {name} = market[{k}]" for name, k in COLUMNS.items()),
        "    n = close.shape[0]",
        f"    multiplier = terms[{places.MULTIPLIER}]",
        *([f"    maintenance = terms[{places.MAINTENANCE}]"] if f.margin else []),
        *([f"    trails_close = terms[{places.TRAILS_CLOSE}] > 0.0"] if f.trails else []),
        "    for c in range(first, last):",
        *(f"        a{i} = table[rows[c, {i}]]" for i in range(len(plan.leaves))),
        *(f"        p{position[name]} = params[c, {position[name]}]" for name in used),
        "        open_account(account, initial)",
        *indent(8, print_reload(f)),
        "        equity = initial",
        "        previous = initial",
        *(f"        {name} = 0.0" for name in sums_of(has)),
        *(f"        {name} = initial" for name in (("peak", "dd_peak", "dd_trough") if peaks else ())),
        *(["        below_since = -1", "        dd_longest = 0"] if "duration" in has else []),
        "        action = 0",
        "        for t in range(n):",
        f"            i = t + {plan.pad}",
        "            moved = False",
    ]


def sums_of(has: set[str]) -> list[str]:
    """Accumulators that the kernel itself sums up, from zero."""
    others = {"equity", "dd_peak", "dd_trough", "dd_bars", *slots.TALLIES}
    return [n for n in accumulator_names(has) if n not in others]


def print_reload(f: Features) -> list[str]:
    """Read what the loop keeps of the account again."""
    kept = [("cash", slots.CASH), ("position", slots.UNITS)]
    kept += [("lower", slots.LOWER), ("upper", slots.UPPER)] if f.levels else []
    kept += [("best", slots.BEST)] if f.trails else []
    kept += [("working", slots.WORKING)] if f.order else []
    return [f"{name} = account[{slot}]" for name, slot in kept]


def _seldom(f: Features, call: str) -> list[str]:
    """A call that few bars make, of a function too long to be compiled into the loop."""
    if not f.apart:
        return [call]
    for name, other in (("(account, ", "(aside, "), (" terms, ", " numbers, "), (" form, ", " shape, ")):
        call = call.replace(name, other)
    return ["copy_account(account, aside)", call, "copy_account(aside, account)"]


def _overnight(f: Features) -> list[str]:
    if not f.carries:
        return []
    return [
        "if t > 0 and (position != 0.0 or splits[t] != 1.0):",
        *indent(
            4,
            _seldom(
                f,
                "hold(account, terms, form, ticket, levels, close[t - 1], open_[t], years[t], splits[t],"
                " dividends[t], funding[t])",
            ),
        ),
        *indent(4, print_reload(f)),
    ]


def _range(f: Features) -> list[str]:
    """What of the bar a position sees: all of it, unless it is opened inside."""
    return ["opening = open_[t]", "lowest = low[t]", "highest = high[t]"] if f.levels else []


def _execution(f: Features) -> list[str]:
    """Carry out `action` at ``fill[t]``."""
    inside = [
        "    if opened:",
        "        opening = nan",
        "        lowest = close[t]",
        "        highest = close[t]",
    ]
    passed = [
        "    if position != 0.0 and (opening <= lower or opening >= upper):",
        *indent(
            8, _seldom(f, "judge_levels(account, terms, form, levels, opening, opening, opening, t, log)")
        ),
    ]
    return [
        "if action != 0:",
        "    moved = True",
        *(passed if f.levels and f.at_next and not f.at_open else []),
        f"    opened = {ACT.format(action='action')}",
        *indent(4, print_reload(f)),
        *(inside if f.levels and f.at_next and not f.at_open else []),
    ]


def _levels(f: Features) -> list[str]:
    if not f.levels:
        return []
    return [
        "if position != 0.0 and (lowest <= lower or highest >= upper):",
        "    moved = True",
        *indent(
            4, _seldom(f, "judge_levels(account, terms, form, levels, opening, lowest, highest, t, log)")
        ),
        *indent(4, print_reload(f)),
    ]


def _working(f: Features) -> list[str]:
    if not f.order:
        return []
    seen = [
        "    if seen > 0:",
        "        lowest = close[t] if seen == 3 else low[t]",
        "        highest = close[t] if seen == 2 else high[t]",
    ]
    return [
        "if working != 0.0:",
        *indent(
            4,
            _seldom(
                f,
                "seen = work_order(account, terms, form, ticket, levels, open_[t], high[t], low[t], close[t],"
                " volume[t], t, log)",
            ),
        ),
        "    moved = True",
        *indent(4, print_reload(f)),
        *(seen if f.levels else []),
    ]


def _trailing(f: Features) -> list[str]:
    if not f.trails:
        return []
    return [
        "if position > 0.0:",
        "    mark = close[t] if trails_close else highest",
        "    if mark > best:",
        "        trail_levels(account, terms, form, levels, mark)",
        *indent(8, print_reload(f)),
        "elif position < 0.0:",
        "    mark = close[t] if trails_close else lowest",
        "    if mark < best:",
        "        trail_levels(account, terms, form, levels, mark)",
        *indent(8, print_reload(f)),
    ]


def _choice(printer: Printer, plan: Plan, f: Features) -> tuple[list[str], tuple[str, str]]:
    """Code that sets `action` from the conditions on this bar and the position held; names of the exits."""
    long_entry, long_exit, short_entry, short_exit = plan.signals
    if f.sides == 2:
        block = Block(printer, 0)
        names = [block.value(signal) for signal in plan.signals]
        lines = [*block.lines, f"action = decide(position, {', '.join(names)}, terms)"]
        return ["action = 0", *lines], (names[1], names[3])
    entry, leave, code = (short_entry, short_exit, "-1") if f.sides < 0 else (long_entry, long_exit, "1")
    return ["action = 0", *_one_sided(printer, entry, leave, code)], ("", "")


def _above_signals(f: Features, exits: tuple[str, str]) -> list[str]:
    """What stands above the signals, and takes back an order that waits."""
    lines = []
    if f.imposes:
        # It changes nothing for an account that was flat all bar.
        lines += ["if position != 0.0 or moved:", "    action = impose(account, terms, form, action, t)"]
    if f.order:
        lines += [
            "if working != 0.0:",
            f"    cancel_order(account, {exits[0]}, {exits[1]})",
            f"    working = account[{slots.WORKING}]",
        ]
    return lines


def _one_sided(printer: Printer, entry: Expr, leave: Expr, action: str) -> list[str]:
    """With one side only, nothing but what the position makes relevant is evaluated.

    The exit while in the market, the entry while out of it, and the opposite one only where it could cancel.
    """

    def nest(wanted: Expr, cancelling: Expr, code: str) -> list[str]:
        lines: list[str] = []
        indent = 4
        for node, negated in ((wanted, ""), (cancelling, "not ")):
            block = Block(printer, indent)
            name = block.value(node)
            lines += [*block.lines, f"{' ' * indent}if {negated}{name}:"]
            indent += 4
        return [*lines, f"{' ' * indent}action = {code}"]

    return ["if position == 0.0:", *nest(entry, leave, action), "else:", *nest(leave, entry, "2")]


def _ticket(printer: Printer, plan: Plan, f: Features) -> list[str]:
    """The numbers of an entry, read on the bar that decides it; without one of them it is not made."""
    block = Block(printer, 4)
    values = {k: block.value(plan.form.ticket[k]) for k in plan.form.asked}
    due = f"2 if account[{slots.LEAVE}] > 0.0 else 0" if f.imposes else "0"
    rest = [
        "    else:",
        "        rest_order(account, terms, form, ticket, action, t)",
        f"        action = {due}",
    ]
    return [
        "if action == 1 or action == -1:",
        *block.lines,
        *(f"    ticket[{k}] = {value}" for k, value in values.items()),
        "    if not usable(form, ticket):",
        f"        account[{slots.WORKING}] = 0.0",
        "        action = 2 if action * position < 0.0 else 0",
        *(rest if f.order else []),
        *([f"    working = account[{slots.WORKING}]"] if f.order else []),
    ]


def _forced(f: Features, kind: int) -> list[str]:
    return [
        *_seldom(f, f"liquidate(account, terms, close[t], {kind}, t, log)"),
        *print_reload(f),
        "equity = cash",
    ]


def _close(f: Features, has: set[str]) -> list[str]:
    """Mark to the close; ruin, margin call and accumulators.  Ruin is the end: `apart`, of the loop first."""
    ruin = ["    break"] if f.apart else ["    if position != 0.0:", *indent(8, _forced(f, slots.FORCED_LEG))]
    margin = [
        f"{'if' if f.apart else 'elif'} position != 0.0"
        " and equity < maintenance * abs(position) * close[t] * multiplier:",
        *indent(4, _forced(f, slots.MARGIN_LEG)),
    ]
    body = [
        "equity = cash + position * close[t] * multiplier",
        "ruined = equity <= 0.0",
        "if ruined:",
        *ruin,
        *(margin if f.margin else []),
        *_account_for(has),
        *([] if f.apart else ["if ruined:", "    break"]),
    ]
    return ["if position != 0.0 or moved:", *indent(4, body)]


def print_ruin(f: Features, has: set[str]) -> list[str]:
    """What is left to do after a loop that `_close` has ended."""
    forced = ["if position != 0.0:", *indent(4, _forced(f, slots.FORCED_LEG))]
    return ["if ruined:", *indent(4, [*forced, *_account_for(has)])]


def _account_for(has: set[str]) -> list[str]:
    """What `equity` at the close adds to the accumulators."""
    returns = has & {"moments", "shape", "downside", "omega"}
    return [
        *(["r = equity / previous - 1.0", *_returns(has)] if returns else []),
        "previous = equity",
        *(print_peaks(has) if has & {"drawdown", "duration"} else []),
        *(["if position != 0.0:", "    bars_in += 1.0"] if "exposure" in has else []),
    ]


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
    return body


def print_peaks(has: set[str]) -> list[str]:
    """What `equity` at the close of bar `t` does to the drawdown."""
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
    return body


def print_tail(groups: Sequence[str]) -> list[str]:
    """From the last bar to the results."""
    duration = [
        "        if below_since >= 0 and n - below_since > dd_longest:",
        "            dd_longest = n - below_since",
        "        dd_bars = float(dd_longest)",
    ]
    return [
        *(duration if "duration" in groups else []),
        *(
            f"        out[c, {k}] = " + (f"account[{slots.TALLIES[name]}]" if name in slots.TALLIES else name)
            for k, name in enumerate(accumulator_names(groups))
        ),
    ]
