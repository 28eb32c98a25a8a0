"""Names of models: who serves them, until when, what comes after, and limits that the price list lacks.

Facts of 2026-11-23, each table with its source. A replay never looks here: a tape is found by the name that
was asked for, whatever it stands for by then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

LOCAL = "local"
PROVIDERS = ("anthropic", "google", "voyage", LOCAL)

_PREFIXES = (("claude", "anthropic"), ("gemini", "google"), ("voyage", "voyage"), ("rerank", "voyage"))

SHORT_NAMES: Mapping[str, str] = {
    "haiku": "claude-haiku-5-5",
    "sonnet": "claude-sonnet-5-5",
    "opus": "claude-opus-5-5",
    "fable": "claude-fable-5-2",
    "flash": "gemini-3.8-flash",
    "gemini": "gemini-3.8-flash",
    "voyage": "voyage-4",
    "voyage-code": "voyage-code-4",
}
"""What a person may type for a model's full name."""


@dataclass(frozen=True)
class End:
    """The end of a model.

    Attributes
    ----------
    on
        Day (UTC) from which requests fail or go to another model; ``None`` where none is announced.
    successor
        What its maker recommends instead.
    """

    on: date | None
    successor: str


# Dates: `DEPRECATED_MODELS` of anthropic 2.12.0. Successors: the maker's page "Model deprecations", which
# names a model of the time; where that one is itself retired by now, the chain is followed.
_ANTHROPIC = {
    "claude-1.3": End(date(2024, 11, 6), "claude-haiku-4-5"),
    "claude-instant-1.2": End(date(2024, 11, 6), "claude-haiku-4-5"),
    "claude-2.0": End(date(2025, 7, 21), "claude-sonnet-4-6"),
    "claude-2.1": End(date(2025, 7, 21), "claude-sonnet-4-6"),
    "claude-3-sonnet-20240229": End(date(2025, 7, 21), "claude-sonnet-4-6"),
    "claude-3-opus-20240229": End(date(2026, 1, 5), "claude-opus-4-8"),
    "claude-3-5-sonnet-20240620": End(date(2025, 10, 28), "claude-sonnet-4-6"),
    "claude-3-5-sonnet-20241022": End(date(2025, 10, 28), "claude-sonnet-4-6"),
    "claude-3-5-sonnet-latest": End(date(2025, 10, 28), "claude-sonnet-4-6"),
    "claude-3-5-haiku-20241022": End(date(2026, 2, 19), "claude-haiku-4-5"),
    "claude-3-5-haiku-latest": End(date(2026, 2, 19), "claude-haiku-4-5"),
    "claude-3-7-sonnet-20250219": End(date(2026, 2, 19), "claude-sonnet-4-6"),
    "claude-3-7-sonnet-latest": End(date(2026, 2, 19), "claude-sonnet-4-6"),
    "claude-opus-4-20250514": End(date(2026, 6, 15), "claude-opus-4-8"),
    "claude-opus-4-0": End(date(2026, 6, 15), "claude-opus-4-8"),
    "claude-sonnet-4-20250514": End(date(2026, 6, 15), "claude-sonnet-4-6"),
    "claude-sonnet-4-0": End(date(2026, 6, 15), "claude-sonnet-4-6"),
    "claude-opus-4-1-20250805": End(date(2026, 8, 5), "claude-opus-4-8"),
    "claude-opus-4-1": End(date(2026, 8, 5), "claude-opus-4-8"),
    "claude-mythos-preview": End(date(2026, 6, 30), "claude-mythos-5-2"),
    "claude-sonnet-4-5": End(date(2026, 11, 30), "claude-sonnet-5-5"),
    "claude-sonnet-4-5-20250929": End(date(2026, 11, 30), "claude-sonnet-5-5"),
}

# What was gone by then, at the latest; the price list still has prices for old bills.
_GONE = date(2025, 9, 29)
_LONG_GONE = {
    **{name: End(_GONE, "claude-sonnet-4-6") for name in ("claude-2", "claude-v1", "claude-3-sonnet")},
    "claude-3-5-sonnet": End(date(2025, 10, 28), "claude-sonnet-4-6"),
    "claude-3-opus-latest": End(date(2026, 1, 5), "claude-opus-4-8"),
    "claude-3-haiku": End(date(2026, 4, 20), "claude-haiku-4-5"),
    **{
        name: End(_GONE, "gemini-3.5-flash")
        for name in (
            "gemini-1.0-pro-vision-001",
            "gemini-1.5-flash",
            "gemini-1.5-pro",
            "gemini-flash-1.5",
            "gemini-flash-1.5-8b",
            "gemini-pro",
            "gemini-pro-1.5",
        )
    },
}

# https://ai.google.dev/gemini-api/docs/deprecations as of 2026-11. From 2026-12-01 requests to the two 2.5
# models are not refused but served by their successors, at the successors' prices. `gemini-3.0-pro-exp` never
# was a stable name.
_GOOGLE = {
    "gemini-2.0-flash": End(date(2026, 6, 1), "gemini-3.5-flash"),
    "gemini-2.0-flash-001": End(date(2026, 6, 1), "gemini-3.5-flash"),
    "gemini-2.0-flash-lite": End(date(2026, 6, 1), "gemini-3.1-flash-lite"),
    "gemini-2.0-flash-lite-001": End(date(2026, 6, 1), "gemini-3.1-flash-lite"),
    "gemini-3-pro-preview": End(date(2026, 3, 9), "gemini-3.1-pro-preview"),
    "gemini-3.0-pro-exp": End(date(2026, 3, 9), "gemini-3.1-pro-preview"),
    "gemini-2.5-pro": End(date(2026, 12, 1), "gemini-3.8-flash"),
    "gemini-2.5-flash": End(date(2026, 12, 1), "gemini-3.5-flash-lite"),
    "gemini-3.1-flash-lite": End(date(2027, 5, 7), "gemini-3.5-flash-lite"),
}

# https://docs.voyageai.com/docs/choose-a-model, "Deprecations": retirement dates.
_VOYAGE = {
    "voyage-3-large": End(date(2027, 12, 1), "voyage-4-large"),
    "voyage-3.5": End(date(2027, 12, 1), "voyage-4"),
    "voyage-3.5-lite": End(date(2027, 12, 1), "voyage-4-lite"),
    "voyage-code-3": End(date(2028, 2, 13), "voyage-code-4"),
    "voyage-code-2": End(date(2027, 12, 1), "voyage-code-4"),
    "voyage-finance-2": End(date(2027, 12, 1), "voyage-4"),
}

ENDS: Mapping[str, End] = {**_LONG_GONE, **_ANTHROPIC, **_GOOGLE, **_VOYAGE}

REPLACED_NOW = frozenset({"voyage-code-2"})
"""Legacy names that still answer and are replaced all the same, as the specification asks."""

# "Prompt caching" of the makers' documentation, 2026-10: shorter prefixes are silently not cached. The newest
# prefix that fits wins; a model that is not listed has no known minimum.
_LEAST_CACHED = (
    ("claude-opus-4-5", 4096),
    ("claude-opus-4-6", 4096),
    ("claude-opus-4-7", 2048),
    ("claude-opus-4-8", 1024),
    ("claude-sonnet-4", 1024),
    ("claude-haiku-4-5", 4096),
    ("claude-opus-5", 512),
    ("claude-fable-5", 512),
    ("claude-mythos-5", 512),
    ("claude-sonnet-5", 1024),
    ("gemini-2.5", 2048),
    ("gemini-3.1-pro", 4096),
    ("gemini-3.5", 4096),
    ("gemini-3.6", 4096),
    ("gemini-3.7", 4096),
    ("gemini-3.8", 4096),
    ("gemini-4", 4096),
)

# What a cached prompt costs to keep, picodollars a token and hour: of 2.5 pro as Google's price page is
# quoted in https://discuss.ai.google.dev/t/107349, of the 3.6 to 3.8 models as noted by genai-prices 0.2.3,
# whose list has no unit for it, until their introductory prices end. A model missing here keeps nothing.
_INTRODUCTORY = date(2027, 1, 1)
_STORAGE: Mapping[str, tuple[int, date | None]] = {
    "gemini-2.5-pro": (4_500_000, None),
    "gemini-3.6-flash": (500_000, _INTRODUCTORY),
    "gemini-3.7-flash": (500_000, _INTRODUCTORY),
    "gemini-3.8-flash": (500_000, _INTRODUCTORY),
}

_SNAPSHOT = re.compile(r"(?:-\d{8}|-\d{3}|@\d{8}|-latest|-preview-\d\d-\d{4})$")


def full_name(name: str) -> str:
    """Expand a short name; a provider's prefix (``anthropic/claude-…``) is dropped."""
    head, slash, tail = name.partition("/")
    bare = tail if slash and head in PROVIDERS else name
    return SHORT_NAMES.get(bare, bare)


def provider_of(name: str) -> str | None:
    """Tell who serves a model, by its full name alone; ``None`` when the name says nothing."""
    if name == LOCAL or name.endswith(".gguf"):
        return LOCAL
    return next((provider for prefix, provider in _PREFIXES if name.startswith(prefix)), None)


def undated(name: str) -> str:
    """Give the model that a dated snapshot is of: the two cost the same."""
    return _SNAPSHOT.sub("", name)


def least_cached(name: str) -> int | None:
    """Tokens that a prefix must have to be cached; ``None`` when it is not known."""
    return next((tokens for prefix, tokens in reversed(_LEAST_CACHED) if name.startswith(prefix)), None)


def storage_pusd(name: str, today: date) -> int | None:
    """Picodollars a cached token and hour; ``None`` when it is not known, or nothing can be kept."""
    rate, until = _STORAGE.get(undated(name), (None, None))
    return None if until is not None and today >= until else rate


@dataclass(frozen=True)
class Resolved:
    """A name that may be sent.

    Attributes
    ----------
    asked
        The full name that was asked for.
    sent
        The name to send: ``asked``, or the successor of what is retired.
    notice
        What a person should know: that another model is sent, or how long this one will last.
    """

    asked: str
    sent: str
    notice: str | None


def resolve(asked: str, today: date) -> Resolved:
    """Find the name to send on a day: a retired one is replaced by its successor, and the notice says so."""
    name = full_name(asked)
    sent = name
    why: list[str] = []
    while (end := ENDS.get(sent)) is not None:
        if end.on is not None and end.on <= today:
            why.append(f"{sent} was retired on {end.on}")
        elif sent in REPLACED_NOW:
            why.append(f"{sent} is a legacy model")
        else:
            break
        sent = end.successor
    if sent != name:
        return Resolved(name, sent, f"{'; '.join(why)}: sending {sent} instead")
    end = ENDS.get(name)
    if end is not None and end.on is not None:
        return Resolved(name, name, f"{name} ends on {end.on}; its successor is {end.successor}")
    return Resolved(name, name, None)
