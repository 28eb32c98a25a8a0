"""What goes into the book of calls, and what comes out: plain, frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from grn.llm.prices import Price
from grn.llm.usage import NONE, Usage

How = Literal["reported", "estimated", "refused", "assumed"]
"""How the cost of a call is known: the provider's own count; our count of a broken answer; nothing was
billed; the caller died, so all that was reserved counts as spent."""

Funding = Literal["prepaid", "invoice", "free"]
"""Who pays a provider: a free tier may use prompts for training."""


@dataclass(frozen=True)
class Intent:
    """A call about to be made.

    Attributes
    ----------
    provider, asked, sent
        Who serves it, the model's name as it was asked for, and as it is sent.
    project
        The caller's own tag; may be empty.
    kind
        ``complete``, ``embed``, ``rerank`` or ``batch``.
    amount_pusd
        The most that it can cost, in picodollars.
    price
        The price that the bound was computed with.
    """

    provider: str
    asked: str
    sent: str
    project: str
    kind: str
    amount_pusd: int
    price: Price


@dataclass(frozen=True)
class Bill:
    """How a call ended.

    Attributes
    ----------
    how
        How the cost is known.
    cost_pusd
        Picodollars.
    served
        The model that answered, by the provider's own word.
    request_id
        The provider's name for the call.
    usage
        Tokens by class.
    tier_over
        Prompt length above which the tier begins that was billed; 0 for the base rates.
    attempts
        Requests that were sent, retries included.
    first_ms, total_ms
        Milliseconds to the first token and to the end.
    tape
        Key under which the answer was recorded.
    note
        An alarm, or what went wrong.
    """

    how: How
    cost_pusd: int
    served: str | None = None
    request_id: str | None = None
    usage: Usage = NONE
    tier_over: int = 0
    attempts: int = 1
    first_ms: int | None = None
    total_ms: int | None = None
    tape: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Cap:
    """What may be spent on a provider in a month, and from which money.

    ``cap_pusd`` is ``None`` without a cap.
    """

    provider: str
    cap_pusd: int | None
    funding: Funding


@dataclass(frozen=True)
class Standing:
    """A provider's month: spent, reserved by calls that have not ended, allowed."""

    provider: str
    month: str
    spent_pusd: int
    open_pusd: int
    cap: Cap


@dataclass(frozen=True)
class CallRow:
    """One call, as it stands in the book.

    ``how`` is ``open`` before it has ended, and ``corrected`` once its cost was learned later; ``price`` is
    that of the model that was sent, on that day, in the form of :meth:`grn.llm.prices.Price.plain`.
    """

    call: str
    made_ns: int
    month: str
    provider: str
    asked: str
    sent: str
    served: str | None
    project: str
    kind: str
    how: str
    reserved_pusd: int
    cost_pusd: int | None
    usage: Usage
    tier_over: int
    attempts: int
    request_id: str | None
    first_ms: int | None
    total_ms: int | None
    tape: str | None
    note: str | None
    price: Mapping[str, object]
