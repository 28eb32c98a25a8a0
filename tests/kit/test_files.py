from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grn.kit.errors import OutputError, UsageError
from grn.kit.files import lock, make_dir, sha256_hex, write_atomic

HOLD = """
import sys, time
from grn.kit.files import lock
with lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_hash_joins_its_chunks() -> None:
    """Arrays hash as their bytes, without a copy; the expected digest is hashlib's."""
    array = np.arange(5, dtype=np.int64)
    assert sha256_hex(b"ab", array) == hashlib.sha256(b"ab" + array.tobytes()).hexdigest()
    assert sha256_hex() == hashlib.sha256().hexdigest()


def test_writing_replaces_the_whole_content(tmp_path: Path) -> None:
    """The new content is there alone, text as UTF-8, and no temporary file stays."""
    path = tmp_path / "report.html"
    write_atomic(path, b"old and much longer")
    write_atomic(path, "né")
    assert path.read_bytes() == b"n\xc3\xa9"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    """Others may read a report where the user's umask allows it."""
    write_atomic(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full in the middle costs neither the old content nor a stray file."""
    path = tmp_path / "report.html"
    write_atomic(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error_unless_asked_for(tmp_path: Path) -> None:
    """A typing error in a path must not build a tree of folders; the hint says how to."""
    path = tmp_path / "a" / "b" / "file"
    with pytest.raises(OutputError) as caught:
        write_atomic(path, b"x")
    assert caught.value.hint == f"create the folder first: mkdir -p {path.parent}"
    write_atomic(path, b"x", make_parents=True)
    assert path.read_bytes() == b"x"


def test_folders_and_devices_are_never_replaced(tmp_path: Path) -> None:
    """A rename as root would turn /dev/null into a regular file."""
    for path in (tmp_path, Path(os.devnull)):
        with pytest.raises(OutputError, match="not a regular file"):
            write_atomic(path, b"x")
    assert not Path(os.devnull).is_file()


def test_a_symbolic_link_keeps_pointing(tmp_path: Path) -> None:
    """Writing through a link changes the file behind it."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    """make_dir says what is in the way."""
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(OutputError, match="taken"):
        make_dir(tmp_path / "taken" / "below")


def test_a_lock_excludes_and_dies_with_its_owner(tmp_path: Path) -> None:
    """While another process holds it nobody gets it; once that process is killed, anybody does."""
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="another process"), lock(path, timeout_s=0.05):
            pass
        owner.kill()
        owner.wait()
        with lock(path, timeout_s=5.0):
            pass
    with lock(path):  # and it can be had again after it was freed
        pass


def test_a_lock_that_cannot_be_created_is_an_output_error(tmp_path: Path) -> None:
    """The folder is missing."""
    with pytest.raises(OutputError), lock(tmp_path / "no" / "lock"):
        pass
