"""A model that stays loaded between commands: one real process, and a double of the model for the rest."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from grn.kit.errors import DataError, MissingError, OutputError, ProviderError, UsageError
from grn.llm.calls import Caller
from grn.llm.events import Event
from grn.llm.local import channel, resident
from grn.llm.local.channel import Channel, error_from_plain, plain_error, run_dir
from grn.llm.local.engine import Engine, identify
from grn.llm.local.host import Host, main
from grn.llm.local.resident import Resident, idle_time_s, list_residents, open_model, stop_residents
from grn.llm.local.weights import embedded
from grn.llm.port import Wire
from grn.llm.providers.local import Local
from tests.llm.asks import asking, text
from tests.llm.conftest import KEY

Make = Callable[..., Caller]
WORDS = "The capital of France is"


@pytest.fixture(autouse=True)
def _own_run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sockets of these tests alone, below a path too long for a socket's address; weights as they are."""
    weights = embedded().parent
    base = tmp_path / ("long" * 30)
    (base / "llm").mkdir(parents=True)
    for file in weights.glob("*.gguf"):
        (base / "llm" / file.name).symlink_to(file)
    monkeypatch.setenv("GRN_CACHE", str(base))
    monkeypatch.setenv("GRN_LOCAL_IDLE_S", "120")
    yield
    stop_residents()


def complete(ask_words: str = WORDS, n_tokens: int = 8) -> list[Event]:
    ask = asking(ask_words, "local", max_tokens=n_tokens)
    return list(Local(lambda model: open_model(model, threads=1)).complete(ask, "local", Wire()))


def pid() -> int:
    (row,) = list_residents()
    return int(row["pid"])


def idle() -> list[Mapping[str, Any]]:
    """What residents say once none answers: a host learns of a closed connection a moment later."""
    deadline = time.monotonic() + 30
    while True:
        rows = list_residents()
        if all(row["state"] == "idle" for row in rows):
            return rows
        assert time.monotonic() < deadline, rows
        time.sleep(0.01)


def test_the_second_call_finds_the_model_loaded(engine: Engine) -> None:
    """One process for all calls, the bytes of a model loaded afresh; killed, it is said, and started anew."""
    fresh = text(
        list(Local(lambda _: engine).complete(asking(WORDS, "local", max_tokens=8), "local", Wire()))
    )
    assert text(complete()) == fresh
    first = pid()
    assert text(complete()) == fresh
    with closing(open_model("local", threads=1)) as found:
        assert isinstance(found, Resident)
        assert found.count(WORDS) == engine.count(WORDS)
    (row,) = idle()
    assert (row["pid"], row["answers"], row["threads"]) == (first, 2, 1)
    # Its environment has no keys: it outlives the command that was given them.
    assert KEY not in Path(f"/proc/{first}/environ").read_text()

    answer = Local(lambda model: open_model(model, threads=1)).complete(
        asking(WORDS, "local", max_tokens=4000), "local", Wire()
    )
    next(answer)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(Exception, match="ended in the middle of an answer"):
        list(answer)
    (row,) = list_residents()
    assert (row["state"], row["path"]) == ("killed", str(embedded().resolve()))
    assert text(complete()) == fresh
    second = pid()
    assert second != first

    # Other threads are another model: the process is replaced, and still there is one.
    with closing(open_model("local", threads=2)):
        pass
    (row,) = list_residents()
    assert row["threads"] == 2
    assert row["pid"] != second
    assert stop_residents() == 1
    assert list_residents() == []


class Double:
    """A model that says numbers; a double of :class:`Engine`, written for these tests."""

    chat = False

    def __init__(self) -> None:
        self.left = threading.Event()
        self.go_on = threading.Event()

    def stream(self, fields: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        try:
            for number in range(int(fields["max_tokens"])):
                yield {"choices": [{"text": str(number)}]}
                if fields.get("slow"):
                    self.go_on.wait(10)
        finally:
            self.left.set()

    def count(self, words: str) -> int:
        if words == "broken":
            raise RuntimeError("no tokens today")
        raise DataError("this is no text", seen=words, hint="another one")


@pytest.fixture
def double() -> Double:
    return Double()


def hosted(double: Double, facts: dict[str, Any], idle_s: float = 60.0) -> tuple[Path, threading.Thread]:
    path = resident._socket(facts["path"])
    opened: Any = lambda: double  # noqa: E731 - a stand-in of one line
    ended: list[int] = []
    host = Host(path, channel.listen(path), facts, opened, idle_s, end=ended.append)
    thread = threading.Thread(target=host.serve, daemon=True)
    thread.start()
    return path, thread


def test_whoever_hangs_up_stops_the_model(double: Double) -> None:
    """The stream's other end closes: the model is not left working for nobody."""
    path, _ = hosted(double, identify("local", 1))
    found = open_model("local", threads=1)
    stream = found.stream({"max_tokens": 10**9})
    assert next(stream) == {"choices": [{"text": "0"}]}
    stream.close()
    assert double.left.wait(10)
    assert path.exists()


def test_errors_cross_the_socket(double: Double) -> None:
    """By kind, with what was seen and what to do; what is no error of ours is told as the model's failure."""
    hosted(double, identify("local", 1))
    with (
        closing(open_model("local", threads=1)) as found,
        pytest.raises(DataError, match="no text") as caught,
    ):
        found.count("x")
    assert (caught.value.seen, caught.value.hint) == ("x", "another one")
    with closing(open_model("local", threads=1)) as found, pytest.raises(ProviderError, match="RuntimeError"):
        found.count("broken")
    assert isinstance(error_from_plain({"error": "SystemExit"}), ProviderError)
    assert isinstance(error_from_plain(plain_error(MissingError("x"))), MissingError)


def test_it_ends_when_nobody_asks(double: Double) -> None:
    """After its time, counted from the last answer; being asked how it stands does not count."""
    path, thread = hosted(double, identify("local", 1), idle_s=0.4)
    for _ in range(3):
        time.sleep(0.05)
        list_residents()
    thread.join(10)
    assert not thread.is_alive()
    assert not path.exists()


def test_told_to_leave_it_answers_to_the_end(double: Double) -> None:
    """Nobody new is let in, and what has begun is finished."""
    path, thread = hosted(double, identify("local", 1))
    found = open_model("local", threads=1)
    stream = found.stream({"max_tokens": 3, "slow": True})
    next(stream)
    with Channel.dial(path, 5.0) as other:
        other.send({"do": "status"})
        lines = other.lines()
        assert next(lines)["state"] == "answering"
        other.send({"do": "nonsense"})
        assert "no order" in next(lines)["seen"]
        other.send({"do": "leave"})
        assert next(lines) == {"done": True}
    with pytest.raises(OSError):
        Channel.dial(path, 1.0)
    double.go_on.set()
    assert len(list(stream)) == 2
    thread.join(10)
    assert not thread.is_alive()


def test_a_silent_process_is_not_waited_for(double: Double) -> None:
    """Beyond the time-out of the call, with what to do about it."""
    path = resident._socket(identify("local", 1)["path"])
    with channel.listen(path), pytest.raises(ProviderError, match="kept silent"):
        open_model("local", threads=1, timeout_s=0.1)


def test_a_process_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it said on stderr, and the way around it."""
    monkeypatch.setattr(resident.sys, "executable", "/bin/false")
    with pytest.raises(ProviderError, match="cannot be started") as caught:
        open_model("local", threads=1)
    assert "GRN_LOCAL_IDLE_S=0" in (caught.value.hint or "")
    monkeypatch.setattr(resident.sys, "executable", "/nowhere/python")
    with pytest.raises(OutputError, match="cannot start"):
        open_model("local", threads=1)


def test_there_is_one_process_for_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A second one waits for the first's lock, and says so when it does not get it."""
    from grn.kit.files import lock
    from grn.llm.local import host

    monkeypatch.setattr(host, "_TAKEOVER_S", 0.1)
    with lock(tmp_path / "x.lock"):
        assert main([str(tmp_path / "x.sock"), "local", "1", "5"]) == 1
    assert "held a lock" in capsys.readouterr().err


def test_the_folder_is_the_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made with 0700; one that others may enter is refused, and so is a name that is no folder."""
    folder = run_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(OutputError, match="open to others") as caught:
        run_dir()
    assert caught.value.hint == f"chmod 700 {folder}"
    folder.chmod(0o700)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    assert run_dir({"XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path)}) == runtime / "grn"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "run").symlink_to(runtime)
    with pytest.raises(OutputError):
        run_dir({"GRN_CACHE": str(tmp_path / "cache")})


def test_how_long_it_stays_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds; 0, or a system without such sockets, loads the model into the command."""
    assert idle_time_s({}) == resident.IDLE_S
    assert idle_time_s({"GRN_LOCAL_IDLE_S": "1.5"}) == 1.5
    for wrong in ("x", "-1", "inf", "nan"):
        with pytest.raises(UsageError, match="no time in seconds"):
            idle_time_s({"GRN_LOCAL_IDLE_S": wrong})
    monkeypatch.delattr(socket, "AF_UNIX")
    assert idle_time_s({}) == 0.0
