from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import squeeze_cases
from benchmarks.squeeze import ORIGINAL, lost, same_values, weigh
from benchmarks.squeeze_cases import Case
from grn.kit.errors import MissingError, UsageError
from grn.llm.tokens.squeeze.coding import decode, is_gap
from grn.llm.tokens.squeeze.kinds import KINDS, NAMES, kind_of
from grn.llm.tokens.squeeze.originals import Originals
from grn.llm.tokens.squeeze.squeeze import clean, squeeze

CASES = 10_000 if os.environ.get("GRN_NIGHTLY") else 200
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def letters(text: str) -> int:
    return len(text)


# What tools write, in no order: every rule of every kind meets lines that it was not written for.
SAID = """\
==================== test session starts ====================
collected 12 items
tests/test_a.py ..F.  [ 50%]
==================== FAILURES ====================
_____ test_x _____
>       assert mean == 3.5
E       assert 3.25 == 3.5
tests/test_a.py:12: AssertionError
======= 1 failed, 11 passed in 0.12s =======
diff --git a/x.py b/x.py
index 0123abc..4567def 100644
--- a/x.py
+++ b/x.py
@@ -1,4 +1,5 @@ def mean():
 unchanged = 1
-    return 1.50
+    return -2
--- x
commit 0123456789abcdef0123456789abcdef01234567
Author: A <a@example.org>
    Subject of 2026
    body
 x.py | 12 ++--
F401 [*] `os` imported but unused
 --> src/x.py:12:8
12 | import os
   |        ^^
help: Remove unused import
Found 3 errors.
x.py:12: error: Missing return  [return]
x.c:4:14: error: unknown name
    4 |     return w;
      |            ^
gcc -O2 -c x.c -o x.o
Traceback (most recent call last):
  File "/usr/lib/python3.11/json/a.py", line 346, in f
    return 1.50
  File "mine.py", line 4, in g
ValueError: 12,5
Requirement already satisfied: numpy 2.2
Successfully installed widget-1.2.3
2026-11-23 10:00:01,123 INFO shop: order 17 stored in 7.1 ms
2026-11-23 10:00:01,124 ERROR shop: order 18 failed
a,b,c
1,2.50,3
{"a": 1.50}
§a
plain words and 12 numbers
"""
LINES = st.sampled_from([*SAID.splitlines(), "", "  ", "\x1b[31mred 5\x1b[0m", "10%\r50%\r100%"])
OUTPUTS = st.lists(LINES | st.text(max_size=20), max_size=40).map("\n".join)


@settings(max_examples=CASES)
@given(OUTPUTS, st.sampled_from([None, *NAMES]))
def test_lines_are_left_out_and_never_changed(text: str, kind: str | None) -> None:
    """What is left stands in the text, in order, numbers and all; nothing is counted twice, nothing grows."""
    found = squeeze(text, letters, "x", kind)
    assert len(found.text) <= len(text)
    if found.text == text or found.kind == "json":
        return
    left = decode(found.text).split("\n")
    shown = iter(clean(text))
    gaps = 0
    for line in left:
        if is_gap(line):
            gaps += int(line[2:])
        elif line:
            assert line in shown  # consumes: a subsequence
    assert gaps == found.left_out
    assert gaps + sum(bool(line) and not is_gap(line) for line in left) == sum(
        bool(s.strip()) for s in clean(text)
    )


@settings(max_examples=CASES)
@given(OUTPUTS)
def test_no_name_stands_for_a_part_of_a_number(text: str) -> None:
    """In what a model reads, each line has the numbers of the line that it stands for, whole."""
    found = squeeze(text + ("\n" + text) * 3, letters, "x")
    if not found.text.startswith("§ squeezed") or found.kind == "json":
        return
    body = found.text.split("\n")[1:]
    names = dict(re.findall(r"(?m)^§([a-zA-Z]) stands for (.*)$", "\n".join(body)))
    for line in body[len(names) :]:
        if line.startswith("§") and re.fullmatch(r"§…\d+|§\d+x(?: of \d+)?", line):
            continue
        spaced = re.sub(r"§([a-zA-Z§])", lambda sign: f" {names.get(sign[1], '§')} ", line)
        whole = re.sub(r"§([a-zA-Z§])", lambda sign: names.get(sign[1], "§"), line)
        assert NUMBER.findall(spaced) == NUMBER.findall(whole)


def some(make: Callable[[Path], Iterator[Case]], count: int, folder: Path) -> list[Case]:
    folder.mkdir()
    return list(islice(make(folder), count))


@pytest.mark.parametrize(
    ("make", "count", "saved"),
    [("suites", 1, 0.05), ("findings", 1, 0.5), ("traces", 3, 0.5), ("logs", 1, 0.6), ("installs", 1, 0.9)],
)
def test_load_bearing_lines_of_real_outputs_are_kept(
    tmp_path: Path, make: str, count: int, saved: float
) -> None:
    """Of tools that run here and now; what bears a load the tool's own record says (benchmarks)."""
    cases = some(getattr(squeeze_cases, make), count, tmp_path / make)
    before = after = 0
    for case in cases:
        found = squeeze(case.text, weigh, ORIGINAL)
        assert found.kind == case.kind, case.name
        assert lost(case, found) == [], case.name
        before, after = before + found.before, after + found.after
    assert 1 - after / before >= saved


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs GCC, which is no package of Python")
def test_what_a_compiler_finds_is_kept(tmp_path: Path) -> None:
    """Every error and warning of GCC's own JSON, also below pages of candidates of templates."""
    for case in some(squeeze_cases.compiled, 3, tmp_path / "compiled"):
        found = squeeze(case.text, weigh, ORIGINAL)
        assert (found.kind, lost(case, found)) == ("compiler", [])


def test_every_change_of_a_diff_is_kept() -> None:
    """Heads, hunks, all that is taken out or put in; a removed line that looks like a head is none."""
    around = "".join(f" context {n}\n" for n in range(4))
    diff = (
        "diff --git a/x.sql b/x.sql\nindex 0123abc..4567def 100644\n--- a/x.sql\n+++ b/x.sql\n"
        f"@@ -1,10 +1,9 @@ select\n{around}--- a/comment\n+++ b/comment\n-gone\n"
        f"{around.replace('context ', 'context 1')}diff --git a/new.bin b/new.bin\nnew file mode 100644\n"
        f"Binary files /dev/null and b/new.bin differ\n{'#' * 200}\n"
    )
    left = decode(squeeze(diff, letters, "x").text).split("\n")
    for line in ("--- a/comment", "+++ b/comment", "-gone", "@@ -1,10 +1,9 @@ select", "new file mode 100644",
                 "Binary files /dev/null and b/new.bin differ", " context 3", " context 10"):  # fmt: skip
        assert line in left, line
    assert not {" context 0", "index 0123abc..4567def 100644", "+++ b/x.sql"} & set(left)


def test_a_run_that_broke_is_never_a_run_without_tests() -> None:
    """An error while collecting, or in pytest itself, stays to be seen: the verdict alone would be a lie."""
    broken = """\
============================= test session starts ==============================
platform linux -- Python 3.11.7, pytest-9.0.2
rootdir: /home
plugins: anyio-4.9.0, hypothesis-6.120.0, timeout-2.4.0, xdist-3.6.1, cov-6.0.0, asyncio-1.0.0
collected 0 items / 1 error

==================================== ERRORS ====================================
_____________________ ERROR collecting tests/a.py _____________________
ImportError while importing test module 'tests/a.py'.
Hint: make sure your test modules/packages have valid Python names.
Traceback:
/usr/lib/python3.11/importlib/__init__.py:126: in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
tests/a.py:3: in <module>
    import missing
E   ModuleNotFoundError: No module named 'missing'
=========================== short test summary info ============================
ERROR tests/a.py
!!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!
=============================== 1 error in 0.05s ===============================
"""
    left = decode(squeeze(broken, letters, "x").text)
    for line in (
        "E   ModuleNotFoundError: No module named 'missing'",
        "tests/a.py:3: in <module>\n    import missing",
        "ERROR tests/a.py",
        "collected 0 items / 1 error",
        "Interrupted: 1 error",
        "= 1 error in 0.05s",
    ):
        assert line in left, line
    assert "plugins" not in left


def test_json_keeps_its_values() -> None:
    """Blanks go, keys of like objects are written once, values stay; JSON Lines too."""
    rows = [{"path": f"src/{n}.py", "line": n, "share": 0.5} for n in range(30)]
    for text in (json.dumps(rows, indent=2), json.dumps({"rows": rows, "n": 1})):
        found = squeeze(text, weigh, ORIGINAL)
        assert found.kind == "json"
        assert found.after < 0.7 * found.before
        assert same_values(Case("", "json", text, ()), found)
    lines = "\n".join(json.dumps(row) for row in rows)
    assert squeeze(lines, weigh, ORIGINAL).text.count("\n") <= lines.count("\n") + 1


def test_nothing_gained_is_nothing_done() -> None:
    """Short texts, and what no rule knows, come out as they went in."""
    for text in ("", "\n", "hello\n", "one line\nand another\n", "§ squeezed by hand"):
        found = squeeze(text, weigh, ORIGINAL)
        assert (found.text, found.left_out) == (text, 0)


def test_a_kind_is_told_by_its_surest_sign() -> None:
    """A log with a traceback is a log, a history with diffs a history."""
    log = (
        "".join(f"2026-11-23 10:00:0{n} INFO shop: ok\n" for n in range(9))
        + "Traceback (most recent call last):\n"
    )
    assert kind_of(log.split("\n")).name == "log"
    assert kind_of(["commit 0123abc", "", "diff --git a/x b/x"]).name == "git-log"
    assert kind_of(["x.c:1:2: error: no", "===== 1 failed in 0.01s ====="]).name == "pytest"
    assert kind_of(["a;b", "1;2", "3;4", "5;6", "7;8"]).name == "csv"
    assert kind_of(["just", "words"]).name == "text"
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_originals_are_kept_by_content(tmp_path: Path) -> None:
    """To the byte, by the beginning of their name; what is missing or meant twice is said."""
    kept = Originals(tmp_path / "originals")
    names = [kept.keep(f"text {n}".encode()) for n in range(40)]
    assert kept.keep(b"text 0") == names[0]
    assert kept.find(names[0][:8]) == b"text 0"
    with pytest.raises(MissingError):
        kept.find("0" * 64)
    for wrong in ("xyz", "", "../../etc", names[0][:3]):
        with pytest.raises(UsageError):
            kept.find(wrong)
