"""A model that stays loaded between commands, in a process of its own: found, started, asked, stopped."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import math
import os
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grn.kit.errors import OutputError, ProviderError, UsageError, require_extra
from grn.kit.files import lock
from grn.llm.keys import without_keys
from grn.llm.local.channel import Channel, Line, error_from_plain, run_dir
from grn.llm.local.engine import Chunk, Engine, default_threads, identify, load

IDLE_VARIABLE = "GRN_LOCAL_IDLE_S"
IDLE_S = 300.0
"""How long a model stays loaded after its last answer, unless :data:`IDLE_VARIABLE` says otherwise."""

_TRIES = 3
_LOG_LETTERS = 2_000


@dataclass(frozen=True)
class Resident:
    """A loaded model in another process; made for one order, then closed."""

    path: Path
    chat: bool
    threads: int
    channel: Channel = field(repr=False)

    def stream(self, fields: Mapping[str, Any]) -> Generator[Chunk]:
        """See :meth:`grn.llm.local.engine.Engine.stream`; closing the iterator stops the model."""
        try:
            for line in self._told({"do": "complete", "fields": dict(fields)}):
                if "done" in line:
                    return
                yield line["chunk"]
        finally:
            self.close()
        raise _gone()

    def count(self, text: str) -> int:
        """See :meth:`grn.llm.local.engine.Engine.count`."""
        for line in self._told({"do": "count", "text": text}):
            return int(line["tokens"])
        raise _gone()

    def close(self) -> None:
        """Hang up; the model stays loaded."""
        self.channel.close()

    def _told(self, order: Line) -> Iterator[Line]:
        yield from _ask(self.channel, order)


def open_model(
    model: str, *, timeout_s: float | None = None, threads: int | None = None
) -> Resident | Engine:
    """Find a model's process, starting it when there is none; see :func:`grn.llm.local.engine.load`.

    Where models are not to stay loaded (``GRN_LOCAL_IDLE_S=0``), the model is loaded into this process.

    Parameters
    ----------
    model
        ``local``, or the path of a GGUF file.
    timeout_s
        How long to wait for the model, and later for each piece of an answer; ``None`` for ever.
    threads
        See :func:`grn.llm.local.engine.load`.

    Raises
    ------
    MissingExtraError, MissingError, DataError
        There is no such model here.
    ProviderError
        Its process cannot be started, or keeps silent.
    """
    idle_s = idle_time_s()
    if not idle_s:
        return load(model, threads)
    if importlib.util.find_spec("xllamacpp") is None:
        require_extra("xllamacpp", "local")
    wanted = identify(model, default_threads() if threads is None else threads)
    path = _socket(wanted["path"])
    for _ in range(_TRIES):
        channel = _dial(path, timeout_s) or _start(path, wanted, idle_s, timeout_s)
        if channel is None:
            continue
        try:
            told = next(_ask(channel, {"do": "hello"}), None)
            if told is not None and told["facts"] == wanted:
                return Resident(Path(wanted["path"]), told["chat"], wanted["threads"], channel)
            if told is not None:  # other weights under the same name, other threads, another version
                next(_ask(channel, {"do": "leave"}), None)
        except BaseException:
            channel.close()
            raise
        channel.close()
    raise ProviderError(
        "the local model's process cannot be started",
        seen=_said(path) or None,
        hint=f"{IDLE_VARIABLE}=0 loads the model into the command itself",
    )


def list_residents() -> list[Line]:
    """Tell how this user's resident models stand, those that died without a word (``killed``) included."""
    found: list[Line] = []
    for path in sorted(run_dir().glob("*.sock")):
        told = None
        if (channel := _dial(path, 5.0)) is not None:
            with channel:
                told = _quietly(channel, {"do": "status"})
        if told is not None or path.exists():  # who leaves in order takes the name along
            found.append({**(told or {"state": "killed"}), **_logged(path)})
    return found


def stop_residents() -> int:
    """End every resident model of this user at once, whatever it is answering; gives how many there were."""
    stopped = 0
    for path in sorted(run_dir().glob("*.sock")):
        channel = _dial(path, 5.0)
        if channel is None:
            path.unlink(missing_ok=True)
            continue
        with channel:
            stopped += _quietly(channel, {"do": "stop"}) is not None
    return stopped


def idle_time_s(environ: Mapping[str, str] | None = None) -> float:
    """How long a model stays loaded; 0 where it is not to stay, or where there are no Unix sockets.

    Raises
    ------
    UsageError
        The variable is no number of seconds.
    """
    import socket

    text = (os.environ if environ is None else environ).get(IDLE_VARIABLE) or str(IDLE_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UsageError(
            f"{IDLE_VARIABLE} is no time in seconds", seen=text, hint=f"{IDLE_VARIABLE}=300, or 0"
        )
    return seconds if hasattr(socket, "AF_UNIX") else 0.0


def _socket(weights: str) -> Path:
    return run_dir() / f"{hashlib.sha256(os.fsencode(weights)).hexdigest()[:16]}.sock"


def _dial(path: Path, timeout_s: float | None) -> Channel | None:
    try:
        return Channel.dial(path, timeout_s)
    except OSError:
        return None


def _start(path: Path, wanted: Line, idle_s: float, timeout_s: float | None) -> Channel | None:
    with lock(path.with_suffix(".start")):
        if (channel := _dial(path, timeout_s)) is not None:  # somebody else was faster
            return channel
        command = [sys.executable, "-P", "-m", "grn.llm.local.host", str(path), wanted["path"]]
        try:
            with path.with_suffix(".log").open("wb") as log:
                subprocess.run(
                    [*command, str(wanted["threads"]), str(idle_s)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    cwd="/",
                    env=without_keys(),
                    check=False,
                )
        except OSError as error:
            raise OutputError(
                "cannot start the local model's process", seen=error.strerror, hint=f"{IDLE_VARIABLE}=0"
            ) from error
        return _dial(path, timeout_s)


def _ask(channel: Channel, order: Line) -> Iterator[Line]:
    """Give an order and what is told; nothing when the other side has ended."""
    try:
        channel.send(order)
        for line in channel.lines():
            if "error" in line:
                raise error_from_plain(line)
            yield line
    except TimeoutError:
        raise ProviderError(
            "the local model kept silent for too long", hint="a longer --timeout, or grn llm local stop"
        ) from None
    except OSError:
        return


def _quietly(channel: Channel, order: Line) -> Line | None:
    with contextlib.suppress(ProviderError):
        return next(_ask(channel, order), None)
    return None


def _gone() -> ProviderError:
    return ProviderError(
        "the local model's process ended in the middle of an answer",
        hint="ask again: it is started anew",
    )


def _logged(path: Path) -> Line:
    log = path.with_suffix(".log")
    return {"path": _log_text(log).partition("\n")[0] or None, "log": str(log)}


def _said(path: Path) -> str:
    """What the process said before it ended."""
    return _log_text(path.with_suffix(".log")).partition("\n")[2].strip()[-_LOG_LETTERS:]


def _log_text(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
