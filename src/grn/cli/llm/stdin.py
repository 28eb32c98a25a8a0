"""What is piped into a command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grn.llm.request import Part

_NAME = "stdin"


def read_piped() -> bytes:
    """Give what is piped in; nothing on a terminal or without a stdin."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return b""
    try:
        return sys.stdin.buffer.read()
    except OSError:  # a background process of a terminal that has gone
        return b""


def read_piped_lines() -> list[str]:
    """Give the lines that are piped in, those that are blank left out.

    Raises
    ------
    DataError
        They are no text (UTF-8).
    """
    from grn.kit.errors import DataError

    try:
        lines = read_piped().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError("what is piped in is no text (UTF-8)", seen=str(error)) from error
    return [line for line in lines if line.strip()]


def read_piped_parts() -> list[Part]:
    """Give what is piped in as parts of a prompt: a text without its last line break, a PDF, a picture.

    Raises
    ------
    UsageError, DataError
        See :func:`grn.llm.attach.part_of`.
    """
    from grn.llm.attach import part_of
    from grn.llm.request import Text

    data = read_piped()
    if not data:
        return []
    part = part_of(data, _NAME)
    if not isinstance(part, Text):
        return [part]
    text = part.text.removesuffix("\n").removesuffix("\r")
    return [Text(text)] if text else []
