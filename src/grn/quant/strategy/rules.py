"""The rules of execution: when orders fill, what they cost, how large they are, what holding costs.

Each rule is a small replaceable object.  `docs/concepts/fills.md` states every formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import Any, Literal

from grn.kit.errors import UsageError
from grn.quant.strategy.bounds import check_amount, check_choice, check_number, check_positive, check_share
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.sizes import SIZES, AllCash, Fraction, Size, VolatilityTarget

Direction = Literal["long", "short", "both"]
Same = Literal["cancel", "entry", "exit"]
Both = Literal["cancel", "long", "short"]
Opposite = Literal["reverse", "close", "ignore"]
First = Literal["stop", "target"]
LevelFill = Literal["market", "limit", "signal"]
Trail = Literal["extreme", "close"]
OnAdd = Literal["keep", "replace"]
After = Literal["read", "skip"]
Accumulate = Literal["no", "add", "reduce", "both"]
Shortfall = Literal["cut", "reject"]


@dataclass(frozen=True)
class Conflicts:
    """What happens when signals contradict each other.

    Parameters
    ----------
    same
        An entry and an exit of one side on one bar: both "cancel", or the "entry" or the "exit" counts.
    both
        A long and a short entry on one bar: both "cancel", or the "long" or the "short" one counts.
    opposite
        An entry against the position held: "reverse" it, "close" it, or "ignore" the entry.
    """

    same: Same = "cancel"
    both: Both = "cancel"
    opposite: Opposite = "reverse"

    def __post_init__(self) -> None:
        check_choice("rule for an entry and an exit of one side", self.same, Same)
        check_choice("rule for a long and a short entry", self.both, Both)
        check_choice("rule for an entry against the position", self.opposite, Opposite)


@dataclass(frozen=True)
class StopRules:
    """How stops are judged inside a bar.

    Parameters
    ----------
    first
        What counts when a bar reaches both a stop and a target: the "stop" (the worse one) or the "target".
    stop_fill, target_fill
        Where a stop (loss or trailing) and a target fill: at the level with slippage ("market"), at the level
        without ("limit"), or where an exit signal of that bar would ("signal").
    trail
        What a trailing stop trails: the bar's "extreme" (high of a long, low of a short) or its "close".
    on_add
        Whether an entry that adds to a position will "keep" its levels or "replace" them.
    after
        Whether the signals of a bar on which a stop filled are "read" or not ("skip").
    """

    first: First = "stop"
    stop_fill: LevelFill = "market"
    target_fill: LevelFill = "limit"
    trail: Trail = "extreme"
    on_add: OnAdd = "keep"
    after: After = "read"

    def __post_init__(self) -> None:
        check_choice("priority", self.first, First)
        check_choice("fill of a stop", self.stop_fill, LevelFill)
        check_choice("fill of a target", self.target_fill, LevelFill)
        check_choice("trail", self.trail, Trail)
        check_choice("rule for levels when adding", self.on_add, OnAdd)
        check_choice("rule for signals after a stop", self.after, After)


@dataclass(frozen=True)
class Instrument:
    """What can be traded.

    Parameters
    ----------
    lot
        Units are whole multiples of it (rounded down); 0: any number.
    tick
        prices are whole multiples of it (rounded against the account); 0: any price.
    multiplier
        Value of one unit per unit of price (50 for a contract worth 50 times the index).
    min_units, min_value
        Smallest entry, in units and in account currency.
    """

    lot: float = 0.0
    tick: float = 0.0
    multiplier: float = 1.0
    min_units: float = 0.0
    min_value: float = 0.0

    def __post_init__(self) -> None:
        for name in ("lot", "tick", "min_units", "min_value"):
            object.__setattr__(self, name, check_amount(name, getattr(self, name)))
        object.__setattr__(self, "multiplier", check_positive("multiplier", self.multiplier))


@dataclass(frozen=True)
class Margin:
    """Trading on borrowed money and borrowed stock.

    Without it a long is limited by the cash and a short by nothing.

    Parameters
    ----------
    leverage
        Largest exposure per unit of equity, for longs and shorts, when a position is opened or added to.
    maintenance
        A position whose value times this exceeds the equity at a close is closed there (a margin call).
    borrow
        Yearly rate on the value of a short.
    interest
        Yearly rate on negative cash.
    """

    leverage: float = 1.0
    maintenance: float = 0.0
    borrow: float = 0.0
    interest: float = 0.0

    def __post_init__(self) -> None:
        leverage = check_number("leverage", self.leverage, lambda x: x >= 1.0, "at least 1")
        object.__setattr__(self, "leverage", leverage)
        object.__setattr__(self, "maintenance", check_share("maintenance", self.maintenance))
        for name in ("borrow", "interest"):
            object.__setattr__(self, name, check_amount(name, getattr(self, name)))
        if self.maintenance * self.leverage >= 1.0:
            raise UsageError(
                "a position opened in full would be called at once",
                seen=f"leverage {self.leverage:g}, maintenance {self.maintenance:g}",
                hint=f"maintenance below {1.0 / self.leverage:g}",
            )


@dataclass(frozen=True)
class Events:
    """Columns of the data with what happens to a position between two bars, each before the bar's open.

    Parameters
    ----------
    dividends
        Cash per unit that a long receives and a short pays.
    splits
        New units per old unit (2 for a two-for-one split); 1 or missing: none.
    funding
        Rate that a long pays and a short receives, on the position's value at the open.
    """

    dividends: str | None = None
    splits: str | None = None
    funding: str | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            name = getattr(self, f.name)
            if name is not None and not (isinstance(name, str) and name):
                raise UsageError(
                    f"{f.name} is the name of a column", seen=repr(name), hint=f'{f.name}="{f.name}"'
                )
        for one, other in combinations([f.name for f in fields(self)], 2):
            name = getattr(self, one)
            if name is not None and name == getattr(self, other):
                raise UsageError("one column with two meanings", seen=f"{one} and {other} {name!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns named."""
        return tuple(n for n in (self.dividends, self.splits, self.funding) if n is not None)


@dataclass(frozen=True)
class Rules:
    """Everything about execution that is not the strategy itself.

    Parameters
    ----------
    fill
        ``"next_open"`` (a signal of bar t fills at the open of t+1), ``"close"`` (at the close of t), or
        ``"next:<column>"`` (at the price in that column on bar t+1, such as a recorded or average price).
    costs
        Fees and slippage.
    size
        How much an entry trades.
    cash
        Initial cash in account currency, for each symbol's own account.
    conflicts
        What contradicting signals do.
    stop_rules
        How stops are judged.
    instrument
        lots, ticks, contract multiplier.
    margin
        Leverage and what borrowing costs; None: no borrowing, shorts unlimited and free.
    events
        Columns with dividends, splits and funding rates.
    accumulate
        "add": an entry in the direction held adds to the position; "reduce": an exit closes as much as the
        size says; "both", or "no".
    shortfall
        An entry that the cash does not pay is "cut" to what it pays, or "reject"ed.
    volume_share
        Largest part of a bar's volume that an order may take; None: no limit.
    """

    fill: str = "next_open"
    costs: Costs = field(default_factory=Costs)
    size: Size = field(default_factory=AllCash)
    cash: float = 10_000.0
    conflicts: Conflicts = field(default_factory=Conflicts)
    stop_rules: StopRules = field(default_factory=StopRules)
    instrument: Instrument = field(default_factory=Instrument)
    margin: Margin | None = None
    events: Events = field(default_factory=Events)
    accumulate: Accumulate = "no"
    shortfall: Shortfall = "cut"
    volume_share: float | None = None

    def __post_init__(self) -> None:
        if self.fill == "next:open":
            raise UsageError("one rule under two names", seen="'next:open'", hint="use 'next_open'")
        if self.fill not in ("next_open", "close") and not self._column_named():
            raise UsageError(
                "unknown fill",
                seen=repr(self.fill),
                hint='use "next_open", "close" or "next:<column>", as "next:vwap"',
            )
        for name, kind, hint in _KINDS:
            if not isinstance(getattr(self, name), kind):
                raise UsageError(
                    f"{name} must be a {kind.__name__} object", seen=repr(getattr(self, name)), hint=hint
                )
        if not isinstance(self.size, Size):
            raise UsageError(
                "unknown size",
                seen=repr(self.size),
                hint=f"one of {', '.join(SIZES)}, such as Fraction(0.5)",
            )
        if self.margin is not None and not isinstance(self.margin, Margin):
            raise UsageError(
                "margin must be a Margin object", seen=repr(self.margin), hint="Margin(leverage=2)"
            )
        check_choice("accumulate", self.accumulate, Accumulate)
        check_choice("shortfall", self.shortfall, Shortfall)
        object.__setattr__(self, "cash", check_positive("cash", self.cash))
        if self.volume_share is not None:
            share = check_number(
                "volume_share", self.volume_share, lambda x: 0.0 < x <= 1.0, "above 0 and at most 1"
            )
            object.__setattr__(self, "volume_share", share)
        self._check_contradictions()

    def _column_named(self) -> bool:
        return str(self.fill).startswith("next:") and len(self.fill) > 5

    def _check_contradictions(self) -> None:
        largest = self.size.most if isinstance(self.size, VolatilityTarget) else self.size.value
        if self.size.code in (0, 3, 4) and largest > self.leverage:
            raise UsageError(
                "a size above the leverage can never be bought in full",
                seen=f"{self.size}, leverage {self.leverage:g}",
                hint=f"at most {self.leverage:g}, or rules with margin=Margin(leverage={largest:g})",
            )
        if self.costs.slippage_ticks and not self.instrument.tick:
            raise UsageError(
                "slippage in ticks of an instrument without a tick",
                seen=f"slippage_ticks {self.costs.slippage_ticks:g}, tick {self.instrument.tick:g}",
                hint="Instrument(tick=0.01)",
            )
        lot, least = self.instrument.lot, self.instrument.min_units
        if self.size.code == 1 and self.size.value < max(lot, least):
            raise UsageError(
                "no entry is ever large enough",
                seen=f"{self.size}, " + (f"lot {lot:g}" if lot > self.size.value else f"min_units {least:g}"),
            )
        if self.size.code == 2 and self.size.value < self.instrument.min_value:
            raise UsageError(
                "no entry is ever large enough", seen=f"{self.size}, min_value {self.instrument.min_value:g}"
            )

    @property
    def leverage(self) -> float:
        """Largest exposure of a long per unit of equity."""
        return 1.0 if self.margin is None else self.margin.leverage

    @property
    def at_next_bar(self) -> bool:
        """Whether a decision fills on the bar after it."""
        return self.fill != "close"

    @property
    def fill_column(self) -> str:
        """Column of the data at whose price signals fill."""
        return {"next_open": "open", "close": "close"}.get(self.fill, self.fill.removeprefix("next:"))

    @property
    def checks_fill(self) -> bool:
        """Whether signals fill at a price that has to be held against its bar's range."""
        return self._column_named() and self.fill_column not in ("open", "high", "low", "close")

    @property
    def needs_volume(self) -> bool:
        """Whether the volume of a bar decides anything."""
        return self.volume_share is not None or self.costs.impact > 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the rules read."""
        found = {"close", self.fill_column, *self.events.columns}
        if self.checks_fill:
            found |= {"high", "low"}
        if self.needs_volume:
            found.add("volume")
        if self.events.funding is not None or self.events.splits is not None:
            found.add("open")
        return tuple(sorted(found))

    @property
    def canonical(self) -> dict[str, object]:
        """Plain data for hashes and the ledger; :meth:`from_canonical` restores it.

        Rules that stand at their default are left out: a rule added later changes no old key.
        """
        size = AllCash() if self.size == Fraction(1.0) else self.size  # one rule under two names
        data: dict[str, object] = {
            "fill": self.fill,
            "costs": {
                "fee": self.costs.fee,
                "fixed_fee": self.costs.fixed_fee,
                "slippage": self.costs.slippage,
            }
            | _plain(self.costs),
            "size": [type(size).__name__, _plain(size) if isinstance(size, VolatilityTarget) else size.value],
            "cash": self.cash,
        }
        default = Rules()
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name not in data and value != getattr(default, f.name):
                data[f.name] = value if isinstance(value, str | float) else _plain(value)
        return data

    @classmethod
    def from_canonical(cls, data: Mapping[str, Any]) -> Rules:
        """Restore rules from :attr:`canonical`."""
        given = dict(data)
        kind, value = given.pop("size")
        size = (
            AllCash()
            if kind == "AllCash"
            else SIZES[kind](**value if isinstance(value, dict) else {"value": value})
        )
        makers = {"costs": Costs, "conflicts": Conflicts, "stop_rules": StopRules, "instrument": Instrument,
                  "margin": Margin, "events": Events}  # fmt: skip
        for name, maker in makers.items():
            if name in given:
                plain = {k: tuple(map(tuple, v)) if k == "tiers" else v for k, v in given[name].items()}
                given[name] = maker(**plain)
        return cls(size=size, **given)


_KINDS: tuple[tuple[str, type, str], ...] = (
    ("costs", Costs, "Costs(fee=0.001)"),
    ("conflicts", Conflicts, 'Conflicts(same="exit")'),
    ("stop_rules", StopRules, 'StopRules(first="target")'),
    ("instrument", Instrument, "Instrument(lot=100, tick=0.01)"),
    ("events", Events, 'Events(dividends="dividend")'),
)


def _plain(rule: Any) -> dict[str, object]:
    """Fields of a rule that differ from their default; a field without one always."""
    found = {}
    for f in fields(rule):
        value = getattr(rule, f.name)
        if value != f.default:
            found[f.name] = [list(pair) for pair in value] if f.name == "tiers" else value
    return found


def merge_rules(rules: Rules | None, **given: object) -> Rules:
    """The rules with those given by name in their place; None leaves one as it is."""
    if rules is not None and not isinstance(rules, Rules):
        raise UsageError(
            "rules must be a Rules object", seen=repr(rules)[:60], hint="Rules(costs=Costs(fee=0.001))"
        )
    changed: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    return replace(rules or Rules(), **changed)
