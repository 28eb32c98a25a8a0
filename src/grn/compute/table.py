"""Tables of a TOML file as frozen dataclasses: every key known, every value of its type."""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from grn.kit.errors import MissingError, UsageError

_Record = TypeVar("_Record")


def read_toml(path: Path, what: str) -> dict[str, object]:
    """Read a TOML file.

    Raises
    ------
    MissingError
        There is no such file.
    UsageError
        It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingError(f"there is no {what}", seen=str(path), hint="name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML", seen=str(error), hint="correct that line") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}", seen=error.strerror, hint="name a TOML file") from error


def fill(kind: type[_Record], table: object, where: str, *, without: Collection[str] = ()) -> _Record:
    """Make a record from a table.

    Fields may be ``str``, ``int``, ``float``, ``bool``, a ``Literal`` of texts, a tuple of one of them, a
    mapping from text to text, and ``None`` beside any. A whole number is a float where one is wanted.
    Fields in `without` are not for the file.

    Raises
    ------
    UsageError
        A key that the record does not have, one that it needs, or a value of another type; `where` names the
        table.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} must be a table", seen=table)
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)} - set(without)  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise UsageError(f"unknown setting in {where}", seen=key, hint=hint)
    values = {key: _value(hints[key], value, f"{key} in {where}") for key, value in table.items()}
    try:
        return kind(**values)
    except TypeError:
        missing = sorted(name for name in known - set(values) if _is_needed(kind, name))
        raise UsageError(f"{where} lacks {', '.join(missing)}", hint=f"write: {missing[0]} = …") from None


def _is_needed(kind: type, name: str) -> bool:
    field = kind.__dataclass_fields__[name]  # type: ignore[attr-defined]
    return field.default is MISSING and field.default_factory is MISSING


def _value(hint: Any, value: object, where: str) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _value(next(one for one in arguments if one is not types.NoneType), value, where)
    if origin is Literal:
        if value not in arguments:
            raise UsageError(
                f"{where} is not known", seen=value, hint=f"known are {', '.join(map(str, arguments))}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise UsageError(f"{where} must be a list", seen=value)
        return tuple(_value(arguments[0], item, where) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise UsageError(f"{where} must be a table", seen=value)
        return {name: _value(arguments[1], item, f"{name} in {where}") for name, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is an int to Python, not to a person who writes `gpus = true`.
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise UsageError(f"{where} must be {names[hint]}", seen=value)
    return value
