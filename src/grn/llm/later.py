"""Questions that can wait: kept until they are handed in together at the price of batches, then collected.

Each is a file of its own. What is handed in together is a folder, made before the provider is asked: who dies
between its answer and our note of it leaves a folder without a batch, and such questions are never sent again
by themselves.

====================  ====================================================================================
``waiting/ID.json``   a question
``sent/GROUP/``       the questions of a batch, ``order.json``, and the note of :mod:`grn.llm.batch`
``done/ID.json``      a question with its answer
====================  ====================================================================================
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from grn.kit.canonical import canonical_json
from grn.kit.clock import utc_text
from grn.kit.errors import GrnError, UsageError
from grn.kit.files import fsync_dir, lock, make_dir, sha256_hex, write_atomic
from grn.llm import batch, lifecycle
from grn.llm.calls import Caller, Terms
from grn.llm.request import File, Request, Text, message_from_plain

State = Literal["waiting", "sent", "unsure", "done", "failed"]
_ORDER = "order.json"


@dataclass(frozen=True)
class Question:
    """A question that can wait, and what became of it.

    Attributes
    ----------
    id
        Its name: when it was asked, and of what.
    model, asked, project
        As it was asked; `asked` are its last words, on one line.
    state
        ``waiting``, ``sent``, ``done`` or ``failed``; ``unsure`` when the process died while handing it in.
    text, reason, cost_pusd
        The answer, why it ended, what it cost; ``None`` while there is none.
    """

    id: str
    model: str
    asked: str
    project: str
    state: State
    text: str | None = None
    reason: str | None = None
    cost_pusd: int | None = None


def put_off(folder: Path, ask: Request, project: str, now_ns: int) -> str:
    """Keep a question until :func:`send`; returns its name.

    Raises
    ------
    UsageError
        It has files or what lies in a provider's cache, which are not kept here.
    """
    if any(isinstance(part, File) for message in ask.messages for part in message.parts) or ask.cached:
        raise UsageError(
            "only questions in words can wait", seen="files, or --cached", hint="grn llm batch, or ask it now"
        )
    plain = {**ask.plain(), "model": lifecycle.full_name(ask.model)}
    when = re.sub(r"[^\dT]", "", utc_text(now_ns).replace(" ", "T"))[:15]
    ident = f"{when}-{sha256_hex(canonical_json(plain))[:8]}"
    kept = {"id": ident, "project": project, "request": plain}
    write_atomic(folder / "waiting" / f"{ident}.json", canonical_json(kept), make_parents=True)
    return ident


def send(caller: Caller, folder: Path, terms: Terms, notify: Callable[[str], None]) -> int:
    """Hand in all questions that wait, a batch for each model and project; returns how many.

    Raises
    ------
    BudgetError
        A batch may cost more than is allowed: its questions go on waiting.
    GrnError
        What became of it at the provider. Where it is not known whether it took a batch, its questions are
        ``unsure``.
    """
    make_dir(folder)
    done = 0
    with lock(folder / "later.lock"):
        for (_, project), some in _groups(folder).items():
            requests = [request_from_plain(one["request"]) for one in some]
            group = folder / "sent" / str(some[0]["id"])
            make_dir(group)
            write_atomic(group / _ORDER, canonical_json([one["id"] for one in some]))
            for one in some:
                (folder / "waiting" / f"{one['id']}.json").replace(group / f"{one['id']}.json")
            fsync_dir(group)
            before = caller.book.calls(limit=1)
            try:
                state = batch.submit(caller, requests, group, replace(terms, project=project))
            except GrnError:
                after = caller.book.calls(limit=1)
                if after == before or after[0].how == "refused":  # nothing was sent, or nothing was taken
                    _take_back(folder, group, [str(one["id"]) for one in some])
                raise
            notify(f"{len(some)} handed in as {state.id}")
            done += len(some)
    return done


def collect(caller: Caller, folder: Path) -> int:
    """Fetch the answers of batches that have ended, and bill them; returns how many are done now."""
    make_dir(folder)
    done = 0
    with lock(folder / "later.lock"):
        for group in _sent(folder):
            name = _batch_of(group)
            if name is None or not batch.state(caller, name, group).ended:
                continue
            order = json.loads((group / _ORDER).read_bytes())
            results = {result.place: result for result in batch.fetch(caller, name, group)}
            for place, ident in enumerate(order):
                result = results[place]
                kept = _read(group / f"{ident}.json")
                answered = {
                    "text": result.text,
                    "reason": result.reason,
                    "cost_pusd": result.cost_pusd,
                    "usage": result.usage.plain(),
                }
                write_atomic(
                    folder / "done" / f"{ident}.json",
                    canonical_json({**kept, "batch": name, "answer": answered}),
                    make_parents=True,
                )
            shutil.rmtree(group)
            done += len(order)
    return done


def questions(folder: Path) -> list[Question]:
    """List every question, the earliest first."""
    found = [_question(_read(path), "waiting") for path in (folder / "waiting").glob("*.json")]
    for group in _sent(folder):
        state: State = "unsure" if _batch_of(group) is None else "sent"
        found += [_question(_read(group / f"{ident}.json"), state) for ident in _order(group)]
    for path in (folder / "done").glob("*.json"):
        kept = _read(path)
        found.append(_question(kept, "failed" if kept["answer"]["text"] is None else "done"))
    return sorted(found, key=lambda one: one.id)


def find(folder: Path, name: str) -> Question:
    """Give a question by the beginning of its name.

    Raises
    ------
    UsageError
        There is none, or more than one.
    """
    fits = [one for one in questions(folder) if one.id.startswith(name)]
    if len(fits) != 1:
        what = "no question of that name" if not fits else f"{len(fits)} questions begin like that"
        raise UsageError(what, seen=name, hint="grn llm later lists them")
    return fits[0]


def drop(folder: Path, name: str) -> Question:
    """Forget a question that waits or is done.

    Raises
    ------
    UsageError
        There is none of that name, or it was handed in and is not done.
    """
    with lock(folder / "later.lock"):
        one = find(folder, name)
        if one.state == "sent":
            raise UsageError("it was handed in: it can be dropped when it is done", seen=one.id)
        for place in ("waiting", "done"):
            (folder / place / f"{one.id}.json").unlink(missing_ok=True)
        for group in _sent(folder):
            if one.state == "unsure" and one.id in _order(group):
                order = [ident for ident in _order(group) if ident != one.id]
                write_atomic(group / _ORDER, canonical_json(order))
                if not order:
                    shutil.rmtree(group)
    return one


def request_from_plain(plain: Mapping[str, Any]) -> Request:
    """Read a request in words back from :meth:`grn.llm.request.Request.plain`."""
    names = ("system", "temperature", "schema", "effort", "cache")
    fields: dict[str, Any] = {name: plain.get(name) for name in names}
    messages = tuple(message_from_plain(message) for message in plain["messages"])
    return Request(plain["model"], messages, max_tokens=int(plain["max_tokens"]), **fields)


def _groups(folder: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Give the questions that wait by model and project, each group in order of their names."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path in sorted((folder / "waiting").glob("*.json")):
        kept = _read(path)
        groups.setdefault((lifecycle.full_name(kept["request"]["model"]), kept["project"]), []).append(kept)
    return groups


def _take_back(folder: Path, group: Path, names: Sequence[str]) -> None:
    for name in names:
        (group / f"{name}.json").replace(folder / "waiting" / f"{name}.json")
    shutil.rmtree(group)
    fsync_dir(folder / "waiting")


def _sent(folder: Path) -> list[Path]:
    return sorted(path.parent for path in (folder / "sent").glob(f"*/{_ORDER}"))


def _order(group: Path) -> list[str]:
    # A process that died while it moved questions left some of them waiting: those were never handed in.
    order: list[str] = json.loads((group / _ORDER).read_bytes())
    return [ident for ident in order if (group / f"{ident}.json").exists()]


def _batch_of(group: Path) -> str | None:
    """Give the name of the batch that a group was handed in as, if it is known."""
    names = {_ORDER, *(f"{ident}.json" for ident in json.loads((group / _ORDER).read_bytes()))}
    found = [path for path in group.glob("*.json") if path.name not in names]
    return str(json.loads(found[0].read_bytes())["batch"]) if found else None


def _read(path: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(path.read_bytes())
    return kept


def _question(kept: Mapping[str, Any], state: State) -> Question:
    request = request_from_plain(kept["request"])
    last = request.messages[-1].parts[-1]
    words = " ".join(last.text.split()) if isinstance(last, Text) else ""
    answer = kept.get("answer", {})
    return Question(
        kept["id"], request.model, words, kept["project"], state,
        answer.get("text"), answer.get("reason"), answer.get("cost_pusd"),
    )  # fmt: skip
