from __future__ import annotations

import importlib.machinery
import json
import sys
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import ProviderError, UnsupportedError, UsageError
from grn.llm import lifecycle
from grn.llm.port import Fault
from grn.llm.request import Message, Request, Text
from grn.llm.tokens.asked import ask_count
from grn.llm.tokens.count import counter_of, generation
from grn.llm.tokens.estimate import features
from grn.llm.tokens.weights import CLAUDE_3, CLAUDE_4_7, GEMMA_3

ROOT = Path(__file__).parents[3]
RESULT = json.loads((ROOT / "benchmarks" / "results" / "count.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
        ("tiktoken is great!", 6),
    ],
)
def test_o200k_is_exact(text: str, tokens: int) -> None:
    """The counts that OpenAI's cookbook prints for o200k_base ("How to count tokens with tiktoken")."""
    counter = counter_of("o200k")
    assert counter.certainty == "exact"
    assert counter.count(text).about == counter.count(text).most == tokens


def test_a_long_text_is_counted_whole() -> None:
    """The package's own front door refuses a million letters; one run of letters is no slow path."""
    assert counter_of("o200k").count("a" * 1_200_000).about == 150_000


@given(st.text(st.characters(), max_size=200))
def test_every_text_has_a_count(text: str) -> None:
    """Lone surrogates, controls and names of special tokens too; an estimate's middle is under its bound."""
    exact = counter_of("o200k").count(text)
    assert exact.about == exact.most <= len(text.encode("utf-8", "replace"))
    for weights in (CLAUDE_3, CLAUDE_4_7, GEMMA_3):
        found = weights.estimate(text)
        assert 0 <= found.about <= found.most
        assert (found.most == 0) is (not text)


@given(st.text(max_size=60), st.text(max_size=60))
def test_features_only_grow(left: str, right: str) -> None:
    """A text has no less of anything than its beginning, o200k's own merges aside."""
    before, after = features(left), features(left + right)
    assert all(
        new >= old for name, old, new in zip(before._fields, before, after, strict=True)
        if name not in ("pieces", "capitals", "humps", "initials", "foreign", "letters")
    )  # fmt: skip


@pytest.mark.parametrize("name", ["claude_3", "claude_4_7", "gemma_3"])
def test_weights_are_those_of_the_record(name: str) -> None:
    """What is compiled in is what benchmarks/count.py found, and its record keeps the bar that is stated."""
    weights = {"claude_3": CLAUDE_3, "claude_4_7": CLAUDE_4_7, "gemma_3": GEMMA_3}[name]
    found = RESULT[name]["weights"]
    assert (dict(weights.about), dict(weights.most), weights.fixed) == (
        found["about"], found["most"], found["fixed"],
    )  # fmt: skip
    held = RESULT[name]["held_out"]
    assert held["exceeded_share"] <= 0.001
    assert held["exceeded_by_most"] <= 0.02
    assert f"{held['texts']:,} texts" in weights.error


def test_the_bound_holds_for_a_vocabulary_that_is_here() -> None:
    """Gemma 3's own count of files of this repository, through llama.cpp, is never above the bound."""
    exact = counter_of("gemini-2.5-flash")
    assert exact.certainty == "exact"
    for path in [
        *sorted((ROOT / "docs" / "guides").glob("*.md")),
        *sorted((ROOT / "tests" / "kit").glob("*.py")),
    ]:
        text = path.read_text(encoding="utf-8")
        assert exact.count(text).about <= GEMMA_3.estimate(text).most


@pytest.mark.parametrize(
    ("model", "made"),
    [
        ("claude-3-5-sonnet-20241022", (3, 5)),
        ("claude-haiku-4-5-20251001", (4, 5)),
        ("claude-opus-4-20250514", (4, 0)),
        ("claude-opus-5", (5, 0)),
        ("claude-sonnet-5-5", (5, 5)),
        ("claude-2.1", (2, 1)),
    ],
)
def test_a_models_generation_is_in_its_name(model: str, made: tuple[int, int]) -> None:
    """Dates of snapshots are no minor versions."""
    assert generation(model) == made


def test_every_model_that_can_be_asked_is_counted() -> None:
    """All short names have a counter; what is unknown, or older than what is known, is refused by name."""
    for name in lifecycle.SHORT_NAMES:
        found = counter_of(name).count("def mean(values):\n    return sum(values) / len(values)\n")
        assert 10 < found.about <= found.most
    for name in ("gpt-5", "claude-2.1", "claude"):
        with pytest.raises(UsageError):
            counter_of(name)


def test_one_vocabulary_more_where_python_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ctok is installed it counts for Claude, the frame taken off. Here a double stands for it."""
    double = types.ModuleType("ctok")
    double.__spec__ = importlib.machinery.ModuleSpec("ctok", None)
    frames = {"3.0": 7, "4.7": 11, "4.8": 6}
    double.token_count = lambda text, version: len(text) + frames[version]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ctok", double)
    for model, frame in (("claude-opus-4-5", 7), ("claude-opus-4-7", 11), ("claude-sonnet-5-5", 6)):
        counter = counter_of(model)
        assert (counter.certainty, counter.frame) == ("reconstructed", frame)
        assert counter.count("twelve chars").most == 12
        assert counter.count("").about == 0


class Server:
    """A double of a provider that counts; of the rest it can nothing."""

    def __init__(self, *answers: int | Fault | None) -> None:
        self.answers = list(answers)

    def count(self, ask: Request, model: str) -> int | None:
        answer = self.answers.pop(0)
        if isinstance(answer, Fault):
            raise answer
        return answer


def test_a_providers_count_is_asked_once(tmp_path: Path) -> None:
    """Kept by content; one that is damaged is asked anew; faults leave nothing behind."""
    ask = Request("claude-sonnet-5-5", (Message("user", (Text("hello"),)),))
    other = Request("claude-sonnet-5-5", (Message("user", (Text("hello!"),)),))
    failed = Fault(ProviderError("busy"))
    server = Server(failed, 17, 18, 19, None)

    def asked(request: Request) -> tuple[int, bool]:
        found = ask_count(request, "anthropic", "claude-sonnet-5-5", server, tmp_path)  # type: ignore[arg-type]
        return found.tokens, found.kept

    with pytest.raises(ProviderError):
        asked(ask)
    assert list(tmp_path.iterdir()) == []
    assert asked(ask) == (17, False)
    assert asked(ask) == (17, True)
    assert asked(other) == (18, False)
    for file in tmp_path.rglob("*.json"):
        file.write_text("{")
    assert asked(ask) == (19, False)
    with pytest.raises(UnsupportedError):
        asked(Request("voyage-4", (Message("user", (Text("x"),)),)))
