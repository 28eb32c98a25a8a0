"""Sets of time spans: disjoint half-open intervals ``[begin, end)`` in nanoseconds, in order."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """Join spans that touch or overlap; empty ones are dropped."""
    joined: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def minus(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what of `spans` lies outside `taken`."""
    left = union(spans)
    for begin, end in union(taken):
        left = [
            piece
            for low, high in left
            for piece in ((low, min(high, begin)), (max(low, end), high))
            if piece[0] < piece[1]
        ]
    return left


def within(spans: Iterable[Span], bounds: Span) -> list[Span]:
    """Cut spans to `bounds`."""
    low, high = bounds
    return [(max(a, low), min(b, high)) for a, b in union(spans) if a < high and b > low]
