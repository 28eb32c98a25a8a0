from __future__ import annotations

import pytest

from grn.llm.usage import NONE, Usage

FULL = Usage(input=1, cache_write_5m=2, cache_write_1h=4, cache_read=8, output=16, thinking=3)


def test_the_prompt_is_every_class_but_the_output() -> None:
    """Tiers are decided by all of it, however it was billed."""
    assert FULL.prompt == 15


def test_it_adds_and_comes_back_from_data() -> None:
    """Sums are by class; the form as data leaves zeros out and reads back."""
    assert Usage(2, 4, 8, 16, 32, 6) == FULL + FULL
    assert Usage.from_plain(FULL.plain()) == FULL
    assert NONE.plain() == {}


@pytest.mark.parametrize(
    "bad", [{"input": -1}, {"output": 1.5}, {"output": 1, "thinking": 2}, {"input": True}]
)
def test_what_is_no_count_is_refused(bad: dict[str, int]) -> None:
    """Tokens are whole and not negative, and thinking is part of the output."""
    with pytest.raises(ValueError, match=r"tokens|thinking"):
        Usage(**bad)


def test_an_unknown_class_is_refused() -> None:
    """A record of a later version is not read as something else."""
    with pytest.raises(ValueError, match="no usage"):
        Usage.from_plain({"audio": 3})
