"""Ed25519 signatures (RFC 8032): a key of this machine that is made once, signs, and is never shown.

Signing is what the package `cryptography` does; here is where the key lies and how it is kept.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.errors import OutputError, UsageError, require_extra
from grn.kit.files import fsync_dir, make_dir

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_EXTRA = "certify"
_MODULE = "cryptography.hazmat.primitives.asymmetric.ed25519"
_BYTES = 32


class SigningKey:
    """A private key that signs; neither its text nor its pickle shows it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> str:
        """The public key: 64 hex digits, by which anybody can verify."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> str:
        """Sign some bytes: 128 hex digits, the same for the same bytes."""
        return self._key.sign(data).hex()

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a signing key stays in its process")


def open_key(path: Path) -> SigningKey:
    """Read a key, or make one where there is none: 32 bytes that only their owner can read (mode 600).

    Raises
    ------
    MissingExtraError
        `cryptography` is not installed.
    OutputError
        The key cannot be written.
    UsageError
        The file is no key, or others can read it.
    """
    module = require_extra(_MODULE, _EXTRA)
    with contextlib.suppress(FileExistsError):
        _write_new(path, module.Ed25519PrivateKey.generate().private_bytes_raw())
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the signing key {path}", seen=error.strerror) from error
    if mode & 0o077:
        raise UsageError(
            f"others can read the signing key {path}", seen=f"mode {mode:o}", hint=f"chmod 600 {path}"
        )
    if len(data) != _BYTES:
        raise UsageError(
            f"{path} is no signing key",
            seen=f"{len(data)} bytes",
            hint="restore it from a backup, or remove it: the next certificate is signed with a new key",
        )
    return SigningKey(module.Ed25519PrivateKey.from_private_bytes(data))


def verify(public: str, signature: str, data: bytes) -> bool:
    """Whether a signature of some bytes was made with the private half of a public key.

    Raises
    ------
    MissingExtraError
        `cryptography` is not installed.
    """
    module = require_extra(_MODULE, _EXTRA)
    invalid = require_extra("cryptography.exceptions", _EXTRA).InvalidSignature
    try:
        key = module.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), data)
    except (ValueError, invalid):
        return False
    return True


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, whole or not at all, with mode 600 from its first moment."""
    if path.exists():
        raise FileExistsError
    make_dir(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            # A link, unlike a rename, does not replace what another process has just made.
            os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        fsync_dir(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}", seen=error.strerror) from error
