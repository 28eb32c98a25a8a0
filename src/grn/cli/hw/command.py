"""What `grn hw pin` and `grn hw lease` share: going on as another program."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from grn.kit.errors import MissingError


def find_command(command: Sequence[str]) -> str:
    """Path of the program that a command names.

    Raises
    ------
    MissingError
        There is none that may be run.
    """
    found = shutil.which(command[0])
    if found is None:
        raise MissingError(
            "there is no such command", seen=command[0], hint="write it as the shell would find it"
        )
    return found


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Go on as another program, in this very process: signals, exit status and terminal are its own."""
    path = find_command(command)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(path, list(command), dict(environ))
