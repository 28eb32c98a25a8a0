from __future__ import annotations

import json
import math
from enum import Enum
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.canonical import canonical_json

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values)
def test_finite_values_read_back_bit_for_bit(value: object) -> None:
    """Nothing is lost: what was hashed can be shown to a person."""
    read = json.loads(canonical_json(value))
    assert json.dumps(read, sort_keys=True) == json.dumps(value, sort_keys=True)
    assert canonical_json(read) == canonical_json(value)


@given(st.dictionaries(st.text(), scalars))
def test_the_order_of_keys_does_not_matter(table: dict[str, object]) -> None:
    """Equal mappings give equal bytes, whatever order they were filled in."""
    assert canonical_json(dict(reversed(table.items()))) == canonical_json(table)


def test_the_exact_bytes() -> None:
    """The form is frozen: changing it would change every key that was ever computed."""
    value = {
        "b": (1, 1.0, -0.0, 1e16, 0.1),
        "a": {"é": None, "t": True},
        "n": [math.nan, math.inf, -math.inf],
    }
    assert canonical_json(value) == (
        b'{"a":{"t":true,"\\u00e9":null},"b":[1,1.0,-0.0,1e+16,0.1],"n":["NaN","Infinity","-Infinity"]}'
    )


def test_numpy_scalars_enums_and_paths_are_what_they_hold() -> None:
    """Parameters often come out of arrays: they must not get keys of their own."""

    class Fill(Enum):
        OPEN = "next_open"

    assert (
        canonical_json([np.int64(3), np.float64(0.5), np.bool_(True), np.float32(0.5)]) == b"[3,0.5,true,0.5]"
    )
    assert canonical_json([Fill.OPEN, PurePosixPath("a/b")]) == b'["next_open","a/b"]'


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), np.zeros(2), {1: 2}, np.longdouble(1)])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    """A set has no order and an object no content: guessing would make keys that do not repeat."""
    with pytest.raises(TypeError):
        canonical_json(value)
