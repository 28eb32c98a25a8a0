"""Bash that runs on a cluster's login node, one file for each question, and the body of jobs.

A cluster has bash, coreutils, rsync and its scheduler; nothing of ours is installed there.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read_script(name: str) -> str:
    """Text of a script, by its name without ``.sh``."""
    return (files(__name__) / f"{name}.sh").read_text(encoding="utf-8")
