"""The usage export of Anthropic's console (``claude_api_tokens_….csv``): a row adds up a day of a model.

Columns as of 2026-10: ``usage_date_utc, model_version, api_key, workspace, usage_type, context_window,
usage_input_tokens_no_cache, usage_input_tokens_cache_write_5m, usage_input_tokens_cache_write_1h,
usage_input_tokens_cache_read, usage_output_tokens, web_search_count, inference_geo, speed``. Names of keys
are read to tell rows apart, and not kept.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from grn.kit.canonical import canonical_json
from grn.kit.files import sha256_hex
from grn.llm.history.past import Kind, PastCall, moment_ms
from grn.llm.usage import Usage

FIRST_COLUMN = "usage_date_utc"
_APART = (
    FIRST_COLUMN,
    "model_version",
    "api_key",
    "workspace",
    "usage_type",
    "context_window",
    "inference_geo",
    "speed",
)


def calls(lines: Iterable[str]) -> Iterator[PastCall]:
    """Give the rows of an export."""
    for row in csv.DictReader(lines):
        at_ms = moment_ms(row.get(FIRST_COLUMN))
        model = row.get("model_version")
        if at_ms is None or not model:
            continue
        usage = Usage(
            input=_count(row, "usage_input_tokens_no_cache"),
            cache_write_5m=_count(row, "usage_input_tokens_cache_write_5m"),
            cache_write_1h=_count(row, "usage_input_tokens_cache_write_1h"),
            cache_read=_count(row, "usage_input_tokens_cache_read"),
            output=_count(row, "usage_output_tokens"),
        )
        kind: Kind = "batch-sum" if row.get("usage_type") == "batch" else "sum"
        if usage != Usage():
            ident = sha256_hex(canonical_json([row.get(name) or "" for name in _APART]))[:32]
            project = row.get("workspace") or ""
            yield PastCall(f"export:{ident}", "anthropic-export", at_ms, model, "", project, usage, kind)


def _count(row: dict[str, str], name: str) -> int:
    text = (row.get(name) or "").strip()
    return int(text) if text.isascii() and text.isdigit() else 0
