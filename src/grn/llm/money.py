"""US dollars as whole numbers of picodollars (10⁻¹² $): sums are exact, whatever their order.

A price of $0.00625 per million tokens is 6,250 picodollars per token. Every price in the catalogue is a whole
number of picodollars per token, and one that is not is refused rather than rounded. SQLite's 64-bit integers
hold nine million dollars of them.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from grn.kit.errors import UsageError

PICO = 10**12
"""Picodollars in a dollar."""
_MTOK = 10**6


def per_token_pusd(usd_per_mtok: Decimal) -> int:
    """Turn a price in dollars per million tokens into picodollars per token.

    Raises
    ------
    ValueError
        The price is negative, not finite, or not a whole number of picodollars per token.
    """
    if not usd_per_mtok.is_finite() or usd_per_mtok < 0:
        raise ValueError(f"a price is a finite number that is not negative, not {usd_per_mtok}")
    exact = usd_per_mtok * (PICO // _MTOK)
    whole = int(exact)
    if whole != exact:
        raise ValueError(f"${usd_per_mtok} per million tokens is no whole number of picodollars per token")
    return whole


def parse_usd(text: str) -> int:
    """Read an amount of dollars, such as ``0.05`` or ``$20.00``, as picodollars.

    Raises
    ------
    UsageError
        It is no number, is negative or not finite, or has more than 12 decimals.
    """
    try:
        value = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise _no_amount(text) from None
    if not value.is_finite() or value < 0 or abs(value) > 10**6:
        raise _no_amount(text)
    exact = value * PICO
    if exact != int(exact):
        raise _no_amount(text)
    return int(exact)


def usd_text(pusd: int, *, least: int = 2) -> str:
    """Write picodollars exactly: ``$0.054399``, ``$20.00``; ``least`` decimals, more where needed."""
    sign, rest = ("-", -pusd) if pusd < 0 else ("", pusd)
    whole, part = divmod(rest, PICO)
    decimals = f"{part:012d}".rstrip("0").ljust(least, "0")
    return f"{sign}${whole:,}.{decimals}"


def usd_short(pusd: int) -> str:
    """Write picodollars for a table: cents from a dollar up, six decimals below, rounded half up."""
    places = 2 if abs(pusd) >= PICO else 6
    step = PICO // 10**places
    sign = "-" if pusd < 0 else ""
    units = (abs(pusd) + step // 2) // step
    whole, part = divmod(units, 10**places)
    return f"{sign}${whole:,}.{part:0{places}d}"


def _no_amount(text: str) -> UsageError:
    return UsageError("this is no amount of US dollars", seen=text, hint="for example 0.05, or 20")
