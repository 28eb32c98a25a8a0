"""Every code block of the documentation runs, and prints what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import READ, ROOT, RUN, languages, pages, run_page


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sit where a reader would: an empty folder beside the examples, a terminal 100 columns wide."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page: Path) -> None:
    """Blocks of Python and console run from top to bottom in one namespace."""
    run_page(page)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_name_a_language(page: Path) -> None:
    """A block is either run or known not to be: a misspelt language would be skipped unseen."""
    odd = [f"line {line}: {name!r}" for line, name in languages(page) if name not in RUN | READ]
    assert not odd


def test_languages_are_found(tmp_path: Path) -> None:
    """A block without a language is one, whatever its first word; directives are none."""
    page = tmp_path / "page.md"
    page.write_text("```\nmake\n```\n\n```pyhton\n```\n\n```{toctree}\nindex\n```\n\n``` sh\nls\n```\n")
    assert list(languages(page)) == [(1, ""), (5, "pyhton"), (12, "sh")]


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```python\n1 / 0\n```\n", "line 1: division by zero"),
        ("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", "line 5"),
        ("```python\n>>> 1 + 1\n3\n```\n", "line 2"),
        ("```console\n$ grn --version\nsomething else\n```\n", "but the page says\nsomething else"),
        ("```console\n$ grn nonsense\n```\n", "ended with 2"),
        ("```console\n$ ls\n```\n", "runs grn only"),
        ("```sh\nmake nonsense\n```\n", "no `make nonsense`"),
        ("```toml\na = \n```\n", "line 1"),
    ],
)
def test_a_wrong_page_fails(tmp_path: Path, text: str, fault: str) -> None:
    """The runner notices what it is there for, and names page and line."""
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError) as caught:
        run_page(page)
    assert "page.md, line" in str(caught.value)
    assert fault in str(caught.value)


@pytest.mark.usefixtures("reader")
def test_a_right_page_passes(tmp_path: Path) -> None:
    """Names live on from block to block, `...` stands for anything, pipes work, skipped blocks do not run."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 2\n```\n\n```python\n>>> x\n2\n```\n\n"
        "```console\n$ grn --version\ngrn ...\n$ grn --version | tr g G\nGrn ...\n```\n\n"
        '% skip: next "a reason"\n\n```python\n1 / 0\n```\n\n```sh\nmake test\n```\n'
    )
    run_page(page)
