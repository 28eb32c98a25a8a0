"""What the layer over language models costs: the start of a process, a call, a token; beside plain clients.

``python -m benchmarks.ask [--rounds 15] [--save]``. No network: providers are a double on the loopback
address, the local model is the embedded one. Answers are compared before anything is timed. Look at ``load``
first: on two busy cores every figure but the least is the neighbours'.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grn.hw.probe import probe
from grn.kit.versions import package_version, versions

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "ask.json"
GRN = Path(sys.executable).parent / "grn"
PROMPT = "The history of the stock market begins"
TOKENS = 32


def main() -> None:
    """Measure, print, and with ``--save`` write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="of llama.cpp")
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GRN_HOME": folder, "ANTHROPIC_API_KEY": "benchmark"}
        found = {
            "replay_ms": replay_ms(arguments.rounds),
            "layer_ms": layer_ms(arguments.rounds * 20),
            "call_ms": call_ms(arguments.rounds * 10),
            "local": local(max(arguments.rounds // 3, 3), arguments.threads),
        }
    found |= {
        "command": f"python -m benchmarks.ask --rounds {arguments.rounds} --threads {arguments.threads}",
        "commit": commit(),
        "load": os.getloadavg()[0],
        "machine": {"cpu": probe().cpu_model, "cores": probe().cores_usable},
        "versions": {name: versions()[name] for name in ("grn", "python")}
        | {name: package_version(name) for name in ("anthropic", "xllamacpp")},
    }
    print(json.dumps(found, indent=2))
    if arguments.save:
        RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def replay_ms(rounds: int) -> dict[str, Any]:
    """Time from a process's start to the first byte of a replayed answer, beside an empty interpreter."""
    ask = [str(GRN), "ask", PROMPT, "-m", "local", "--max-tokens", "8"]
    recorded = subprocess.run(
        [*ask, "--record", "b"], check=True, capture_output=True, stdin=subprocess.DEVNULL
    ).stdout
    replay = [*ask, "--replay", "b"]
    again = subprocess.run(replay, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    assert again == recorded, "the replay gave other bytes"
    return {
        "grn_ask_replay": first_bytes(replay, rounds),
        "python_alone": first_bytes([sys.executable, "-c", "print('x', flush=True)"], rounds),
    }


def first_bytes(command: Sequence[str], rounds: int) -> dict[str, Any]:
    """Time a process several times: wall clock to the first byte, and processor time of the whole of it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = spread([first_byte_ms(command) for _ in range(rounds)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu_mean": round(1000 * cpu_s / rounds, 1)}


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


def call_ms(rounds: int) -> dict[str, Any]:
    """Time a streamed call through the layer and through the plain client, turn by turn, one connection."""
    import anthropic

    from grn.llm import providers
    from grn.llm.calls import Caller
    from grn.llm.request import Message, Request, Text
    from grn.llm.room import llm_dir, open_catalogue
    from grn.llm.spend import Book
    from tests.llm.servers import anthropic_stream, serve

    model = "claude-haiku-5-5"
    with serve() as server:
        os.environ["ANTHROPIC_BASE_URL"] = server.url
        server.otherwise = lambda path, body: anthropic_stream(["a", "b", "c"])
        ask = Request(model, (Message("user", (Text("hi"),)),), max_tokens=16)
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
                model=model, max_tokens=16, stream=True, messages=[{"role": "user", "content": "hi"}]
            ) as stream:
                return len(list(stream))

        times = in_turns({"grn": ours, "anthropic": theirs}, rounds)
        caller.close()
        plain.close()
    return {who: spread(took) for who, took in times.items()}


def layer_ms(rounds: int) -> dict[str, Any]:
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
    ask = Request("claude-haiku-5-5", (Message("user", (Text("hi"),)),), max_tokens=16)
    with Caller(book=lambda: Book.open(llm_dir()), catalogue=open_catalogue, connect=connect) as caller:
        wall = in_turns({"layer": lambda: len(list(caller.stream(ask)))}, rounds)["layer"]
        began = time.process_time()
        for _ in range(rounds):
            list(caller.stream(ask))
        cpu_ms = 1000 * (time.process_time() - began) / rounds
    return {"wall": spread(wall), "cpu_mean": round(cpu_ms, 3)}


def in_turns(who: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Time functions one after the other, round by round; the first three rounds are thrown away."""
    times: dict[str, list[float]] = {name: [] for name in who}
    for number in range(rounds + 3):
        for name, run in who.items():
            began = time.perf_counter()
            run()
            if number >= 3:
                times[name].append(1000 * (time.perf_counter() - began))
    return times


def local(rounds: int, threads: int) -> dict[str, Any]:
    """Tokens per second and first token of the embedded model, by our clock and by llama.cpp's own."""
    from grn.llm.events import TextDelta
    from grn.llm.local.engine import load
    from grn.llm.port import Wire
    from grn.llm.providers.local import Local, body
    from grn.llm.request import Message, Request, Text

    began = time.perf_counter()
    engine = load("local", threads)
    load_s = time.perf_counter() - began
    ask = Request("local", (Message("user", (Text(PROMPT),)),), max_tokens=TOKENS)
    ours: list[float] = []
    theirs: list[float] = []
    first: list[float] = []
    texts = set()
    for _ in range(rounds):
        began = time.perf_counter()
        stamps, words = [], []
        for event in Local(lambda _: engine).complete(ask, "local", Wire()):
            if isinstance(event, TextDelta):
                stamps.append(time.perf_counter())
                words.append(event.text)
        first.append(1000 * (stamps[0] - began))
        ours.append((len(stamps) - 1) / (stamps[-1] - stamps[0]))
        # The same decoding without the layer: llama.cpp's server, its own timing.
        told = engine.server.handle_completions({**body(ask, engine), "stream": False})
        theirs.append(told["timings"]["predicted_per_second"])
        texts |= {"".join(words), told["choices"][0]["text"]}
    assert len(texts) == 1, "the layer and llama.cpp gave different answers"
    return {
        "threads": engine.threads,
        "load_s": round(load_s, 3),
        "first_token_ms": spread(first),
        "tokens_per_s": spread(ours),
        "llama_cpp_tokens_per_s": spread(theirs),
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 4),
    }


def spread(values: Sequence[float]) -> Any:
    """Least, median and most."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def commit() -> str:
    """Name the commit that is measured."""
    ran = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return ran.stdout.strip()


if __name__ == "__main__":
    main()
