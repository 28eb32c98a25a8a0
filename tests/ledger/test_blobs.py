from __future__ import annotations

from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import LedgerError
from grn.kit.files import sha256_hex
from grn.ledger.blobs import BlobStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> BlobStore:
    return BlobStore(tmp_path_factory.mktemp("blobs"))


@given(data=st.binary(max_size=2_000))
def test_what_goes_in_comes_out(store: BlobStore, data: bytes) -> None:
    """The name is the SHA-256 of the content as it was given, so it can be checked without this program."""
    digest = store.put(data)
    assert digest == sha256_hex(data)
    assert store.get(digest) == data


def test_equal_contents_are_stored_once(tmp_path: Path) -> None:
    """Putting again changes nothing on the disk."""
    store = BlobStore(tmp_path)
    before = store.path(store.put(b"x" * 100)).stat().st_mtime_ns
    assert store.path(store.put(b"x" * 100)).stat().st_mtime_ns == before
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "swapped"])
def test_damage_is_detected_and_repaired_by_putting_again(tmp_path: Path, damage: str) -> None:
    """Whatever happens to a file, its name tells; the same content put again heals it."""
    store = BlobStore(tmp_path)
    data = bytes(range(256)) * 4
    digest = store.put(data)
    path = store.path(digest)
    packed = path.read_bytes()
    middle = len(packed) // 2
    path.write_bytes(
        {
            "cut": packed[:-5],
            "flipped": packed[:middle] + bytes([packed[middle] ^ 1]) + packed[middle + 1 :],
            "emptied": b"",
            "swapped": zstandard.compress(b"another content"),
        }[damage]
    )
    with pytest.raises(LedgerError, match="damaged") as caught:
        store.get(digest)
    assert "backup" in (caught.value.hint or "")
    assert store.put(data) == digest
    assert store.get(digest) == data


def test_a_blob_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Missing is told from damaged."""
    with pytest.raises(LedgerError, match="no such blob"):
        BlobStore(tmp_path).get("0" * 64)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_a_name_is_a_digest_and_never_a_path(tmp_path: Path, name: str) -> None:
    """Names come from a file that others may write: none leads out of the folder."""
    with pytest.raises(LedgerError, match="64"):
        BlobStore(tmp_path).get(name)
