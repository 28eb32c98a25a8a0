"""Notebooks as passages: cells of prose and of code, without what the code printed."""

from __future__ import annotations

import json

from grn.llm.library.passages import Passage, Unreadable, code_windows, prose_windows


def read_notebook(text: str) -> list[Passage]:
    """Cut a notebook into its cells; a heading is the title of what follows it.

    Raises
    ------
    Unreadable
        It is no notebook of format 4.
    """
    try:
        cells = json.loads(text)["cells"]
        read = [(cell["cell_type"], _source(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("no notebook of format 4") from error
    title = ""
    found: list[Passage] = []
    for place, (kind, source) in enumerate(read, 1):
        numbered = list(enumerate(source.splitlines(), 1))
        if kind == "code":
            found += [_passage(title, some, place, code=True) for some in code_windows(numbered)]
            continue
        headings = [line.lstrip("#").strip() for _, line in numbered if line.startswith("#")]
        title = headings[0] if headings else title
        found += [_passage(title, some, place) for some in prose_windows(numbered)]
    return found


def _passage(title: str, lines: object, place: int, *, code: bool = False) -> Passage:
    body = "\n".join(line for _, line in lines)  # type: ignore[attr-defined]
    return Passage(title, body, "cell", place, place, code)


def _source(source: object) -> str:
    return "".join(source) if isinstance(source, list) else str(source)
