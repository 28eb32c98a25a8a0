"""The lossless mode: a text coded so that it can be read as it stands and decoded to the letter."""

from __future__ import annotations

import json

from grn.llm.tokens.squeeze import data
from grn.llm.tokens.squeeze.coding import HEAD, Weigh, decode, encode

_JSON = f"{HEAD} JSON laid out "


def squeeze_lossless(text: str, weigh: Weigh) -> str:
    """Code a text with fewer tokens, or give it back as it is.

    JSON is written tightly, its layout named in the first line; everything else has its repetitions counted
    and its long words named (:mod:`grn.llm.tokens.squeeze.coding`).
    """
    found = encode(text, weigh)
    packed = _json(text)
    return packed if packed is not None and weigh(packed) < weigh(found) else found


def unsqueeze(coded: str) -> str:
    """Undo :func:`squeeze_lossless`, from its output alone.

    Raises
    ------
    ValueError
        It begins like a squeezed text and is none.
    """
    if not coded.startswith(_JSON):
        return decode(coded)
    head, _, body = coded.partition("\n")
    shape = json.loads(head.removeprefix(_JSON).partition("; ")[0])
    if not isinstance(shape, dict):
        raise ValueError(f"no layout: {head!r}")
    end = shape.pop("end")
    return data.dump(data.from_table(data.parse(body)), **shape) + str(end)


def _json(text: str) -> str | None:
    shape = data.shape_of(text) if text[:1] in ("{", "[") else None
    packed = None if shape is None or data.KEYS in text else data.pack(text)
    if packed is None:
        return None
    legend = f"; {data.KEYS}, {data.ROWS}: a list of objects" if data.KEYS in packed else ""
    coded = f"{_JSON}{json.dumps(shape, separators=(',', ':'))}{legend}\n{packed}"
    # What cannot be undone is not done: a layout that only looks known.
    return coded if unsqueeze(coded) == text else None
