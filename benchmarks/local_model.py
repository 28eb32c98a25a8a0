"""First token and tokens per second of the embedded model, beside llama.cpp's own bench.

``python -m benchmarks.local_model [--threads 1] [--rounds 9]``.  Everybody decodes the same tokens of the
same prompt with the same threads, loaded and warm, prompt cache off, in turns, the bench first and last:

`llama_bench`
    what llama.cpp's bench times, in the same build of the library: decoding alone (`benchmarks.llama_bench`).
`server`
    llama.cpp's server in this process, without the layer, by its own clock (`timings`).
`in_process`
    the layer around it; its first token includes cutting the prompt, sampling and handing the event on.
`resident`
    the layer with the model in a process of its own, as ``grn ask --model local`` has it.

The ratios are medians over rounds: the resident model against the mean of the bench before and after it.
On a machine whose speed drifts within minutes (this project's did, by a fifth) the best of each side would
compare their luck.  Look at ``load_1min`` first: on busy cores wall-clock times are the neighbours', and only
processor times (`processor`, one thread, in this process) are ours.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final

from benchmarks.llama_bench import LlamaBench
from benchmarks.measure import describe_code, describe_machine, median, write_result
from grn.kit.versions import package_version

TARGETS: Final = {"first_token_ratio": 1.1, "tokens_per_s_ratio": 0.9}
SENTENCE: Final = "In the spring of that year the price of grain rose and fell with every ship that came in. "
PROMPTS: Final = (16, 128, 512)
"""Tokens of the prompts, about; 512 is what llama-bench decodes unless told otherwise."""
TOKENS: Final = 64
"""Tokens of an answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local_model", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds (default: 9)")
    parser.add_argument("--threads", type=int, default=1, help="of llama.cpp (default: 1)")
    parser.add_argument("--save", metavar="NAME", default="local_model.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"GRN_HOME": name, "XDG_RUNTIME_DIR": name, "GRN_LOCAL_IDLE_S": "120"}
        measured = measure(chosen.rounds, chosen.threads)
    result: dict[str, object] = {
        "command": f"python -m benchmarks.local_model --rounds {chosen.rounds} --threads {chosen.threads}",
        **measured,
        "targets": TARGETS,
        "machine": machine,
        **describe_code(),
        "clients": {"xllamacpp": package_version("xllamacpp")},
    }
    print(json.dumps(result, indent=2))
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0 if all(prompt["reached"] for prompt in measured["prompts"]) else 1


def measure(rounds: int, threads: int) -> dict[str, Any]:
    """Load the model three times over, and time every prompt with each of them."""
    from grn.llm.local.engine import load
    from grn.llm.local.resident import open_model, stop_residents
    from grn.llm.providers.local import Local

    began = time.perf_counter()
    engine = load("local", threads)
    load_s = time.perf_counter() - began
    layered = {
        "in_process": Local(lambda _: engine),
        "resident": Local(lambda model: open_model(model, threads=threads)),
    }
    try:
        with closing(open_model("local", threads=threads)), LlamaBench(engine.path, threads) as own:
            prompts = [_prompt(own, n_tokens) for n_tokens in PROMPTS]
            found = [_compare(text, own, engine, layered, rounds) for text in prompts]
    finally:
        stop_residents()
    return {"threads": threads, "load_s": round(load_s, 3), "prompts": found}


def _prompt(own: LlamaBench, n_tokens: int) -> str:
    """Words of so many tokens, about."""
    words = SENTENCE.split()
    text = " ".join(words[number % len(words)] for number in range(n_tokens))
    while len(own.tokenize(text)) > n_tokens:
        text = text.rpartition(" ")[0]
    return text


def _compare(text: str, own: LlamaBench, engine: Any, layered: dict[str, Any], rounds: int) -> dict[str, Any]:
    from grn.llm.providers.local import body
    from grn.llm.request import Message, Request, Text

    ask = Request("local", (Message("user", (Text(text),)),), max_tokens=TOKENS)
    tokens = own.tokenize(text)
    first: dict[str, list[float]] = {name: [] for name in ("llama_bench", "server", *layered)}
    speed: dict[str, list[float]] = {name: [] for name in first}
    processor: dict[str, list[float]] = {"llama_bench": [], "in_process": []}
    answers = set()
    ratios: dict[str, list[float]] = {"first_token_ratio": [], "tokens_per_s_ratio": []}
    for number in range(rounds + 1):  # the first one warms everybody up
        first_ms, spent_ms, per_s = own.time(tokens, TOKENS)
        timings, spent = {"llama_bench": (first_ms, per_s)}, {"llama_bench": spent_ms}
        told = engine.server.handle_completions({**body(ask, engine), "stream": False})
        assert told["usage"]["prompt_tokens"] == len(tokens), "not the same prompt"
        timings["server"] = (told["timings"]["prompt_ms"], told["timings"]["predicted_per_second"])
        answers.add(told["choices"][0]["text"])
        for name, provider in layered.items():
            words, first_ms, spent_ms, per_s = _timed(provider, ask)
            timings[name], spent[name] = (first_ms, per_s), spent_ms
            answers.add(words)
        last_ms, _, last_per_s = own.time(tokens, TOKENS)
        if number:
            bench_ms, bench_per_s = timings["llama_bench"]
            first_ms, per_s = timings["resident"]
            ratios["first_token_ratio"].append(2 * first_ms / (bench_ms + last_ms))
            ratios["tokens_per_s_ratio"].append(2 * per_s / (bench_per_s + last_per_s))
            for name, (first_ms, per_s) in timings.items():
                first[name].append(first_ms)
                speed[name].append(per_s)
            for name, values in processor.items():
                values.append(spent[name])
    assert len(answers) == 1, "the layer and llama.cpp gave different answers"
    found = {name: round(median(values), 3) for name, values in ratios.items()}
    return {
        "prompt_tokens": len(tokens),
        **{
            name: {"first_token_ms": spread(first[name]), "tokens_per_s": spread(speed[name])}
            for name in first
        },
        "first_token_processor_ms": {name: spread(values) for name, values in processor.items()},
        **found,
        "reached": found["first_token_ratio"] <= TARGETS["first_token_ratio"]
        and found["tokens_per_s_ratio"] >= TARGETS["tokens_per_s_ratio"],
    }


def _timed(provider: Any, ask: Any) -> tuple[str, float, float, float]:
    """Complete a prompt: the text, milliseconds to its first token (clock, processor), tokens per second."""
    from grn.llm.events import TextDelta
    from grn.llm.port import Wire

    began, began_processor, spent_s = time.perf_counter(), time.process_time(), 0.0
    stamps, words = [], []
    for event in provider.complete(ask, "local", Wire()):
        if isinstance(event, TextDelta):
            spent_s = spent_s or time.process_time() - began_processor
            stamps.append(time.perf_counter())
            words.append(event.text)
    per_s = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    return "".join(words), 1000 * (stamps[0] - began), 1000 * spent_s, per_s


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median and most."""
    return {
        "min": round(min(values), 3),
        "median": round(median(values), 3),
        "max": round(max(values), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
