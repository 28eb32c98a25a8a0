"""What the layer over language models costs: a command, a call, a token; beside plain clients and `llm`.

``python -m benchmarks.ask [--rounds 15]``.  No network: providers are a double on the loopback address, the
local model is the embedded one, `llm` gets an environment of its own.  Answers are compared before anything
is timed.  Medians are held against the targets.  Look at ``load_1min`` first: on busy cores wall-clock times
are the neighbours', and only the least of each, and processor times, are ours.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import local_model
from benchmarks.local_model import spread
from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from grn.kit.versions import package_version

GRN: Final = Path(sys.executable).parent / "grn"
PEERS: Final = ("llm==0.36", "llm-anthropic==0.30")
MODEL: Final = "claude-haiku-5-5"
PROMPT: Final = "The history of the stock market begins"
TARGETS: Final = {
    "replay_first_byte_ms": 300.0,
    "layer_ms": 2.0,
    **{f"local_{name}": value for name, value in local_model.TARGETS.items()},
}
_PLAIN: Final = (
    "import anthropic\n"
    "with anthropic.Anthropic(max_retries=0).messages.create(model={model!r}, max_tokens=64, stream=True, "
    "messages=[{{'role': 'user', 'content': 'hi'}}]) as stream:\n"
    "    for event in stream:\n"
    "        if event.type == 'content_block_delta':\n"
    "            print(event.delta.text, end='', flush=True)\n"
    "print()\n"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a target is missed by a median."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ask", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds (default: 15)")
    parser.add_argument("--threads", type=int, default=1, help="of llama.cpp (default: 1)")
    parser.add_argument("--save", metavar="NAME", default="ask.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"GRN_HOME": name, "ANTHROPIC_API_KEY": "benchmark", "LLM_USER_PATH": f"{name}/llm"}
        os.environ |= {"XDG_RUNTIME_DIR": name, "GRN_LOCAL_IDLE_S": "120"}
        measured: dict[str, Any] = {
            "replay": replay(chosen.rounds),
            "layer": layer(chosen.rounds * 20),
            "call": calls(chosen.rounds * 10),
            "command": commands(chosen.rounds, folder),
            "local": local_model.measure(max(chosen.rounds // 2, 3), chosen.threads),
        }
    reached = judge(measured)
    result: dict[str, object] = {
        "command": f"python -m benchmarks.ask --rounds {chosen.rounds} --threads {chosen.threads}",
        **measured,
        "targets": TARGETS,
        "reached": reached,
        "machine": machine,
        **describe_code(),
        "clients": {name: package_version(name) for name in ("anthropic", "xllamacpp")} | {"peers": PEERS},
    }
    print(json.dumps(result, indent=2))
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0 if all(value["reached"] for value in reached.values()) else 1


def judge(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Hold the median of each timing against what is asked of it."""
    prompts = measured["local"]["prompts"]
    seen = {
        "replay_first_byte_ms": measured["replay"]["grn"]["first_byte_ms"]["median"],
        "layer_ms": measured["layer"]["call_ms"]["median"],
        "local_first_token_ratio": max(found["first_token_ratio"] for found in prompts),
        "local_tokens_per_s_ratio": min(found["tokens_per_s_ratio"] for found in prompts),
    }
    return {
        name: {
            "seen": value,
            "target": TARGETS[name],
            "reached": value >= TARGETS[name] if name.endswith("per_s_ratio") else value <= TARGETS[name],
        }
        for name, value in seen.items()
    }


def replay(rounds: int) -> dict[str, Any]:
    """Time a process from its start to the first byte of a replayed answer, beside an empty interpreter."""
    ask = [str(GRN), "ask", PROMPT, "-m", "local", "--max-tokens", "8"]
    recorded = output([*ask, "--record", "b"])
    again = [*ask, "--replay", "b"]
    assert output(again) == recorded, "the replay gave other bytes"
    python = [sys.executable, "-c", "print('x', flush=True)"]
    return processes({"grn": again, "python_alone": python, "click_alone": clicking()}, rounds)


def clicking() -> list[str]:
    """Give the least that a command on click can do."""
    return [sys.executable, "-c", "import click; click.command()(lambda: click.echo('x'))()"]


def commands(rounds: int, folder: Path) -> dict[str, Any]:
    """Time a whole command that asks a server once: ours, the maker's client in a script, and `llm`."""
    from tests.llm.servers import anthropic_stream, serve

    peer = make_environment(ROOT / ".venv" / "llm-peer") / "llm"
    with serve() as server:
        os.environ["ANTHROPIC_BASE_URL"] = server.url
        server.otherwise = lambda path, body: anthropic_stream(["a", "b"], model=MODEL)
        who = {
            "grn": [str(GRN), "ask", "hi", "-m", MODEL, "--max-tokens", "64"],
            "plain_client": [sys.executable, "-c", _PLAIN.format(model=MODEL)],
            "llm": [str(peer), "-m", MODEL, "-o", "max_tokens", "64", "hi"],
        }
        said = {name: output(command).strip() for name, command in who.items()}
        assert set(said.values()) == {b"ab"}, said
        return processes(who, rounds)


def make_environment(folder: Path) -> Path:
    """Make a virtual environment with `llm` in it, once, and return its folder of programs."""
    python = folder / "bin" / "python"
    uv = Path(sys.executable).parent / "uv"
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    if not (folder / "bin" / "llm").exists():
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PEERS], check=True)
    return folder / "bin"


def output(command: Sequence[str]) -> bytes:
    """Run a command and give what it prints."""
    ran = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{ran.stderr.decode()[-3000:]}")
    return ran.stdout


def processes(who: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Any]:
    """Time commands in turns: the clock up to the first byte, processor time of the whole."""
    first: dict[str, list[float]] = {name: [] for name in who}
    processor: dict[str, list[float]] = {name: [] for name in who}
    for _ in range(rounds):
        for name, command in who.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            first[name].append(first_byte_ms(command))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor[name].append(
                1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            )
    return {
        name: {"first_byte_ms": spread(first[name]), "processor_ms": spread(processor[name])} for name in who
    }


def first_byte_ms(command: Sequence[str]) -> float:
    """Start a process and wait for its first byte on stdout."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        took = time.perf_counter() - began
        process.stdout.read()
    return 1000 * took


def calls(rounds: int) -> dict[str, Any]:
    """Time a streamed call through the layer and through the plain client, in turns, one connection each."""
    import anthropic

    from grn.llm import providers
    from grn.llm.calls import Caller
    from grn.llm.request import Message, Request, Text
    from grn.llm.room import llm_dir, open_catalogue
    from grn.llm.spend import Book
    from tests.llm.servers import anthropic_stream, serve

    with serve() as server:
        os.environ["ANTHROPIC_BASE_URL"] = server.url
        server.otherwise = lambda path, body: anthropic_stream(["a", "b", "c"], model=MODEL)
        ask = Request(MODEL, (Message("user", (Text("hi"),)),), max_tokens=16)
        plain = anthropic.Anthropic(max_retries=0)
        caller = Caller(
            book=lambda: Book.open(llm_dir()),
            catalogue=open_catalogue,
            connect=lambda name: providers.connect(name, timeout_s=10.0),
        )

        def ours() -> int:
            return len(list(caller.stream(ask)))

        def theirs() -> int:
            with plain.messages.create(
                model=MODEL, max_tokens=16, stream=True, messages=[{"role": "user", "content": "hi"}]
            ) as stream:
                return len(list(stream))

        times = in_turns({"grn": ours, "plain_client": theirs}, rounds)
        caller.close()
        plain.close()
    return {who: {"call_ms": spread(took)} for who, took in times.items()}


def layer(rounds: int) -> dict[str, Any]:
    """Time a whole call whose provider answers at once, in this process: price, reserve, events, settle."""
    from grn.llm.calls import Caller
    from grn.llm.events import Finished, Started, TextDelta
    from grn.llm.request import Message, Request, Text
    from grn.llm.room import llm_dir, open_catalogue
    from grn.llm.spend import Book
    from grn.llm.usage import Usage

    class AtOnce:
        def complete(self, ask: Any, model: str, wire: Any) -> Any:
            yield Started(model, Usage(input=3))
            yield TextDelta("a")
            yield Finished("end", model, Usage(input=3, output=1))

        def close(self) -> None:
            pass

    connect: Any = lambda name: AtOnce()  # noqa: E731 - a stand-in of one line
    ask = Request(MODEL, (Message("user", (Text("hi"),)),), max_tokens=16)
    with Caller(book=lambda: Book.open(llm_dir()), catalogue=open_catalogue, connect=connect) as caller:
        wall = in_turns({"layer": lambda: len(list(caller.stream(ask)))}, rounds)["layer"]
        began = time.process_time()
        for _ in range(rounds):
            list(caller.stream(ask))
        processor_ms = 1000 * (time.process_time() - began) / rounds
    return {"call_ms": spread(wall), "processor_ms_mean": round(processor_ms, 3)}


def in_turns(who: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Time functions one after the other, round by round; the first three rounds are thrown away."""
    times: dict[str, list[float]] = {name: [] for name in who}
    for number in range(rounds + 3):
        for name, run in who.items():
            began = time.perf_counter()
            run()
            if number >= 3:
                times[name].append(1000 * (time.perf_counter() - began))
    return times


if __name__ == "__main__":
    sys.exit(main())
