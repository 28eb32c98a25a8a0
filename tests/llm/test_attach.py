from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from grn.kit.errors import DataError, UsageError
from grn.llm.attach import attach, media_type_of, texts_below
from grn.llm.request import File, Text


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
    ],
)
def test_a_file_is_told_by_its_content(tmp_path: Path, data: bytes, media_type: str) -> None:
    """Whatever its name says."""
    path = tmp_path / "thing.txt"
    path.write_bytes(data)
    assert attach(path) == [File(media_type, data, "thing.txt")]
    assert media_type_of(data) == media_type


def test_text_is_sent_as_it_is(tmp_path: Path) -> None:
    """No name, no fence, no byte more."""
    path = tmp_path / "a.csv"
    path.write_text("ü,1\n")
    assert attach(path) == [Text("ü,1\n")]


def test_what_cannot_be_sent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there, bytes that are nothing, too many of them."""
    with pytest.raises(UsageError, match="cannot read"):
        attach(tmp_path / "no")
    (tmp_path / "x").write_bytes(b"\0\1\2")
    with pytest.raises(DataError, match="neither text"):
        attach(tmp_path / "x")
    (tmp_path / "y").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="neither text"):
        attach(tmp_path / "y")
    monkeypatch.setattr("grn.llm.attach._MAX_BYTES", 2)
    with pytest.raises(UsageError, match="too large"):
        attach(tmp_path / "x")


def test_a_folder_is_its_text_files(tmp_path: Path) -> None:
    """By path, each under its name; hidden and binary files are left out."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.py").write_text("2")
    (tmp_path / "a.py").write_text("1")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "data.bin").write_bytes(b"\0")
    assert attach(tmp_path) == [Text("a.py\n\n1"), Text("b/two.py\n\n2")]


def test_a_repository_is_what_git_knows(tmp_path: Path) -> None:
    """Ignored files stay here: secrets and builds are what is ignored."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("secret.txt\n")
    (tmp_path / "secret.txt").write_text("key")
    (tmp_path / "new.py").write_text("1")
    assert [name for name, _ in texts_below(tmp_path)] == [".gitignore", "new.py"]
