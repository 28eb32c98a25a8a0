"""A question put to an index: followed, searched, and if wanted ordered by a model that reads both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from grn.kit.errors import MissingExtraError, ProviderError, UsageError
from grn.llm import lifecycle
from grn.llm.calls import Caller, Terms
from grn.llm.events import Ranking
from grn.llm.library.follow import follow
from grn.llm.library.index import Index, names_of, open_index
from grn.llm.library.search import Found, Way, search
from grn.llm.library.vectors import Asked, embed, encoder_of
from grn.llm.request import Rerank

_EMBEDDED_AT_ONCE = 200  # passages: as many are made on the way to an answer, more only by `grn llm index`
_RERANKED = 50


def retrieve(
    caller: Caller,
    question: str,
    name: str,
    folder: Path,
    *,
    limit: int = 10,
    way: Way = "hybrid",
    rerank: str | None = None,
    terms: Terms | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> list[Found]:
    """Find the passages of an index that answer a question best.

    The sources are followed first. Vectors that are missing are made where that is free and little; otherwise
    a person is told, and those passages are found by their words.

    Parameters
    ----------
    name, folder
        The index, and where indexes lie.
    rerank
        A model that orders the best passages by reading them beside the question; billed.
    notify
        Told what a person should know.

    Raises
    ------
    UsageError
        There is no such index, or nothing is in it; the question is empty.
    BudgetError, AccessError, UnreachableError, ProviderError
        A paid model was asked, and that came of it.
    """
    terms = terms or Terms()
    if name not in names_of(folder):
        known = ", ".join(names_of(folder))
        hint = f"there are: {known}" if known else "make it: grn llm index FOLDER"
        raise UsageError("there is no index of that name", seen=name, hint=hint)
    with open_index(name, folder) as index:
        for path, why in follow(index).fresh:
            notify(f"not read: {path}: {why}")
        if not index.counts()["passages"]:
            raise UsageError(
                "nothing is in this index", seen=name, hint=f"grn llm index --index {name} FOLDER"
            )
        vector, model = (None, None) if way == "words" else _vector(index, question, caller, terms, notify)
        if way == "vectors" and vector is None:
            raise UsageError("this index has no vectors", seen=name, hint="grn llm index --model local")
        most = max(limit, _RERANKED) if rerank else limit
        found = search(index, question, vector, model, limit=most, way=way)
    return _reranked(caller, question, found, rerank, terms)[:limit] if rerank and found else found


def _vector(
    index: Index, question: str, caller: Caller, terms: Terms, notify: Callable[[str], None]
) -> tuple[tuple[float, ...] | None, str | None]:
    model = index.setting("model") or lifecycle.LOCAL
    if model == "none" or not question.strip():
        return None, None
    encoder = encoder_of(model, caller, terms)
    missing = index.missing(encoder.model)
    try:
        if missing and len(missing) <= _EMBEDDED_AT_ONCE and not isinstance(encoder, Asked):
            embed(index, encoder)
        elif missing:
            notify(f"{len(missing):,} passages have no vectors yet and are found by words: grn llm index")
        return tuple(encoder.query(question)), encoder.model
    except MissingExtraError as error:
        notify(f"searched by words alone: {error}; {error.hint}")
        return None, None


def _reranked(caller: Caller, question: str, found: list[Found], model: str, terms: Terms) -> list[Found]:
    asked = Rerank(model, question, tuple(one.placed.passage.text for one in found))
    for event in list(caller.stream(asked, terms)):
        if isinstance(event, Ranking):
            return [replace(found[place], score=round(score, 5)) for place, score in event.order]
    raise ProviderError("the provider gave no order", seen=model)
