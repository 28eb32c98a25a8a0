"""The program in the jail: runs a module's doctests and builds its page; run by its path.

It reads a question and writes an answer, one line of JSON each. Doctests run in processes of their own.
Sphinx reads the module and its page with every warning told, cross-references that lead nowhere among them.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import json
import os
import re
import resource
import signal
import sys
from pathlib import Path
from typing import Any

BOX = Path("/box")
_ENDED = b"\0ended"
"""Behind what is said of examples: one that leaves in the middle has passed nothing."""
_KINDS = "(?:WARNING|ERROR|CRITICAL|SEVERE): "
_WARNED = re.compile(
    rf"^(?P<place>.*?){_KINDS}(?P<text>.*(?:\n(?![^\n]*{_KINDS}).*)*)",
    re.MULTILINE,
)
_CONFIGURATION = {
    "extensions": ["sphinx.ext.autodoc", "sphinx.ext.napoleon"],
    "autodoc_typehints": "none",
    "napoleon_google_docstring": False,
    "nitpicky": True,
    "root_doc": "index",
    "exclude_patterns": ["out", "tmp"],
}


def main() -> None:
    """Answer one question."""
    answers = os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    question = json.loads(sys.stdin.readline())
    (BOX / f"{question['module']}.py").write_bytes(question["source"].encode(question["encoding"]))
    (BOX / "index.rst").write_text(question["page"], encoding="utf-8")
    sys.path.insert(0, str(BOX))
    try:
        module = importlib.import_module(question["module"])
    except BaseException as error:  # whatever a module raises: it cannot be imported
        answer: dict[str, Any] = {"fault": f"{type(error).__name__}: {error}"}
    else:
        answer = {"examples": _examples(module, question["example_s"]), **_page(question)}
    os.write(answers, json.dumps(answer).encode() + b"\n")


def _examples(module: Any, example_s: int) -> dict[str, str]:
    """Doctests by name, those that fail, each with how."""
    failed = {}
    finder = doctest.DocTestFinder(exclude_empty=True)
    for test in finder.find(module, module.__name__):
        if test.examples:
            skipped = any(example.options.get(doctest.SKIP) for example in test.examples)
            told = "it is skipped" if skipped else _in_a_child(test, example_s)
            if told:
                failed[test.name] = told
    return failed


def _in_a_child(test: doctest.DocTest, example_s: int) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(example_s)
        resource.setrlimit(resource.RLIMIT_CPU, (example_s, example_s + 1))
        said = io.StringIO()
        code = 1
        with contextlib.suppress(BaseException):
            doctest.DocTestRunner(verbose=False).run(test, out=said.write)
            os.write(writing, said.getvalue()[-4000:].encode() + _ENDED)
            code = 0
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    if not told.endswith(_ENDED):
        return f"it ended its process: {os.waitstatus_to_exitcode(status)}"
    return told.removesuffix(_ENDED).decode(errors="replace")


def _page(question: dict[str, Any]) -> dict[str, Any]:
    """Warnings of Sphinx with the object whose docstring each is of, and displayed equations by object."""
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.console import nocolor

    nocolor()
    warnings = io.StringIO()
    equations: list[list[str]] = []

    def collect(app: Any, doctree: Any) -> None:
        for block in doctree.findall(nodes.math_block):
            equations.append([_owner(block, nodes), block.astext()])

    # References of annotations are the type checker's; NumPy's words for arguments are no classes.
    ignored = [("py:class", name) for name in [*question["types"], "array_like", "scalar"]]
    app = Sphinx(
        srcdir=str(BOX),
        confdir=None,
        outdir="/tmp/out",
        doctreedir="/tmp/doctrees",
        buildername="dummy",
        confoverrides={**_CONFIGURATION, "nitpick_ignore": ignored},
        status=None,
        warning=warnings,
        freshenv=True,
    )
    app.connect("doctree-read", collect)
    app.build(force_all=True)
    told = [
        [match["place"].strip(), match["text"].strip()] for match in _WARNED.finditer(warnings.getvalue())
    ]
    return {"warnings": told, "equations": equations}


def _owner(block: Any, nodes: Any) -> str:
    """Whose docstring a block stands in, as Sphinx tells where it comes from; empty on the page itself."""
    source = block.source or (block.parent.source if block.parent is not None else "") or ""
    _, found, name = source.partition("docstring of ")
    return name if found else ""


if __name__ == "__main__":
    main()
