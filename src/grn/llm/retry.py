"""When to send a request again: only when it was certainly not billed, a few times, with jitter.

One policy for every provider; the clients' own retries are switched off, because they hide attempts from the
book.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grn.llm.port import Fault


@dataclass(frozen=True)
class Policy:
    """How often and how long.

    Attributes
    ----------
    attempts
        Requests sent at most, the first included.
    first_s, longest_s
        The pause doubles from the first to the longest; each is shortened at random by up to a half, so that
        callers who failed together do not return together.
    patience_s
        The longest ``Retry-After`` that is waited for; beyond it the call fails and says so.
    """

    attempts: int = 4
    first_s: float = 0.5
    longest_s: float = 16.0
    patience_s: float = 60.0


def pause_s(fault: Fault, attempt: int, policy: Policy, random: Callable[[], float]) -> float | None:
    """Decide how long to wait before the next attempt, in seconds; ``None`` is: give up.

    Parameters
    ----------
    fault
        What went wrong.
    attempt
        Number of the attempt that failed, from 1.
    policy
        See there.
    random
        Gives numbers in [0, 1).
    """
    if not fault.again or fault.billed != "no" or attempt >= policy.attempts:
        return None
    if fault.after_s is not None:
        return None if fault.after_s > policy.patience_s else max(fault.after_s, 0.0)
    step_s: float = min(policy.first_s * 2.0 ** (attempt - 1), policy.longest_s)
    return step_s * (1.0 - 0.5 * random())
