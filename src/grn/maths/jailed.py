"""One question to one program in a jail of its own: started, asked, ended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grn.kit.errors import MissingError
from grn.maths.gate import jail
from grn.maths.gate.sandbox import PROCESSES, mounts

MEMORY_MIB = 2048
"""Address space of each process in it: Sphinx, Z3 and NumPy map about a third of it."""


def ask_in_jail(
    program: Path, question: Mapping[str, Any], *, time_s: float, memory_mib: int = MEMORY_MIB
) -> dict[str, Any]:
    """Run a program in a jail and give what it answers; ``{"ended": why}`` where it did not.

    The jail is that of proposed tests: a read-only system, no home, no network, 16 MiB of files in memory,
    limits of memory, processes and time.

    Parameters
    ----------
    program
        Standard library and installed packages only: this package is not there. It reads one line of JSON and
        writes one.
    time_s
        Wall clock for all of it.

    Raises
    ------
    MissingError
        The kernel gives no namespaces to this user: nothing is run then.
    """
    place = tempfile.mkdtemp(prefix="grn-jail-")
    plan = {
        "root": place,
        "bind": mounts(),
        "program": str(program),
        "python": sys.executable,
        "memory_mib": memory_mib,
        "processes": PROCESSES,
        "user": os.getpid(),
    }
    command = [sys.executable, "-I", str(Path(jail.__file__)), json.dumps(plan)]
    try:
        ran = subprocess.run(
            command,
            input=json.dumps(question).encode() + b"\n",
            capture_output=True,
            timeout=time_s,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return {"ended": f"more than {time_s:g} s"}
    finally:
        shutil.rmtree(place, ignore_errors=True)
    said = ran.stderr.decode(errors="replace").strip()
    if ran.returncode == jail.REFUSED:
        raise MissingError(
            "there is no sandbox here, and code that nobody has read runs in nothing else",
            seen=said,
            hint="it takes Linux 5.12 that gives namespaces to this user, or root that may mount",
        )
    try:
        return dict(json.loads(ran.stdout))
    except (ValueError, TypeError):
        return {"ended": f"status {ran.returncode}: {said[-200:]}"}
