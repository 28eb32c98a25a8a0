"""How a command and a resident model speak: JSON lines over a Unix socket that only its owner can reach."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from grn.kit import errors
from grn.kit.errors import GrnError, OutputError, ProviderError
from grn.kit.files import make_dir
from grn.kit.paths import cache_dir

PROTOCOL = 1
"""Changes whenever one side would misread the other; a resident of another protocol is replaced."""

# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included (unix(7), unix(4)).
_LONGEST = 100
Line = dict[str, Any]


def run_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Make the folder of sockets and locks, and see that nobody else may enter it.

    ``run`` in ``$GRN_CACHE`` where that is set; else ``grn`` in ``$XDG_RUNTIME_DIR``; else ``run`` in
    :func:`grn.kit.paths.cache_dir`.

    Raises
    ------
    OutputError
        It cannot be made, is somebody else's, or others may enter it.
    """
    env = os.environ if environ is None else environ
    base = Path(env.get("XDG_RUNTIME_DIR") or "-")
    own = not env.get("GRN_CACHE") and base.is_absolute() and base.is_dir()
    folder = base / "grn" if own else cache_dir(env) / "run"
    make_dir(folder.parent)
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise OutputError(
            f"cannot make {folder}", seen=error.strerror, hint="set GRN_CACHE to a folder of yours"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OutputError(
            "the folder of local models' sockets is open to others",
            seen=f"{folder}: {stat.filemode(found.st_mode)}, owner {found.st_uid}",
            hint=f"chmod 700 {folder}",
        )
    return folder


class Channel:
    """One connection; a context manager. Lines are JSON objects; whoever closes first ends what is said."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._read = connection.makefile("rb")

    @classmethod
    def dial(cls, path: Path, timeout_s: float | None) -> Self:
        """Connect to a socket; ``timeout_s`` bounds every later wait too.

        Raises
        ------
        OSError
            Nobody listens there.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            with _reachable(path) as address:
                connection.connect(address)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def send(self, line: Line) -> None:
        """Send one line.

        Raises
        ------
        OSError
            The other side has gone.
        """
        self._connection.sendall(
            json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        )

    def lines(self) -> Iterator[Line]:
        """Give lines until the other side closes; a line that was cut off is none."""
        for raw in self._read:
            if not raw.endswith(b"\n"):
                return
            line: Line = json.loads(raw.decode("utf-8", "surrogatepass"))
            yield line

    def close(self) -> None:
        """Hang up."""
        self._read.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def listen(path: Path) -> socket.socket:
    """Listen at a path, in the place of whoever has died there."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        with _reachable(path) as address:
            listener.bind(address)
        listener.listen(64)
    except BaseException:
        listener.close()
        raise
    return listener


def plain_error(error: Exception) -> Line:
    """Give an error as data; one that is no :class:`GrnError` becomes a :class:`ProviderError`."""
    if not isinstance(error, GrnError):
        what = f"the local model failed: {type(error).__name__}"
        error = ProviderError(what, seen=str(error), hint="grn llm local status names the log")
    seen = None if error.seen is None else str(error.seen)
    return {"error": type(error).__name__, "what": error.what, "seen": seen, "hint": error.hint}


def error_from_plain(line: Line) -> GrnError:
    """Read back what :func:`plain_error` gave."""
    kind = getattr(errors, str(line.get("error")), ProviderError)
    if not (isinstance(kind, type) and issubclass(kind, GrnError)):
        kind = ProviderError
    error: GrnError = kind(
        line.get("what") or "the local model failed", seen=line.get("seen"), hint=line.get("hint")
    )
    return error


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Give a name of a socket that fits into an address: a long one goes through its open folder (Linux)."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
