from __future__ import annotations

import ast
import os
import random
import sysconfig
from pathlib import Path

import pytest

from grn.kit.errors import UsageError
from grn.maths.document.insert import code_of, insert, names_of, parse, quoted

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
LIBRARY = Path(sysconfig.get_paths()["stdlib"])
TEXT = 'Give \\alpha of {name}, "quoted".\n\nParameters\n----------\nx\n    One of ``"""`` and a tab\there.'


def modules() -> list[Path]:
    """The standard library's modules that parse: all of them nightly, else five by a fixed seed."""
    found = sorted(path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
    return found if NIGHTLY else random.Random(10).sample(found, 5)


def test_code_is_unchanged_over_the_standard_library() -> None:
    """Every name of a module gets a docstring; the rest of the syntax tree is equal, and so are comments."""
    named, unread = 0, []
    for path in modules():
        source = path.read_bytes()
        try:
            before = parse(source)
        except UsageError:
            continue  # files that are broken on purpose, for the tests of Python's own tools
        names = [name for name, _ in names_of(before)]
        texts = {name: TEXT.format(name=name or "it") for name in names}
        try:
            after = insert(source, texts)
        except UsageError as error:
            assert "LibCST cannot read" in str(error)  # noqa: PT017 two files, counted below
            unread.append(path.name)
            continue
        named += len(names)
        assert code_of(parse(after)) == code_of(before), path
        said = {name: ast.get_docstring(node) for name, node in names_of(parse(after))}
        assert said == {name: text.expandtabs() for name, text in texts.items()}, path
    assert named > (70_000 if NIGHTLY else 100)
    # Python 3.11: test_grammar (numbers that touch keywords) and ann_module, both written to be odd.
    assert len(unread) <= 3, unread


def test_what_stands_around_a_docstring_stays() -> None:
    """Comments, pragmas, decorators, one-line bodies and the file's own newlines survive."""
    source = (
        "#!/usr/bin/env python\n# coding: latin-1\nx = 'é'\n\n\ndef f(): return 1; y = 2  # why\n"
        "\n\nclass A:\n\t# above\n\t'old'  # noqa\n\t@property\n\tdef p(self): ...\n"
        "\t@p.setter\n\tdef p(self, v): 'a' 'b'; v = 1\n"
    )
    expected = (
        "#!/usr/bin/env python\n# coding: latin-1\n"
        '"""M."""\n\nx = \'é\'\n\n\ndef f():\n\t"""F.\n\n\tMore.\n\t"""\n\treturn 1; y = 2  # why\n'
        '\n\nclass A:\n\t# above\n\t"""A class."""  # noqa\n\t@property\n\tdef p(self):\n\t\t"""P."""\n'
        '\t\t...\n\t@p.setter\n\tdef p(self, v):\n\t\t"""Set."""\n\t\tv = 1\n'
    )
    texts = {"": "M.", "f": "F.\n\nMore.", "A": "A class.", "A.p": "P.", "A.p#2": "Set."}
    for newline in ("\n", "\r\n"):
        after = insert(source.replace("\n", newline).encode("latin-1"), texts)
        assert after == expected.replace("\n", newline).encode("latin-1")


def test_a_text_chooses_its_quotes() -> None:
    """Backslashes make it raw; what a raw text cannot hold is escaped."""
    assert quoted("Plain.", "") == '"""Plain."""'
    assert quoted(r"A \frac.", "") == r'r"""A \frac."""'
    assert quoted('Ends in "x"', "") == '"""Ends in \\"x\\""""'
    assert quoted("Ends in \\", "") == '"""Ends in \\\\"""'


def test_what_cannot_be_inserted_is_refused() -> None:
    """A name that is not there, a module that does not parse, a letter that the file's encoding lacks."""
    with pytest.raises(UsageError, match="no such name"):
        insert(b"x = 1\n", {"f": "F."})
    with pytest.raises(UsageError, match="does not parse"):
        insert(b"def f(:\n", {})
    with pytest.raises(UsageError, match="encoding"):
        insert(b"# coding: latin-1\n", {"": "\u03b1"})
