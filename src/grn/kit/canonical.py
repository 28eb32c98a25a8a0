"""One byte string per value: the form in which inputs are hashed and stored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath


def canonical_json(value: object) -> bytes:
    """Write a value as JSON such that equal values give equal bytes, on every machine.

    Keys are sorted by code point, there is no white space, text is escaped to ASCII, and floats are written
    in the shortest form that reads back to the same double (so ``1`` and ``1.0`` differ, and so do ``0.0``
    and ``-0.0``). JSON has no NaN: NaN and the infinities become the texts ``"NaN"``, ``"Infinity"`` and
    ``"-Infinity"``, and every NaN is the same NaN. Tuples are lists; enum members are their values; paths
    are POSIX text; NumPy scalars are the Python numbers they hold.

    Raises
    ------
    TypeError
        A value, or a mapping's key, of a type that has no canonical form (sets have no order; an array's
        identity is the hash of its bytes, see :func:`grn.kit.files.sha256_hex`).
    """
    text = json.dumps(
        _plain(value),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        allow_nan=False,
    )
    return text.encode("ascii")


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _plain_float(float(value))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"canonical JSON needs text keys, not {type(key).__name__}: {key!r}")
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return value.as_posix()
    # NumPy's scalars are recognised by their module: kit does not import NumPy.
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        item: object = value.item()  # type: ignore[attr-defined]
        if type(item) is not type(value):  # a longdouble's item is itself
            return _plain(item)
    raise TypeError(f"no canonical JSON for {type(value).__name__}: {value!r:.80}")


def _plain_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
