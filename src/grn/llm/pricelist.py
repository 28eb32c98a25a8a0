"""The price list of the package ``genai-prices``, as plain data: its bundled tables, never the network.

Importing the package costs about a second, so what concerns our providers is written once per installed
version to the cache folder as JSON, and read from there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import MissingExtraError, OutputError, install_command, require_extra
from grn.kit.files import write_atomic
from grn.kit.paths import cache_dir
from grn.kit.versions import package_version
from grn.llm.money import per_token_pusd
from grn.llm.prices import Price, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

PACKAGE = "genai-prices"
_FORMAT = 1  # of the cached file
_OURS = {"anthropic": "anthropic", "google": "google", "voyageai": "voyage"}
# The package lacks rerankers. https://docs.voyageai.com/docs/pricing, 2026-11: dollars per million tokens,
# the query counted once with every document.
_RERANKERS = {
    name: {
        "provider": "voyage",
        "window": 32_000,
        "deprecated": False,
        "periods": [
            {
                "from": "",
                "standard": Price(
                    Rates(rate, rate, rate, rate, 0), source="docs.voyageai.com 2026-11"
                ).plain(),
                "batch": None,
            }
        ],
    }
    for name, rate in (("rerank-2.5", 50_000), ("rerank-2.5-lite", 20_000))
}
_STANDARD: Mapping[str, str] = {}
_BATCH: Mapping[str, str] = {"processing": "batch"}


def load_pricelist(cache: Path | None = None) -> dict[str, Any]:
    """Give ``{"source": ..., "models": {id: model}}``.

    A model is ``{"provider", "window", "deprecated", "periods": [{"from", "standard", "batch"}]}``; periods
    ascend by their first day (ISO, or ``""`` for always), prices are :meth:`grn.llm.prices.Price.plain` or
    ``null``.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    """
    version = package_version(PACKAGE)
    if version is None:
        raise MissingExtraError(
            f"prices need the package {PACKAGE!r}, which is not installed", hint=install_command("llm")
        )
    path = (cache_dir() if cache is None else cache) / "llm" / f"prices-{version}-{_FORMAT}.json"
    try:
        listed = json.loads(path.read_bytes())
        if isinstance(listed, dict) and listed.get("models"):
            return listed
    except (OSError, ValueError):
        pass
    listed = read_package(version)
    # A cache that cannot be written costs the second again next time, nothing else.
    with contextlib.suppress(OutputError):
        write_atomic(path, canonical_json(listed), make_parents=True)
    return listed


def read_package(version: str) -> dict[str, Any]:
    """Read the package's own tables; see :func:`load_pricelist` for the form."""
    require_extra("genai_prices", "llm")
    from genai_prices import data_snapshot

    source = f"{PACKAGE} {version}"
    models = {}
    for provider in data_snapshot.get_snapshot().providers:
        if provider.id not in _OURS:
            continue
        for model in provider.models:
            if provider.id == "google" and not model.id.startswith("gemini"):
                continue  # other makers' models on Google's platform
            periods = [
                {
                    "from": "" if day is None else day.isoformat(),
                    "standard": _price(model.get_prices(_noon(day), _STANDARD), source),
                    "batch": _batch(model, day, source),
                }
                for day in _days(model)
            ]
            models[model.id] = {
                "provider": _OURS[provider.id],
                "window": model.context_window,
                "deprecated": bool(model.deprecated),
                "periods": periods,
            }
    return {"source": source, "models": {**models, **_RERANKERS}}


def _days(model: ModelInfo) -> list[date | None]:
    """Days on which a price of the model changes, ``None`` first: from the beginning."""
    from genai_prices.types import StartDateConstraint

    constraints = [price.constraint for price in model.prices] if isinstance(model.prices, list) else []
    constraints += [variant.constraint for variant in model.price_variants or ()]
    starts: set[date] = {c.start_date for c in constraints if isinstance(c, StartDateConstraint)}
    return [None, *sorted(starts)]


def _noon(day: date | None) -> datetime:
    first = date(2000, 1, 1) if day is None else day
    return datetime(first.year, first.month, first.day, 12, tzinfo=UTC)


def _batch(model: ModelInfo, day: date | None, source: str) -> dict[str, object] | None:
    at = _noon(day)
    offered = any(
        variant.when == _BATCH and (variant.constraint is None or variant.constraint.active(at))
        for variant in model.price_variants or ()
    )
    return _price(model.get_prices(at, dict(_BATCH)), source) if offered else None


def _price(price: ModelPrice, source: str) -> dict[str, object] | None:
    if price.input_mtok is None:
        return None  # priced by something other than text tokens: characters, images, seconds
    thresholds = sorted({over for _, value in _rows(price) for over in _overs(value)})
    return Price(
        base=_rates(price, 0),
        tiers=tuple((over, _rates(price, over)) for over in thresholds),
        source=source,
    ).plain()


def _rates(price: ModelPrice, over: int) -> Rates:
    def rate(name: str, otherwise: int) -> int:
        value = getattr(price, name)
        return otherwise if value is None else per_token_pusd(_at(value, over))

    fresh = rate("input_mtok", 0)
    write = rate("cache_write_mtok", fresh)
    return Rates(
        input=fresh,
        cache_write_5m=rate("cache_write_5m_mtok", write),
        cache_write_1h=rate("cache_write_1h_mtok", write),
        cache_read=rate("cache_read_mtok", fresh),
        output=rate("output_mtok", 0),
    )


def _rows(price: ModelPrice) -> Iterator[tuple[str, object]]:
    yield from ((name, value) for name, value in vars(price).items() if name.endswith("_mtok"))


def _overs(value: object) -> list[int]:
    return [tier.start for tier in getattr(value, "tiers", ())]


def _at(value: Any, over: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    found: Decimal = value.base
    for tier in value.tiers:
        if over >= tier.start:
            found = tier.price
    return found
