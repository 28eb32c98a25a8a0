"""A limit on the memory of a command: of a control group where the user has one, else of each process."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from grn.kit.errors import UsageError

_PROBE_TIMEOUT_S = 10.0


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


def _succeeds(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
