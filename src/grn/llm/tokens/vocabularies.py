"""Vocabularies that lie on this machine: byte-pair ranks from a package, pieces from a GGUF file."""

from __future__ import annotations

import warnings
from contextlib import closing
from functools import cache
from typing import Any

from grn.kit.errors import require_extra
from grn.kit.versions import package_version

PACKAGE = "bpe-openai"
BUNDLED = ("o200k_base", "cl100k_base", "voyage3_base")
"""Vocabularies that come with :data:`PACKAGE`, under the names that their makers use."""


def count_bundled(text: str, vocabulary: str) -> int:
    """Count a text with one of :data:`BUNDLED`, exactly; nothing in it is read as a special token.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    """
    return int(_encoder(vocabulary).count(clean(text)))


def count_gguf(text: str, model: str) -> int:
    """Count a text as llama.cpp cuts it for a model, without the mark of a beginning.

    The name of a special token (``<bos>``) counts as that token: llama.cpp's server reads it so.

    Parameters
    ----------
    model
        ``local``, or the path of a GGUF file; it stays loaded for the next command.

    Raises
    ------
    MissingExtraError, MissingError, DataError
        See :func:`grn.llm.local.weights.find_weights`.
    """
    from grn.llm.local.resident import open_model

    def count(given: str) -> int:
        with closing(open_model(model)) as engine:
            return engine.count(given)

    return count(clean(text)) - _beginning(model)


def describe_bundled(vocabulary: str) -> str:
    """Name a vocabulary and the package that brings it."""
    return f"{vocabulary}, {PACKAGE} {package_version(PACKAGE)}"


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer can be given: they are not UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _encoder(vocabulary: str) -> Any:
    # The package's own `Encoding` refuses a million characters and 200,000 tokens, and builds tables to
    # decode with that nobody here needs; what it wraps has neither limit.
    with warnings.catch_warnings():
        # It reads its ranks through a function of `importlib.resources` that is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        return require_extra("bpe_openai._bindings", "tokens").tokenizer_for_encoding(vocabulary)


@cache
def _beginning(model: str) -> int:
    """Tokens that llama.cpp puts before every text of a model: those of an empty one."""
    from grn.llm.local.resident import open_model

    with closing(open_model(model)) as engine:
        return engine.count("")
