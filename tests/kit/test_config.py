from __future__ import annotations

from pathlib import Path

import pytest

from grn.kit.config import Settings, load_settings
from grn.kit.errors import UsageError
from grn.kit.paths import grn_home


def test_no_file_means_defaults(tmp_path: Path) -> None:
    """24 GiB of 32 are for work (the specification's split); threads are chosen by the engine."""
    assert load_settings(tmp_path / "config.toml") == Settings(memory_gib=24.0, threads=None)


def test_settings_are_read_from_grn_home() -> None:
    """The file in $GRN_HOME is the one that counts; a whole number is a number of GiB too."""
    grn_home().mkdir(parents=True, exist_ok=True)
    (grn_home() / "config.toml").write_text("memory_gib = 6\nthreads = 2\n")
    assert load_settings() == Settings(memory_gib=6.0, threads=2)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("memory_gb = 6", "unknown setting", "did you mean memory_gib?"),
        ("xyz = 1", "unknown setting", "known settings: memory_gib, threads"),
        ("threads = true", "whole number", "threads = 8"),
        ("threads = 1.5", "whole number", "threads = 8"),
        ("threads = 0", "at least 1", "leave it out"),
        ("pin = 1", "true or false", "pin = true"),
        ('memory_gib = "6"', "must be a number", "memory_gib = 24.0"),
        ("memory_gib = -1", "positive", "memory_gib = 24.0"),
        ("memory_gib = nan", "positive", "memory_gib = 24.0"),
        ("memory_gib = ", "not valid TOML", "correct that line"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, text: str, what: str, hint: str) -> None:
    """A setting that does nothing because of a typing error would be believed: it is an error with a hint."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_settings(path)
    assert what in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Neither bytes that are not UTF-8 nor a folder of that name end in a traceback."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "binary", tmp_path):
        with pytest.raises(UsageError, match=path.name):
            load_settings(path)
