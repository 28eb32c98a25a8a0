"""Where things live: the ledger and the configuration (worth a backup), and the cache (not worth one)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from grn.kit.errors import UsageError


def grn_home(environ: Mapping[str, str] | None = None) -> Path:
    """Folder of everything that must not be lost.

    ``$GRN_HOME``; else the platform's place for user data: ``$XDG_DATA_HOME/grn`` (by default
    ``~/.local/share/grn``), on macOS ``~/Library/Application Support/grn``. Nothing is created here.

    Raises
    ------
    UsageError
        The user has no home folder and ``GRN_HOME`` is not set.
    """
    return _place(
        "GRN_HOME",
        "XDG_DATA_HOME",
        ".local/share",
        "Library/Application Support",
        environ,
    )


def ledger_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Folder of the ledger: ``ledger`` in :func:`grn_home`."""
    return grn_home(environ) / "ledger"


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Folder of what can be computed again.

    ``$GRN_CACHE``; else ``$XDG_CACHE_HOME/grn`` (by default ``~/.cache/grn``), on macOS
    ``~/Library/Caches/grn``.
    """
    return _place("GRN_CACHE", "XDG_CACHE_HOME", ".cache", "Library/Caches", environ)


def _place(
    own: str,
    xdg: str,
    below_home: str,
    on_macos: str,
    environ: Mapping[str, str] | None,
) -> Path:
    env = os.environ if environ is None else environ
    chosen = env.get(own)
    if chosen:
        return _expand_user(chosen, own).absolute()
    base = env.get(xdg)
    # The XDG specification: a relative path is invalid and has to be ignored.
    if base and Path(base).is_absolute():
        return Path(base) / "grn"
    return _expand_user("~", own) / (on_macos if sys.platform == "darwin" else below_home) / "grn"


def _expand_user(text: str, variable: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            "this user has no home folder",
            hint=f"set {variable} to a folder you may write to",
        ) from error
