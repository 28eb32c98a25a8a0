"""What a model of the catalogue offers: its price and the shortest prefix that it keeps."""

from __future__ import annotations

from grn.kit.errors import UnsupportedError
from grn.llm.catalogue import Model
from grn.llm.plan.cache import Offer

UNKNOWN_LEAST = 4096
"""Shortest prefix where none is published: the longest that is published for any model."""


def offer_of(model: Model, *, batch: bool = False) -> Offer:
    """Give what a model offers, at once or in a batch.

    Raises
    ------
    UnsupportedError
        Its provider's cache works by other rules, or there is no price for batches.
    """
    if model.provider != "anthropic":
        raise UnsupportedError(
            "the rules of the cache are Anthropic's, so plans are for its models",
            seen=model.name,
            hint="Gemini's models: grn llm cache",
        )
    price = model.batch_price if batch else model.price
    if price is None:
        raise UnsupportedError("no price for batches is known", seen=model.name, hint="grn llm models")
    return Offer(price, UNKNOWN_LEAST if model.least_cached is None else model.least_cached)
