"""llama.cpp in this process, through ``xllamacpp``: loaded once, and there until the process ends."""

from __future__ import annotations

import json
import os
import queue
import secrets
import threading
import urllib.request
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grn.hw.lease import read_cards, visible
from grn.hw.pin import Placement, pinned, place_sweep
from grn.kit.config import load_settings
from grn.kit.errors import UsageError, require_extra
from grn.kit.versions import grn_version, package_version
from grn.llm.local.card import lease_card
from grn.llm.local.channel import PROTOCOL
from grn.llm.local.weights import find_weights, has_chat_template, names_pooling

CONTEXT_VARIABLE = "GRN_LOCAL_CONTEXT"
CONTEXT = 8192
"""Tokens of prompt and answer together, unless :data:`CONTEXT_VARIABLE` says otherwise."""

_POOLED_CONTEXT = 2048  # encoders read the whole text in one batch
_QUIET = -1
_EVERY_LAYER = 999
Chunk = dict[str, Any]


@dataclass(frozen=True)
class Engine:
    """A loaded model.

    Attributes
    ----------
    path
        Its file.
    chat
        Whether it was trained to answer in turns.
    threads
        Threads that it computes with.
    server
        The ``xllamacpp.Server``; it also speaks HTTP on the loopback address, Anthropic's Messages API
        included, to whoever knows ``key``.
    key
        Made at random: other users of the machine reach its loopback addresses too.
    """

    path: Path
    chat: bool
    threads: int
    server: Any
    key: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return str(self.server.listening_address)

    def stream(self, fields: Mapping[str, Any]) -> Generator[Chunk]:
        """Complete a prompt (``prompt``) or a conversation (``messages``), in chunks of the OpenAI form."""
        handle = (
            self.server.handle_chat_completions if "messages" in fields else self.server.handle_completions
        )
        yield from _pumped(lambda give: handle(dict(fields), give))

    def count(self, text: str) -> int:
        """Count the tokens of a text, with what stands at a beginning."""
        sent = json.dumps({"content": text, "add_special": True}).encode()
        request = urllib.request.Request(
            f"{self.address}/tokenize",
            sent,
            {"content-type": "application/json", "authorization": f"Bearer {self.key}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return len(json.load(answer)["tokens"])

    def close(self) -> None:
        """Leave the model loaded: another call will want it."""


_LOADED: dict[tuple[Path, int], Engine] = {}
_LOADING = threading.Lock()


def load(model: str, threads: int | None = None) -> Engine:
    """Load a model, or give the one that is loaded.

    Parameters
    ----------
    model
        ``local``, or the path of a GGUF file.
    threads
        Default: the setting ``threads``, else one per core (on a hybrid processor per P-core): decoding waits
        for memory, and a second thread on a core only disturbs the first. They stay on those cores.

    Raises
    ------
    MissingExtraError
        ``xllamacpp`` or the embedded model is not installed.
    MissingError, DataError
        See :func:`grn.llm.local.weights.find_weights`.
    BudgetError
        Others hold the card's memory: it is taken on lease until this process ends.
    """
    xllamacpp = require_extra("xllamacpp", "local")
    path = find_weights(model).resolve()
    n = threads if threads is not None else default_threads()
    with _LOADING:
        engine = _LOADED.get((path, n))
        if engine is None:
            key = secrets.token_hex(16)
            parameters = _parameters(xllamacpp, path, n)
            parameters.api_keys = [key]
            with pinned(_placement(n)):  # threads keep the processors of the one that starts them
                server = xllamacpp.Server(parameters)
            engine = Engine(path, has_chat_template(path), n, server, key)
            _LOADED[path, n] = engine
    return engine


def load_pooled(path: Path, threads: int) -> Any:
    """Load a model that turns texts into vectors: the ``xllamacpp.Server``, at nobody's disposal but ours."""
    xllamacpp = require_extra("xllamacpp", "local")
    parameters = _parameters(xllamacpp, path, threads)
    parameters.api_keys = [secrets.token_hex(16)]
    parameters.embedding = True
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = _POOLED_CONTEXT
    if not names_pooling(path):
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    with pinned(_placement(threads)):
        return xllamacpp.Server(parameters)


def identify(model: str, threads: int) -> dict[str, Any]:
    """Tell a loaded model from every other: the file's name, size and time, threads, versions.

    Raises
    ------
    MissingExtraError, MissingError, DataError
        See :func:`grn.llm.local.weights.find_weights`.
    """
    path = find_weights(model).resolve()
    found = path.stat()
    return {
        "protocol": PROTOCOL,
        "path": str(path),
        "bytes": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "threads": threads,
        "context": context_tokens(),
        "grn": grn_version(),
        "xllamacpp": package_version("xllamacpp"),
    }


def context_tokens(environ: Mapping[str, str] | None = None) -> int:
    """Tokens of prompt and answer together; their memory is taken when the model is loaded.

    Raises
    ------
    UsageError
        The variable is no such number.
    """
    text = (os.environ if environ is None else environ).get(CONTEXT_VARIABLE) or str(CONTEXT)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise UsageError(
            f"{CONTEXT_VARIABLE} is no number of tokens", seen=text, hint=f"for example {CONTEXT}"
        )
    return int(text)


def default_threads(root: Path = Path("/"), allowed: Collection[int] | None = None) -> int:
    """Threads to compute with on this machine; see :func:`load` and :func:`grn.hw.pin.place_sweep`."""
    wanted = load_settings().threads
    return place_sweep(root, allowed).threads if wanted is None else wanted


def _placement(threads: int) -> Placement:
    """Where they run: on the fast cores, anywhere when they are more than those."""
    found = place_sweep()
    if threads <= found.threads:
        return found
    return Placement(None, threads, f"more than the {found.threads} fast cores")


def _parameters(xllamacpp: Any, path: Path, threads: int) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = context_tokens()
    parameters.n_parallel = 1  # one conversation at a time: batching with strangers would change the bits
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.warmup = False
    parameters.verbosity = _QUIET
    parameters.ui = False
    parameters.cache_ram_mib = 0
    # Checkpoints are for a cache of prompts, which stays off. To make one, llama.cpp decodes the end of a
    # prompt by itself and copies its state.
    parameters.n_ctx_checkpoints = 0
    devices = [device for device in xllamacpp.get_device_info() if "GPU" in str(device["type"])]
    if devices:
        parameters.n_gpu_layers = _EVERY_LAYER
        _take_card(xllamacpp, parameters, path, [str(device.get("description")) for device in devices])
    return parameters


def _take_card(xllamacpp: Any, parameters: Any, path: Path, devices: Sequence[str]) -> None:
    """Lease memory of a card, and keep the model on that one; other makers' cards have no leases."""
    cards = visible(read_cards())
    card = lease_card(path, parameters.n_ctx, cards)
    if card is None or len(cards) < 2:
        return
    # CUDA puts the fastest first, the driver goes by slots: among cards of one name both have one order.
    alike = [one for one in cards if one.name == card.name].index(card)
    places = [number for number, name in enumerate(devices) if name == card.name]
    if alike < len(places):
        parameters.main_gpu = places[alike]
        parameters.split_mode = xllamacpp.llama_split_mode.LLAMA_SPLIT_MODE_NONE


def _pumped(run: Callable[[Callable[[Chunk], bool]], object]) -> Iterator[Chunk]:
    """Turn a call with a callback into an iterator; leaving the iterator stops the call."""
    chunks: queue.SimpleQueue[Chunk | BaseException | None] = queue.SimpleQueue()
    left = threading.Event()

    def give(chunk: Chunk) -> bool:
        chunks.put(chunk)
        return left.is_set()

    def work() -> None:
        try:
            run(give)
            chunks.put(None)
        except BaseException as error:
            chunks.put(error)

    thread = threading.Thread(target=work, name="llama.cpp", daemon=True)
    thread.start()
    try:
        while (chunk := chunks.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        left.set()
        thread.join()
