from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grn.llm.tokens.squeeze import data
from grn.llm.tokens.squeeze.coding import decode, encode
from grn.llm.tokens.squeeze.lossless import squeeze_lossless, unsqueeze

CASES = 20_000 if os.environ.get("GRN_NIGHTLY") else 80


def letters(text: str) -> int:
    """Weigh a text by its letters: whatever is coded is decoded, whoever weighs."""
    return len(text)


WORDS = st.sampled_from([
    "/usr/lib/python3.11/", "/usr/lib/python3.11/site-packages/", "site-packages/", "lib/x", "§", "§a",
    "§§", "§5x",
    "§…3", "§ squeezed", "§a stands for x", "§b stands for /usr/", "a_long_word_that_recurs",
    "test_something_else",
    "e10_foo_bar_baz_qux", "1e10_foo_bar_baz_qux", "12", "3.50", " ", "  ", "\t", "", "\r",
    "\x1b[31m", "\x1b[0m",
    ' File "', '", line ', "§ squeezed JSON laid out {}", "\x85", "\u2028", "\f", "é", "\U0001f600",
])  # fmt: skip
LINES = st.lists(WORDS | st.text(max_size=12), max_size=6).map("".join)
BLOCKS = st.lists(LINES, min_size=1, max_size=4).flatmap(
    lambda block: st.integers(1, 6).map(lambda times: block * times)
)
TEXTS = st.lists(BLOCKS, max_size=8).map(lambda blocks: "\n".join(line for block in blocks for line in block))


@settings(max_examples=CASES)
@given(TEXTS)
@example("§ squeezed\n§a stands for b\n§a")
@example("/usr/lib/x stands for y\n" * 9)
@example("§a stands for b\n" + "/usr/share/doc/ \n" * 12)
@example("waiting\n" * 5 + "x\ny\n" * 5)
def test_what_is_coded_is_decoded_from_its_output_alone(text: str) -> None:
    """To the letter, whatever signs, colours and line ends the text has of its own."""
    for coded in (
        squeeze_lossless(text, letters),
        encode(text, lambda part: 3 * len(part)),
        encode(text, letters, "x"),
    ):
        assert unsqueeze(coded) == text
    assert letters(squeeze_lossless(text, letters)) <= max(letters(text), letters(encode(text, letters)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.lists(st.fixed_dictionaries({"path": inner, "line": inner}), max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=CASES)
@given(JSON, st.sampled_from([None, 1, 2, 4, "\t"]), st.booleans(), st.sampled_from(["", "\n"]))
def test_laid_out_json_comes_back(value: Any, indent: int | str | None, ascii_only: bool, end: str) -> None:
    """As Python's own json lays it out, so do we."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only) + end
    assert unsqueeze(squeeze_lossless(text, letters)) == text


@settings(max_examples=CASES)
@given(JSON)
def test_packed_json_has_the_same_values(value: Any) -> None:
    """Lists of like objects as keys and rows, and back; read by Python they are equal, NaN with itself."""
    text = json.dumps(value, indent=2)
    packed = data.pack(text)
    if not isinstance(value, dict | list):
        assert packed is None
        return
    assert packed is not None
    if data.KEYS not in text:
        assert data.dump(data.from_table(data.parse(packed))) == json.dumps(value, ensure_ascii=False)


def test_numbers_of_json_are_not_rewritten() -> None:
    """1.50 stays 1.50, and 1e400 does not become infinite; keys that stand twice stay twice."""
    text = '{"a": 1.50, "a": 1e400, "b": [-0, 123456789012345678901234567890], "c": NaN}'
    assert data.pack(text) == '{"a":1.50,"a":1e400,"b":[-0,123456789012345678901234567890],"c":NaN}'


def test_recurring_frames_are_written_once() -> None:
    """Blocks that follow themselves are counted, folders that recur are named; the first line says how."""
    frame = '  File "/usr/lib/python3.11/site-packages/a/b.py", line 12, in call\n    return self.call()\n'
    coded = squeeze_lossless(
        "Traceback (most recent call last):\n" + frame * 40 + "RecursionError: too deep\n", letters
    )
    assert coded.count("return self.call()") == 1
    assert "§39x of 2" in coded
    assert coded.startswith("§ squeezed; §Nx: the line above N times more")


@pytest.mark.parametrize("broken", ["§ squeezed\n§5x", "§ squeezed\n§q", "§ squeezed\nx\n§2x of 9"])
def test_what_was_never_coded_is_refused(broken: str) -> None:
    """A sign without a meaning is an error, and not a guess."""
    with pytest.raises(ValueError, match=r"sign|repeat"):
        decode(broken)


def test_deep_json_is_left_alone() -> None:
    """A text nested deeper than Python's stack is text like any other."""
    text = "[" * 100_000 + "]" * 100_000
    assert unsqueeze(squeeze_lossless(text, letters)) == text
