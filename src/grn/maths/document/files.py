"""What is left of docstrings that were judged: the module, its page, receipts; whole or not at all."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grn.kit.files import sha256_hex, write_atomic
from grn.maths.gate.judge import receipts_path

if TYPE_CHECKING:
    from grn.maths.document.judge import Documented
    from grn.maths.document.steps import Steps


def docs_path(module: Path) -> Path:
    """Where the receipts of a module's docstrings lie: beside it."""
    return module.with_suffix(".docs.json")


def page_path(module: Path) -> Path:
    """Where the page of a module lies, for a Sphinx project to take in: beside it."""
    return module.with_suffix(".rst")


def receipts_of(made: Documented, module: Path) -> dict[str, Any]:
    """All receipts as data; the same proposals give the same bytes."""
    return {
        "module": module.name,
        "module_sha256": sha256_hex(made.source),
        "receipts": [asdict(receipt) for receipt in made.receipts],
        "found": made.found,
    }


def write_files(made: Documented, module: Path, out: Path, steps: Steps) -> list[Path]:
    """Write the module with its docstrings, its page and the receipts.

    Receipts of tests that were judged on the module as it was hold for the module as it is: the syntax tree
    without docstrings is the same, and mutants are made of nothing else. They get its new digest.
    """
    before = sha256_hex(module.read_bytes())
    told = json.dumps(receipts_of(made, out), indent=1, ensure_ascii=False) + "\n"
    judged: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        judged = json.loads(receipts_path(module).read_text(encoding="utf-8"))
    write_atomic(out, made.source)
    write_atomic(docs_path(out), told)
    write_atomic(page_path(out), steps.page())
    if out == module and judged.get("module_sha256") == before:
        judged["module_sha256"] = sha256_hex(made.source)
        write_atomic(receipts_path(out), json.dumps(judged, indent=1, ensure_ascii=False) + "\n")
    return [out, docs_path(out), page_path(out)]
