from __future__ import annotations

import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from grn.kit.errors import OutputError, UsageError
from grn.kit.signing import open_key, verify

pytest.importorskip("cryptography", reason="the extra `certify` is not installed")

# RFC 8032, section 7.1, TEST 2: secret key, public key, message, signature.
SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_signatures_are_those_of_the_standard(tmp_path: Path) -> None:
    """RFC 8032's second vector, signed and verified."""
    path = tmp_path / "key"
    path.write_bytes(bytes.fromhex(SECRET))
    path.chmod(0o600)
    key = open_key(path)
    assert key.public == PUBLIC
    assert key.sign(b"\x72") == SIGNATURE
    assert verify(PUBLIC, SIGNATURE, b"\x72")


@pytest.mark.parametrize(
    ("public", "signature", "data"),
    [
        (PUBLIC, SIGNATURE, b"\x73"),
        (PUBLIC, "00" + SIGNATURE[2:], b"\x72"),
        ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", SIGNATURE, b"\x72"),
        ("no hex", SIGNATURE, b"\x72"),
        (PUBLIC[:-2], SIGNATURE, b"\x72"),
        (PUBLIC, "", b"\x72"),
    ],
)
def test_what_was_not_signed_does_not_verify(public: str, signature: str, data: bytes) -> None:
    """Another message, signature or key, and texts that are none: false, and no error."""
    assert not verify(public, signature, data)


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 600 from the first moment, the same key the next time, nothing left beside it."""
    path = tmp_path / "keys" / "certify.key"
    public = open_key(path).public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_key(path).public == public
    assert [p.name for p in path.parent.iterdir()] == ["certify.key"]


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    """Neither in its text nor in a pickle."""
    path = tmp_path / "key"
    key = open_key(path)
    secret = path.read_bytes().hex()
    assert secret not in repr(key)
    assert key.public in str(key)
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(key)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Whoever can read it can sign; the hint says how to mend it, and no error shows it."""
    path = tmp_path / "key"
    open_key(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others can read") as caught:
        open_key(path)
    assert caught.value.seen == "mode 644"
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(UsageError, match="no signing key"):
        open_key(path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        open_key(tmp_path / "file" / "key")


def test_processes_that_make_a_key_at_the_same_time_get_the_same_one(tmp_path: Path) -> None:
    """The first one wins, and nobody's key is replaced."""
    code = (
        "import sys; from pathlib import Path; from grn.kit.signing import open_key; "
        "print(open_key(Path(sys.argv[1])).public)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "key")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0] for process in started}
    assert len(said) == 1
    assert len(said.pop().strip()) == 64
