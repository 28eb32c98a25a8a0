"""What is piped into a command."""

from __future__ import annotations

import sys


def read_piped() -> str:
    """Give what is piped in, without its last line break; nothing on a terminal or without a stdin."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    try:
        return sys.stdin.read().removesuffix("\n")
    except OSError:  # a background process of a terminal that has gone
        return ""
