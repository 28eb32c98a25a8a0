"""A limit on the memory of a command: of a control group where the user has one, else of each process."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grn.kit.errors import BudgetError, UsageError

_GIB = 1 << 30
_PROBE_TIMEOUT_S = 10.0
_PROGRAM_BYTES = _GIB
"""What a command may take in any case: its own libraries, compiled code, stacks of threads."""


@dataclass(frozen=True)
class Cap:
    """How a command's memory is limited.

    Attributes
    ----------
    n_bytes
        The limit.
    prefix
        Words in front of the command that put it into a control group; empty for a limit per process.
    reason
        One sentence for a person.
    """

    n_bytes: int
    prefix: tuple[str, ...]
    reason: str

    def limit_process(self) -> None:
        """Limit this process and what it starts, each by itself, where no control group does.

        Private memory that can be written to is what counts (``RLIMIT_DATA``, setrlimit(2)), not addresses
        (``RLIMIT_AS``): CUDA and Numba reserve far more of those than they ever use.
        """
        if not self.prefix:
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            limit = self.n_bytes if hard == resource.RLIM_INFINITY else min(self.n_bytes, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def plan_cap(
    n_bytes: int,
    *,
    environ: Mapping[str, str] = os.environ,
    succeeds: Callable[[Sequence[str]], bool] | None = None,
) -> Cap:
    """Decide how to limit a command's memory.

    Parameters
    ----------
    n_bytes
        The limit; swap is not to be had beside it.
    environ
        The environment: a user's service manager is found through ``XDG_RUNTIME_DIR``.
    succeeds
        Runs a command and tells whether it ended well; default: really.

    Raises
    ------
    UsageError
        The limit is not positive.
    """
    if n_bytes < 1:
        raise UsageError("a memory limit is of at least one byte", seen=n_bytes)
    scope = (
        "systemd-run", "--user", "--scope", "--quiet", "--collect",
        f"--property=MemoryMax={n_bytes}", "--property=MemorySwapMax=0", "--",
    )  # fmt: skip
    gib = f"{n_bytes / (1 << 30):.4g} GiB"
    if not environ.get("XDG_RUNTIME_DIR"):
        why = "no service manager of this user"
    elif not (succeeds or _succeeds)((*scope, "true")):
        why = "systemd-run --user does not work here"
    else:
        return Cap(n_bytes, scope, f"{gib} for the command and all it starts, by a control group")
    return Cap(n_bytes, (), f"{gib} for each process of the command, by limits: {why}")


@contextlib.contextmanager
def capped(n_bytes: int, *, proc: Path = Path("/proc")) -> Iterator[None]:
    """Limit what this process takes during a ``with`` block, beside what it has at its beginning.

    It is the limit of :meth:`Cap.limit_process`, and is lifted at the end. Below one GiB it is one GiB: what
    a job takes of less than that is priced before it begins, and a limit would stop its libraries.

    Raises
    ------
    BudgetError
        Memory could not be had within the block.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _private_bytes(proc) + max(n_bytes, _PROGRAM_BYTES)
    limits = [limit for limit in (wanted, before, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    except Exception as error:
        if not _ran_out(error):
            raise
        raise BudgetError(
            f"this would take more than the {n_bytes / _GIB:.4g} GiB that a job may take",
            seen=str(error) or None,
            hint="make the work smaller, or raise memory_gib in config.toml",
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def _ran_out(error: BaseException | None) -> bool:
    """Whether memory could not be had, also where that was said in other words since."""
    return error is not None and (isinstance(error, MemoryError) or _ran_out(error.__cause__))


def _private_bytes(proc: Path) -> int:
    """Private memory of this process that can be written to (VmData of proc_pid_status(5)); 0 if not told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (proc / "self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def _succeeds(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
