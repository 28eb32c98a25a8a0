"""Every model that can be asked: its price on a day, its window, its end."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from grn.kit.errors import UsageError
from grn.llm import lifecycle
from grn.llm.lifecycle import LOCAL
from grn.llm.pricelist import load_pricelist
from grn.llm.prices import FREE, Price

_LOCAL_PRICE = Price(FREE, source="runs on this machine")


@dataclass(frozen=True)
class Model:
    """A model that can be asked.

    Attributes
    ----------
    name
        Full name.
    provider
        Who serves it.
    window
        Tokens of prompt that it takes; ``None`` is unknown.
    price, batch_price
        On the day that was asked about; ``batch_price`` is ``None`` where none is published.
    next_change
        First day of an announced change of price; ``None`` without one.
    least_cached
        Tokens that a prefix must have to be cached; ``None`` is unknown.
    end
        Announced end, if any.
    """

    name: str
    provider: str
    window: int | None
    price: Price
    batch_price: Price | None
    next_change: date | None
    least_cached: int | None
    end: lifecycle.End | None


class Catalogue:
    """The models of a price list, as they are on a day.

    Parameters
    ----------
    today
        Day (UTC) for which prices and ends hold.
    listed
        A price list in the form of :func:`grn.llm.pricelist.load_pricelist`; default the installed one, read
        when the first model is looked up that is not local.
    cache
        Folder for the price list's copy; default the cache folder.
    """

    def __init__(self, today: date, listed: dict[str, Any] | None = None, cache: Path | None = None) -> None:
        self.today = today
        self._given = listed
        self._cache = cache

    def find(self, name: str) -> Model:
        """Look a model up by its full name, or by a dated snapshot's.

        Raises
        ------
        UsageError
            There is no such model, or no price for it in tokens: what cannot be priced is not sent.
        """
        if lifecycle.provider_of(name) == LOCAL:
            return Model(name, LOCAL, None, _LOCAL_PRICE, None, None, None, None)
        models = self._models()
        key = name if name in models else lifecycle.undated(name)
        row = models.get(key) or models.get(f"{key}-latest")
        found = None if row is None else self._model(name, row)
        if found is None:
            near = difflib.get_close_matches(name, list(models), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "grn llm models lists what has a price"
            raise UsageError("no price is known for this model, so it is not asked", seen=name, hint=hint)
        return found

    def models(self, provider: str | None = None) -> list[Model]:
        """List models that are served on that day, by provider and name."""
        found = []
        for name, row in sorted(self._models().items(), key=lambda item: (item[1]["provider"], item[0])):
            resolved = lifecycle.resolve(name, self.today)
            model = self._model(name, row)
            if (
                model
                and resolved.sent == name
                and not row["deprecated"]
                and provider in (None, model.provider)
            ):
                found.append(model)
        return found

    def resolve(self, asked: str) -> lifecycle.Resolved:
        """Find the name to send; see :func:`grn.llm.lifecycle.resolve`."""
        return lifecycle.resolve(asked, self.today)

    def _models(self) -> dict[str, Any]:
        if self._given is None:
            self._given = load_pricelist(self._cache)
        models: dict[str, Any] = self._given["models"]
        return models

    def _model(self, name: str, row: dict[str, Any]) -> Model | None:
        today = self.today.isoformat()
        period = [p for p in row["periods"] if p["from"] <= today][-1]
        later = [p["from"] for p in row["periods"] if p["from"] > today]
        if period["standard"] is None:
            return None
        batch = period["batch"]
        return Model(
            name=name,
            provider=row["provider"],
            window=row["window"],
            price=Price.from_plain(period["standard"]),
            batch_price=None if batch is None else Price.from_plain(batch),
            next_change=date.fromisoformat(later[0]) if later else None,
            least_cached=lifecycle.least_cached(name),
            end=lifecycle.ENDS.get(name),
        )
