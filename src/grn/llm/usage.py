"""What a call used, in tokens: classes that never overlap, so that no token is billed twice.

Providers count differently. Anthropic's ``input_tokens`` excludes what was written to and read from the
cache; Google's ``promptTokenCount`` includes what was read from it. Both arrive here as disjoint classes;
each provider's module does its own subtraction, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Usage:
    """Tokens of one call.

    Attributes
    ----------
    input
        Prompt tokens that were neither read from nor written to a cache.
    cache_write_5m, cache_write_1h
        Prompt tokens written to a cache that lives five minutes, or an hour.
    cache_read
        Prompt tokens read from a cache.
    output
        Tokens that the model made, thinking included.
    thinking
        Those of ``output`` that were thinking; billed as output.
    """

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    thinking: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{field.name} is a count of tokens, not {value!r}")
        if self.thinking > self.output:
            raise ValueError(f"thinking ({self.thinking}) is part of output ({self.output})")

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt, however they were billed: what tiers are decided by."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    def __add__(self, other: Usage) -> Usage:
        mine, theirs = asdict(self), asdict(other)
        return Usage(**{name: mine[name] + theirs[name] for name in mine})

    def plain(self) -> dict[str, int]:
        """Give it as a mapping, zeros left out."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> Usage:
        """Read back what :meth:`plain` gave.

        Raises
        ------
        ValueError
            A count is unknown or no whole number.
        """
        known = {field.name for field in fields(cls)}
        counts: dict[str, int] = {}
        for name, value in plain.items():
            if name not in known or not isinstance(value, int):
                raise ValueError(f"no usage: {name} = {value!r}")
            counts[name] = value
        return cls(**counts)


NONE = Usage()
