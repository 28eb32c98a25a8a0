"""Compiled code on disk: where Numba keeps it, and what happens when a file of it is damaged."""

from __future__ import annotations

import os
from typing import Any

from grn.kit.paths import cache_dir


def place_cache() -> None:
    """Have Numba keep machine code under ``numba`` in :func:`~grn.kit.paths.cache_dir`.

    By itself it writes beside the source, which an installed package may not be able to. ``NUMBA_CACHE_DIR``
    wins. To be called before functions are compiled with ``cache=True``.
    """
    if not os.environ.get("NUMBA_CACHE_DIR"):
        os.environ["NUMBA_CACHE_DIR"] = str(cache_dir() / "numba")
    import numba

    # Someone may have imported Numba before; it read the environment then.
    config: Any = numba.config
    if not config.CACHE_DIR:
        config.reload_config()


def load_or_compile(dispatcher: Any, signature: Any, *callees: Any) -> None:
    """Make a Numba function ready for arguments of these types, from the disk cache if it is there.

    Whatever a file of the cache holds must not stand in the way: when loading fails, the files of the
    function and of the functions that are compiled into it are emptied, and it is compiled anew.

    Parameters
    ----------
    dispatcher
        What ``numba.njit(cache=True)`` returned.
    signature
        Tuple of Numba types, or a signature.
    callees
        Cached functions that it calls.
    """
    try:
        dispatcher.compile(signature)
    # Numba unpickles without checks: a damaged file may raise anything.
    except Exception:
        for function in (dispatcher, *callees):
            # Writes an empty index: the machine code of old is not looked at again.
            function._cache.flush()
        dispatcher.compile(signature)
