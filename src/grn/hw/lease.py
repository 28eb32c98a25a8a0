"""Memory of a card, shared out among processes: who takes how much, and what is left.

A card's driver gives memory to whoever asks first, and two sweeps that have both seen it free fail half-way.
Here each process writes down what it is going to take before it does.  Leases lie in one small file per card,
changed under a lock; one whose process has ended, however it ended, is nobody's and is removed by the next
who takes.  It is an agreement among our own processes: what other programs hold is not in it, so ask the
driver too what is free.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from grn.kit.canonical import canonical_json
from grn.kit.errors import BudgetError, UsageError
from grn.kit.files import lock, make_dir, write_atomic
from grn.kit.paths import grn_home

GIB = 1 << 30
_POLL_S = 0.05
_LOCK_S = 30.0
_NVIDIA = ("nvidia-smi", "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits")
_NVIDIA_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Card:
    """A card: its name for the driver, its name for a person, and its memory in bytes."""

    uuid: str
    name: str
    total: int


@dataclass(frozen=True)
class Lease:
    """A part of a card's memory that a process has taken.

    Attributes
    ----------
    token
        Tells two leases of one process apart.
    pid, started, boot
        The process: its number, when the kernel started it (clock ticks), and since which start of the
        machine numbers are counted.  Together they are never given again.
    n_bytes
        How much.
    what
        What for, in a few words.
    """

    token: str
    pid: int
    started: int | None
    boot: str | None
    n_bytes: int
    what: str


class Leases:
    """The leases of one card.

    Parameters
    ----------
    card
        Name of the card, such as its UUID.
    total
        Memory that may be leased, bytes.
    folder
        Where the leases of all cards lie, on a local disk; default in ``$GRN_HOME``.
    proc
        Where the kernel tells of processes (another folder for tests).
    """

    def __init__(
        self, card: str, total: int, *, folder: Path | None = None, proc: Path = Path("/proc")
    ) -> None:
        if total < 0:
            raise UsageError("a card's memory is not negative", seen=total)
        self.card = card
        self.total = total
        self._folder = grn_home() / "leases" if folder is None else folder
        self._file = self._folder / (re.sub(r"[^\w.-]+", "_", card) + ".json")
        self._proc = proc

    def held(self) -> list[Lease]:
        """Leases of processes that are alive, the oldest first."""
        make_dir(self._folder)
        with self._locked():
            return self._read()

    def free(self) -> int:
        """Bytes that nobody has taken."""
        return max(0, self.total - sum(lease.n_bytes for lease in self.held()))

    @contextlib.contextmanager
    def take(self, n_bytes: int, what: str, *, wait_s: float = 0.0) -> Iterator[Lease]:
        """Hold memory for the length of a ``with`` block.

        Parameters
        ----------
        n_bytes
            How much.
        what
            What for: it is shown to those who are refused.
        wait_s
            How long to wait for others to give memory back.

        Raises
        ------
        BudgetError
            It is more than the card has, or others hold it and have not given it back in time; the message
            says who holds what.
        """
        lease = self._take(n_bytes, what, wait_s)
        try:
            yield lease
        finally:
            self._give_back(lease)

    def keep(self, n_bytes: int, what: str, *, wait_s: float = 0.0) -> Lease:
        """Hold memory until this process ends, however it ends: nothing gives it back before.

        A process that goes on as another program (``execve``) is still the same process, and holds it.
        Parameters and errors are those of :meth:`take`.
        """
        return self._take(n_bytes, what, wait_s)

    def reach(self, n_bytes: int, what: str) -> Lease | None:
        """Hold so many bytes in all until this process ends; nothing is taken where it has them already.

        ``grn hw lease gpu -- COMMAND`` *becomes* the command, which has the lease that it was started with.
        Parameters and errors are those of :meth:`take`.
        """
        missing = n_bytes - self.ours()
        return self.keep(missing, what) if missing > 0 else None

    def ours(self) -> int:
        """Bytes that this process has taken."""
        return sum(lease.n_bytes for lease in self.held() if lease.pid == os.getpid())

    def give_back(self, lease: Lease) -> None:
        """End a lease of :meth:`keep` or :meth:`reach` before its process ends."""
        self._give_back(lease)

    def _take(self, n_bytes: int, what: str, wait_s: float) -> Lease:
        if n_bytes < 1:
            raise UsageError("a lease is of at least one byte", seen=n_bytes)
        if n_bytes > self.total:
            raise BudgetError(
                f"{what} needs {n_bytes / GIB:.3g} GiB of a card that has {self.total / GIB:.3g} GiB",
                seen=self.card,
                hint="take smaller batches, or the cpu engine",
            )
        make_dir(self._folder)
        pid = os.getpid()
        lease = Lease(secrets.token_hex(8), pid, self._started(pid), self._boot(), n_bytes, what)
        deadline = time.monotonic() + wait_s
        while True:
            with self._locked():
                held = self._read()
                left = self.total - sum(other.n_bytes for other in held)
                if n_bytes <= left:
                    self._write([*held, lease])
                    return lease
            if time.monotonic() >= deadline:
                holders = ", ".join(f"process {x.pid} ({x.what}): {x.n_bytes / GIB:.3g} GiB" for x in held)
                raise BudgetError(
                    f"{what} needs {n_bytes / GIB:.3g} GiB, and {max(0, left) / GIB:.3g} GiB of the card "
                    "are free",
                    seen=holders or None,
                    hint="wait until they are done, take smaller batches, or the cpu engine",
                )
            time.sleep(_POLL_S)

    def _give_back(self, lease: Lease) -> None:
        with self._locked():
            self._write([other for other in self._read() if other.token != lease.token])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with lock(self._file.with_suffix(".lock"), timeout_s=_LOCK_S):
            yield

    def _read(self) -> list[Lease]:
        """Leases in the file whose process is alive; a file that does not read holds none.

        It is written whole, so only something else can have damaged it, and a card that nobody can use any
        more would be worse than one that is promised twice: the driver still refuses.
        """
        try:
            listed = [Lease(**entry) for entry in json.loads(self._file.read_bytes())]
        except (FileNotFoundError, ValueError, TypeError):
            return []
        return [lease for lease in listed if self._alive(lease)]

    def _write(self, leases: Sequence[Lease]) -> None:
        write_atomic(self._file, canonical_json([asdict(lease) for lease in leases]))

    def _alive(self, lease: Lease) -> bool:
        if lease.started is None:
            return _answers(lease.pid)
        return lease.boot == self._boot() and lease.started == self._started(lease.pid)

    def _started(self, pid: int) -> int | None:
        """When the kernel started a process, clock ticks since the boot; ``None`` where there is none.

        A process that has ended and was not collected yet (a zombie) holds nothing any more.
        """
        try:
            text = (self._proc / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            return None
        # The second field is the command in parentheses, which may hold anything: what follows is numbered
        # from 3, the state, and the start is number 22 (proc_pid_stat(5)).
        fields = text.rpartition(")")[2].split()
        return None if len(fields) < 20 or fields[0] in "ZX" else int(fields[19])

    def _boot(self) -> str | None:
        try:
            return (self._proc / "sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None


def read_cards(run: Callable[[Sequence[str]], str] | None = None) -> tuple[Card, ...]:
    """The NVIDIA cards of this machine with their memory; none where the driver does not answer.

    Parameters
    ----------
    run
        Runs a command and returns its stdout, raising OSError or subprocess.SubprocessError; default: really.
    """
    try:
        listed = (run or _run)(_NVIDIA)
    except (OSError, subprocess.SubprocessError):
        return ()
    found = []
    for line in listed.splitlines():
        uuid, _, rest = line.partition(",")
        name, _, mib = rest.rpartition(",")
        with contextlib.suppress(ValueError):  # a sentence in place of a card
            found.append(Card(uuid.strip(), name.strip(), int(mib) << 20))
    return tuple(found)


def visible(cards: Sequence[Card], environ: Mapping[str, str] = os.environ) -> tuple[Card, ...]:
    """The cards that CUDA shows to this process: those that ``CUDA_VISIBLE_DEVICES`` names, or all.

    As CUDA reads it: numbers and beginnings of UUIDs up to the first that names no card.
    """
    named = environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return tuple(cards)
    shown: list[Card] = []
    for name in (part.strip() for part in named.split(",")):
        found = [
            card
            for number, card in enumerate(cards)
            if name and (name == str(number) or card.uuid.startswith(name))
        ]
        if len(found) != 1:
            break
        shown += found
    return tuple(shown)


def _answers(pid: int) -> bool:
    """Whether there is a process of this number, as far as a system without ``/proc`` can tell."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=_NVIDIA_TIMEOUT_S, check=True
    )
    return done.stdout
