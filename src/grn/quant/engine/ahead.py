"""Looking ahead: the cpu engine's kernel, which visits only the bars on which something can happen.

Three parts for each combination, the plain kernel's (`emit`) result bit for bit:

1. `marks`: the bars on which the conditions hold, eight at a time, as bits.
2. While nothing is due, the next bar that matters is found among the bits.  Out of the market the bars before
   it are passed over: they change nothing.  In the market they are only marked to it, eight at a time:
   equity, returns and the tests that none of them touches a level, a margin or zero.  Sums are added up in
   the order of the bars, one after the other.
3. A bar that matters gets the whole order of events, as `emit` prints it.

What the rules fix (`terms.known_terms`) stands in the text as numbers and not in an array: the compiler
leaves out whatever cannot happen, and keeps the account in registers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from grn.quant.engine import account as slots
from grn.quant.engine import forms
from grn.quant.engine import terms as places
from grn.quant.engine.emit import (
    COLUMNS,
    Features,
    find_features,
    indent,
    print_events,
    print_peaks,
    print_reload,
    print_ruin,
    print_tail,
    sums_of,
)
from grn.quant.engine.marks import Marks
from grn.quant.engine.plan import Plan
from grn.quant.engine.statements import Printer
from grn.quant.engine.terms import known_terms, write_terms
from grn.quant.strategy.expr import Param
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import is_never
from grn.quant.strategy.tree import find_params, nodes

KERNEL_ARGUMENTS: Final = (
    "table, rows, params, market, numbers, shape, initial, first, last, marks, words, out"
)
WIDTH: Final = 8
PADDED: Final = forms.FIRST_STOP + 4 * forms.STOP_WIDTH


def print_kernel(plan: Plan, params: Sequence[Param], groups: Sequence[str], rules: Rules) -> str:
    """Source of the kernel for this plan, these accumulator groups and such rules.

    The kernel takes `KERNEL_ARGUMENTS`: table float64 [rows, pad + T] with 8 numbers more behind its last
    row, rows int32 [C, leaves], params float64 [C, P], the market's columns, rules and form as numbers,
    initial cash, the range of combinations, room for `mark_rows` rows of bits as bytes and as words (see
    `make_room`), and out float64 [C, accumulators], in the order of `metrics.accumulators.accumulator_names`.
    """
    printer = Printer(plan, params)
    has = set(groups)
    f = replace(find_features(plan, rules), apart=True)
    marks = Marks(printer)
    look = _Look(plan, marks, f, rules)
    events = print_events(plan, printer, has, f, look.choice, look.exits)
    body = [
        *look.skip(has),
        f"i = t + {plan.pad}",
        "moved = False",
        *events,
        "t += 1",
    ]
    return (
        "\n".join(
            [
                *_head(plan, params, f, rules, marks),
                *indent(8, _refill(plan, params, marks)),
                *indent(8, _begin(f, has)),
                "        while t < n:",
                *indent(12, body),
                *indent(8, print_ruin(f, has)),
                "        equity = previous",
                *print_tail(groups),
            ]
        )
        + "\n"
    )


def mark_rows(source: str) -> int:
    """Rows of bits that a printed kernel needs."""
    return int(source.partition("# rows of bits: ")[2].partition("\n")[0])


class _Look:
    """What is read from the bits: which rows there are, and the code that uses them."""

    def __init__(self, plan: Plan, marks: Marks, f: Features, rules: Rules) -> None:
        self.f = f
        self.exits = ("", "")
        le, lx, se, sx = (marks.word(signal) for signal in plan.signals)
        if f.sides != 2:
            entry, leave, code = (se, sx, -1) if f.sides < 0 else (le, lx, 1)
            self.flat = marks.row(f"{entry} & ~{leave}")
            self.held: tuple[str, ...] = (marks.row(f"{leave} & ~{entry}"),)
            self.choice = [
                f"if holds(words, {self.flat} if position == 0.0 else {self.held[0]}, t):",
                f"    action = {code} if position == 0.0 else 2",
            ]
        else:
            names = [
                "False" if is_never(signal) else f"holds(words, {marks.row(word)}, t)"
                for signal, word in zip(plan.signals, (le, lx, se, sx), strict=True)
            ]
            self.exits = (names[1], names[3])
            adds = rules.accumulate in ("add", "both")
            self.flat = marks.row(f"{le} | {se}")
            self.held = (
                marks.row(" | ".join([lx, se, *([le] if adds else [])])),
                marks.row(" | ".join([sx, le, *([se] if adds else [])])),
            )
            self.choice = [f"action = decide(position, {', '.join(names)}, terms)"]
        self.choice = ["action = 0", *self.choice]
        self.marks = marks

    def skip(self, has: set[str]) -> list[str]:
        """Pass over the bars on which nothing can happen."""
        f = self.f
        due = [
            *(["action == 0"] if f.at_next else []),
            *(["working == 0.0"] if f.order else []),
        ]
        lines = [
            "if position == 0.0:",
            f"    t = next_bar(words, {self.flat}, t, n)",
            "    if t >= n:",
            "        break",
        ]
        if not f.carries:
            stay = f"account[{slots.LEAVE}] == 0.0" if f.imposes else ""
            lines += [f"elif {stay}:" if stay else "else:", *indent(4, self._hold(has))]
        return [f"if {' and '.join(due)}:", *indent(4, lines)] if due else lines

    def _hold(self, has: set[str]) -> list[str]:
        """Mark a position to the market up to the next bar that matters."""
        f = self.f
        row = self.held[0] if len(self.held) == 1 else f"{self.held[0]} if position > 0.0 else {self.held[1]}"
        lines = [f"until = next_bar(words, {row}, t, n)"]
        if f.timed:
            lines += [
                f"due = account[{slots.SINCE}] + account[{slots.TIME}] - {float(f.at_next)!r}",
                f"if account[{slots.TIME}] > 0.0 and due < until:",
                "    until = max(t, int(due))",
            ]
        if f.trails:
            lines += ["marked = close if trails_close else high if position > 0.0 else low"]
        return [
            *lines,
            # What is left of the data after the last whole block goes bar by bar.
            f"edge = min(until, n - {WIDTH - 1})",
            "while t < edge:",
            *indent(4, _block(f, has)),
            "if t >= n:",
            "    break",
        ]


def _block(f: Features, has: set[str]) -> list[str]:
    """Up to eight bars with a position: as many as are certain to do nothing but mark it to the market."""
    value = "splat(position) * load(close, t)"
    lines = [
        "count = until - t",
        f"e = splat(cash) + {value} * splat(multiplier)",
        "stirs = e <= splat(0.0)",
    ]
    if f.margin:
        held = "splat(abs(position)) * load(close, t)"
        lines += [f"stirs = stirs | (e < splat(maintenance) * {held} * splat(multiplier))"]
    if f.levels:
        lines += ["stirs = stirs | (load(low, t) <= splat(lower)) | (load(high, t) >= splat(upper))"]
    if f.trails:
        lines += [
            "mark8 = load(marked, t)",
            "ahead = (mark8 > splat(best)) if position > 0.0 else (mark8 < splat(best))",
            "stirs = stirs | ahead",
        ]
    # Up to the bar that stirs, where that is not rare; else bar by bar from here.
    often = f.levels or f.margin
    lines += [
        "live = first_lanes(count)",
        f"count = min(count, {WIDTH})",
        "stirring = bits(stirs & live)",
        "if stirring != 0:",
        *(
            ["    count = lowest_bit(stirring)", "    edge = 0", "    live = first_lanes(count)"]
            if often
            else ["    break"]
        ),
    ]
    returns = has & {"moments", "shape", "downside", "omega"}
    if returns:
        lines += [
            "r8 = choose(live, e / shifted(previous, e) - splat(1.0), splat(0.0))",
            *_returns(has),
        ]
    if has & {"drawdown", "duration"}:
        lines += _peaks(has)
    if "exposure" in has:
        lines += ["bars_in += float(count)"]
    return [
        *lines,
        *(
            ["if count > 0:", "    previous = lane_at(e, count - 1)"]
            if often
            else ["previous = lane_at(e, count - 1)"]
        ),
        "t += count",
    ]


def _returns(has: set[str]) -> list[str]:
    """Add up what returns give, bar after bar: a lane that is not live adds exactly nothing."""
    vectors: dict[str, str] = {}
    lines: list[str] = []
    if has & {"moments", "shape", "downside"}:
        lines.append("rr8 = r8 * r8")
    if "moments" in has:
        vectors |= {"s1": "r8", "s2": "rr8"}
    if "shape" in has:
        lines += ["r3 = rr8 * r8", "r4 = rr8 * rr8"]
        vectors |= {"s3": "r3", "s4": "r4"}
    if has & {"downside", "omega"}:
        lines.append("down = r8 < splat(0.0)")
    if "downside" in has:
        lines.append("down2 = choose(down, rr8, splat(0.0))")
        vectors |= {"d2": "down2"}
    if "omega" in has:
        lines += [
            "down1 = choose(down, r8, splat(0.0))",
            "up1 = choose(r8 > splat(0.0), r8, splat(0.0))",
        ]
        vectors |= {"gain": "up1"}
    lines += [f"{name} = add_up({name}, {v})" for name, v in vectors.items()]
    lines += ["loss = take_off(loss, down1)"] if "omega" in has else []
    return lines


def _peaks(has: set[str]) -> list[str]:
    """Most blocks neither reach a peak nor deepen the drawdown; in the others bar follows bar."""
    top = "e > splat(peak)"
    calm = []
    if "duration" in has:
        # A close equal to the peak ends a run below it.
        top = "~(e < splat(peak))"
        calm = ["elif below_since < 0 and count > 0:", "    below_since = t"]
    return [
        f"turns = bits((({top}) | (e * splat(dd_peak) < splat(dd_trough) * splat(peak))) & live)",
        "if turns != 0:",
        "    start = t",
        "    for t in range(start, start + count):",
        "        equity = cash + position * close[t] * multiplier",
        *indent(8, print_peaks(has)),
        "    t = start",
        *calm,
    ]


def _head(plan: Plan, params: Sequence[Param], f: Features, rules: Rules, marks: Marks) -> list[str]:
    """From the arguments to the first combination."""
    known = known_terms(write_terms(rules))
    terms = [repr(known[k]) if k in known else f"numbers[{k}]" for k in range(places.COUNT)]
    # One length for most strategies: a tuple of another one is another type, for which all is compiled anew.
    form = [_number(v) for v in plan.form.numbers] + ["0.0"] * (PADDED - len(plan.form.numbers))
    n_places = len(plan.form.ticket)
    return [
        f"def kernel({KERNEL_ARGUMENTS}):",
        *(f"    {name} = market[{k}]" for name, k in COLUMNS.items()),
        "    n = close.shape[0]",
        f"    terms = ({', '.join(terms)},)",
        f"    form = ({', '.join(form)},)",
        f"    multiplier = terms[{places.MULTIPLIER}]",
        *([f"    maintenance = terms[{places.MAINTENANCE}]"] if f.margin else []),
        *([f"    trails_close = terms[{places.TRAILS_CLOSE}] > 0.0"] if f.trails else []),
        f"    account = row({slots.SLOTS})",
        f"    aside = row({slots.SLOTS})",
        f"    ticket = row({n_places})",
        f"    levels = row({2 * n_places})",
        f"    log = no_rows({slots.LEG})",
        *(f"    ticket[{k}] = 1.0" for k in range(n_places)),
        *(f"    levels[{k}] = nan" for k in range(2 * n_places)),
        f"    # rows of bits: {marks.rows}",
        *indent(4, marks.names),
        "    for c in range(first, last):",
        *(f"        a{i} = table[rows[c, {i}]]" for i in range(len(plan.leaves))),
        *(f"        p{i} = params[c, {i}]" for i in range(len(params))),
    ]


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else "inf"


def _refill(plan: Plan, params: Sequence[Param], marks: Marks) -> list[str]:
    """Fill the bits, unless this combination has the same conditions as the one before."""
    leaves = {leaf.key: i for i, leaf in enumerate(plan.leaves)}
    read = sorted({leaves[node.key] for node in nodes(*plan.signals) if node.key in leaves})
    taken = {p.name for signal in plan.signals for p in find_params(signal)}
    tests = [f"rows[c, {i}] != rows[c - 1, {i}]" for i in read]
    tests += [f"params[c, {i}] != params[c - 1, {i}]" for i, p in enumerate(params) if p.name in taken]
    return [
        f"if {' or '.join(['c == first', *tests])}:",
        *indent(4, marks.lines(plan.pad)),
    ]


def _begin(f: Features, has: set[str]) -> list[str]:
    """The state of a combination before its first bar."""
    peaks = has & {"drawdown", "duration"}
    return [
        "open_account(account, initial)",
        *print_reload(f),
        "previous = initial",
        *(f"{name} = 0.0" for name in sums_of(has)),
        *(f"{name} = initial" for name in (("peak", "dd_peak", "dd_trough") if peaks else ())),
        *(["below_since = -1", "dd_longest = 0"] if "duration" in has else []),
        "action = 0",
        "ruined = False",
        "t = 0",
    ]
