"""One connection to a cluster through the system's OpenSSH; everything goes over it.

Sites punish many logins, and ask for a second factor at each. So a master connection is opened once, and
every command and copy is multiplexed over it. A dead master's socket would make ssh log in anew, silently:
commands other than the first are therefore forbidden to open a connection of their own.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grn.compute.clusters import Cluster
from grn.compute.remote import read_script
from grn.kit.errors import ClusterError, GrnError, MissingError, OutputError, UnreachableError
from grn.kit.files import sha256_hex

_MARK = b"\x1egrn\x1e\n"
"""What a start-up file of the account prints stands before it, and is left out."""
_CONNECT_S = 20
_PERSIST = "30m"
_LOST = 255  # ssh's own exit code for an error of the connection (ssh(1))
_SPACE = (b"No space left on device", b"Disk quota exceeded")


@dataclass(frozen=True)
class Said:
    """What a command on the cluster gave back."""

    code: int
    out: str
    err: str


class Connection:
    """A connection that is opened once and shared by everything after it, also by later commands.

    Parameters
    ----------
    name
        The cluster's name, for messages.
    cluster
        Where it is.
    sockets
        Folder of the master's socket, the user's alone; default the system's place for such files.
    """

    def __init__(self, name: str, cluster: Cluster, *, sockets: Path | None = None) -> None:
        self.name = name
        self.host = cluster.host
        self._config = (
            [] if cluster.ssh_config is None else ["-F", str(Path(cluster.ssh_config).expanduser())]
        )
        folder = _sockets() if sockets is None else sockets
        # Cut: a socket's whole path has 107 bytes at most (unix(7)), and ssh adds 17 while it makes it.
        self._socket = folder / sha256_hex("\n".join([cluster.host, *self._config]).encode())[:16]

    def open(self, *, interactive: bool = False) -> None:
        """Open the master, unless it is open: a no-op then.

        Parameters
        ----------
        interactive
            Let ssh ask on the terminal, for a password or a second factor. Otherwise nothing may ask.

        Raises
        ------
        UnreachableError
            The host does not answer, is not the one that is known, or wants more than a key.
        """
        if self.is_open():
            return
        self._socket.unlink(missing_ok=True)
        command = [*self._ssh(batch=not interactive), "-M", "-N", "-f", "-o", f"ControlPersist={_PERSIST}"]
        # A file, for the master keeps its stderr open.
        with tempfile.TemporaryFile() as told:
            ran = subprocess.run(
                [*command, "--", self.host],
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if interactive else told,
                check=False,
            )
            told.seek(0)
            err = told.read()
        if ran.returncode or not self.is_open():
            raise self._explain(err)

    def is_open(self) -> bool:
        """Whether the master is there and answers."""
        return self._control("check")

    def close(self) -> bool:
        """End the master; tells whether there was one."""
        return self._control("exit")

    def script(self, name: str, *arguments: str) -> Said:
        """Run one of the scripts of :mod:`grn.compute.remote` on the login node, and wait for it.

        Raises
        ------
        UnreachableError
            The connection broke.
        """
        ran = subprocess.run(self._shell(arguments), input=_read(name), capture_output=True, check=False)
        _, mark, out = ran.stdout.partition(_MARK)
        if ran.returncode == _LOST or not mark:
            raise self._explain(ran.stderr)
        return Said(ran.returncode, out.decode(errors="replace"), ran.stderr.decode(errors="replace"))

    def listen(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a script whose output is read as it comes; its stdin stays open until the listener goes.

        Raises
        ------
        UnreachableError
            The connection broke before it began.
        """
        process = subprocess.Popen(
            self._shell(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(_read(name))
            process.stdin.flush()
        for line in process.stdout:
            if line == _MARK:
                return process
        _, err = process.communicate()
        raise self._explain(err)

    def push(self, source: Path, files: Iterable[str], target: str) -> None:
        """Copy files below a folder here to a folder there; what is there already is not sent again.

        Raises
        ------
        UnreachableError, OutputError, ClusterError
            The connection broke; the disk there is full; rsync refuses for another reason.
        """
        listed = b"".join(name.encode() + b"\0" for name in files)
        self._rsync(
            ["--files-from=-", "--from0", "-pLt", "--partial-dir=.grn-partial", f"{source}/"],
            self._there(target),
            listed,
        )

    def pull(self, source: str, target: Path) -> None:
        """Copy a folder there, with all it holds, to a folder here, by content.

        Raises
        ------
        UnreachableError, OutputError, ClusterError
            As in :meth:`push`, for the disk here.
        """
        self._rsync(
            ["-rlpt", "--checksum", "--delete", "--partial-dir=.grn-partial", self._there(f"{source}/")],
            f"{target}/",
        )

    def _rsync(self, options: Sequence[str], target: str, listed: bytes = b"") -> None:
        if shutil.which("rsync") is None:
            raise MissingError("files are copied by rsync, which is not here", hint="install rsync")
        command = ["rsync", "-s", "-e", shlex.join(self._client()), *options, target]
        ran = subprocess.run(command, input=listed, capture_output=True, check=False)
        if ran.returncode == 0:
            return
        err = ran.stderr
        if any(sign in err for sign in _SPACE):
            raise OutputError(
                f"the disk is full: files cannot be copied between here and {self.name}",
                seen=_last(err),
                hint="make room; what was copied is kept and not sent again",
            )
        if b"is your shell clean" in err:
            raise ClusterError(
                f"the account on {self.name} prints something at every login, which breaks rsync",
                hint="silence ~/.bashrc there for shells that are not interactive",
            )
        if ran.returncode in (_LOST, 12, 10, 30, 35):  # rsync(1): the stream, the socket, a time-out
            raise self._explain(err)
        raise ClusterError(f"rsync to {self.name} failed", seen=_last(err), hint="run it again")

    def _there(self, path: str) -> str:
        return f"{self.host}:{path}"

    def _ssh(self, *, batch: bool = True) -> list[str]:
        if shutil.which("ssh") is None:
            raise MissingError("clusters are reached by ssh, which is not here", hint="install OpenSSH")
        options = {
            "ControlPath": str(self._socket),
            # Not `accept-new`: a cluster's key comes from its own pages, not from whoever answers first.
            "StrictHostKeyChecking": "ask" if not batch else "yes",
            "BatchMode": "yes" if batch else "no",
            "ConnectTimeout": str(_CONNECT_S),
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
        }
        return ["ssh", *self._config, *(part for key, value in options.items()
                                       for part in ("-o", f"{key}={value}"))]  # fmt: skip

    def _client(self) -> list[str]:
        """Words of an ssh that goes over the master or fails: its own way to the host is barred."""
        return [
            *self._ssh(),
            "-T",
            "-o",
            "ControlMaster=no",
            "-o",
            "ProxyCommand=false",
            "-o",
            "LogLevel=ERROR",
        ]

    def _shell(self, arguments: Sequence[str]) -> list[str]:
        # The account's own shell sees one simple command; quoting is that of POSIX shells.
        return [*self._client(), "--", self.host, shlex.join(["bash", "-s", "--", *arguments])]

    def _control(self, word: str) -> bool:
        if not self._socket.exists():
            return False
        ran = subprocess.run(
            [*self._ssh(), "-O", word, "--", self.host],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return ran.returncode == 0

    def _explain(self, err: bytes) -> GrnError:
        """What ssh's complaint means, and what to do next."""
        text, name = err.decode(errors="replace"), self.name
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in text:
            return UnreachableError(
                f"{name} does not show the host key that is known: somebody may be in between",
                seen=self.host,
                hint="compare the new key with the cluster's own pages before you remove the old one: "
                f"ssh-keygen -R {self.host}",
            )
        if "host key is known for" in text or "Host key verification failed" in text:
            return UnreachableError(
                f"the host key of {name} is not known here",
                seen=self.host,
                hint="connect once and compare the key with the cluster's own pages: "
                f"grn compute connect {name}",
            )
        if "Permission denied" in text:
            return UnreachableError(
                f"{name} wants a password or a second factor, and nothing may ask for it here",
                seen=_last(err),
                hint=f"open the connection yourself, once: grn compute connect {name}; "
                "what follows goes over it",
            )
        if self._socket.exists() and not self.is_open():
            self._socket.unlink(missing_ok=True)
        return UnreachableError(
            f"{name} cannot be reached",
            seen=_last(err) or "the connection broke",
            hint=f"try: ssh {self.host}; nothing is lost, run the command again",
        )


def _read(name: str) -> bytes:
    # In a function, so that bash has read all of it before it begins, and what it runs does not read on.
    body = read_script(name)
    return f"grn() {{\n{body}\n}}\nprintf '\\036grn\\036\\n'; grn \"$@\"; exit\n".encode()


def _sockets() -> Path:
    """A folder that only this user can look into."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "grn" if runtime else Path(tempfile.gettempdir()) / f"grn-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = folder.stat()
    if there.st_uid != os.getuid() or there.st_mode & 0o077:
        raise OutputError(
            "the folder for connections can be looked into by others", seen=str(folder), hint="remove it"
        )
    return folder


def _last(err: bytes) -> str | None:
    """The last line that says something."""
    lines = [line.strip() for line in err.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else None
