from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import LedgerError, UsageError
from grn.llm.library.follow import Followed, follow
from grn.llm.library.index import Index, names_of, open_index
from grn.llm.library.search import search
from grn.llm.tokens.pack.words import parts
from tests.llm.library.papers import write_papers

FILES = st.dictionaries(
    st.sampled_from(["a.md", "b.py", "c.txt", "sub/d.md"]),
    st.sampled_from(["", "# One\n\nalpha\n", "def alpha():\n    return beta\n", "alpha\nbeta\n" * 40]),
)


def dump(index: Index) -> list[tuple[object, ...]]:
    """Everything that a search can see, without numbers of rows."""
    query = "SELECT path, name, title, text, unit, first, last, code, content FROM passages ORDER BY path, id"
    rows = index.connection.execute(query).fetchall()
    found = [
        (row[0], row[1]) for row in index.connection.execute("SELECT path, key FROM works ORDER BY path")
    ]
    asked = ("alpha", "beta", "alpha beta")
    best = [tuple(one.placed.cite for one in search(index, words, None, None, limit=5)) for words in asked]
    return [*rows, *found, *best]


def test_a_library_is_read(tmp_path: Path) -> None:
    """Every kind of document, papers with their keys; no secrets, and what cannot be read with its reason."""
    write_papers(tmp_path / "papers")
    (tmp_path / "papers" / "bad.pdf").write_bytes(b"%PDF-1.4 no")
    with open_index("docs", tmp_path / "indexes") as index:
        index.add(tmp_path / "papers")
        done = follow(index)
        assert (done.read, done.gone) == (8, 0)
        ((path, why),) = done.faults
        assert path.endswith("bad.pdf")
        assert "no PDF that can be read" in why
        assert index.counts() == {"files": 7, "passages": 10, "papers": 2}
        assert {Path(path).name: work.key for path, work in index.papers()} == {
            "2104.00001v2.pdf": "crash2021",
            "sharpe.pdf": "lo2002",
        }
        cites = {placed.cite for placed in index.passages(range(1, 20)).values()}
        assert cites == {
            "lo2002 p. 1", "lo2002 p. 2", "crash2021 p. 1", "papers/page.html:3", "papers/notes.md:1",
            "papers/notes.md:5", "papers/work.ipynb cell 1", "papers/work.ipynb cell 2", "papers/money.py:1",
        }  # fmt: skip
        assert index.keys() == {"lo2002", "bailey2014", "crash2021", "named"}
        again = follow(index)
        assert (again.read, again.faults, again.fresh) == (0, done.faults, ())
        assert done.fresh == done.faults
    assert names_of(tmp_path / "indexes") == ["docs"]


@given(st.lists(FILES, min_size=1, max_size=4))
def test_following_is_reading_anew(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, str]]
) -> None:
    """After any edits an index that followed them is one that was made of the last state."""
    tmp_path = tmp_path_factory.mktemp("follow")
    folder = tmp_path / "docs"
    folder.mkdir()
    with open_index("old", tmp_path) as index:
        index.add(folder)
        for number, files in enumerate(states):
            for path in [path for path in folder.rglob("*") if path.is_file()]:
                path.unlink()
            for name, text in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text)
                os.utime(folder / name, ns=(number * 10**9, number * 10**9))
            follow(index)
        followed = dump(index)
    with open_index("new", tmp_path) as index:
        index.add(folder)
        follow(index)
        assert dump(index) == followed


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """Killed while it reads, it leaves whole files; the next run reads the rest, to the same result."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.md").write_text(f"# Part {number}\n\nalpha {number}\n")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom grn.llm.library.index import open_index\n"
        "from grn.llm.library.follow import follow\n"
        "def tell(done, every):\n    if done == 7: os._exit(9)\n"
        "with open_index('docs', Path(sys.argv[1])) as index:\n"
        "    index.add(Path(sys.argv[2])); follow(index, tell)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(folder)], check=False)
    assert ran.returncode == 9
    with open_index("docs", tmp_path) as index:
        assert index.counts()["files"] == 7
        assert follow(index).read == 5
        resumed = dump(index)
    with open_index("whole", tmp_path) as index:
        index.add(folder)
        follow(index)
        assert dump(index) == resumed


def test_keys_in_texts_are_masked(tmp_path: Path) -> None:
    """What looks like a provider's key is not kept, in no column of the file."""
    (tmp_path / "a.md").write_text("the key is sk-ant-api03-planted-secret-planted-secret, keep it\n")
    with open_index("docs", tmp_path / "indexes") as index:
        index.add(tmp_path / "a.md")
        follow(index)
        assert index.passages([1])[1].passage.text == "the key is [key], keep it"
        assert index.passages([1])[1].name == "a.md"
    assert b"planted" not in (tmp_path / "indexes" / "docs.sqlite3").read_bytes()


def test_sources_come_and_go(tmp_path: Path) -> None:
    """A source that is removed takes its passages and vectors along; what is not there is an error."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.md").write_text(f"alpha {name}")
    with open_index("docs", tmp_path / "indexes") as index:
        index.add(tmp_path / "a")
        index.add(tmp_path / "b")
        follow(index)
        index.keep("local", [(content, [1.0, 0.0]) for content, _ in index.missing("local")])
        assert len(index.vectors("local")[0]) == 2
        index.remove(tmp_path / "a")
        assert follow(index).gone == 1
        assert len(index.vectors("local")[0]) == 1
        assert [found.placed.name for found in search(index, "alpha", None, None)] == ["b/x.md"]
        with pytest.raises(UsageError, match="not followed"):
            index.remove(tmp_path / "a")
        with pytest.raises(UsageError, match="no such"):
            index.add(tmp_path / "none")
    with pytest.raises(UsageError, match="no name"), open_index("../x", tmp_path):
        pass


def test_a_binary_file_is_told_of_where_it_was_named(tmp_path: Path) -> None:
    """Among the files of a folder nobody meant it; by its own name somebody did."""
    (tmp_path / "x.dat").write_bytes(b"\0\1\2")
    with open_index("docs", tmp_path / "indexes") as index:
        index.add(tmp_path)
        assert follow(index).faults == ()
    with open_index("one", tmp_path / "indexes") as index:
        index.add(tmp_path / "x.dat")
        assert follow(index).faults == ((str(tmp_path / "x.dat"), "binary"),)


def test_words_without_a_passage_are_nobody_s(tmp_path: Path) -> None:
    """What another version took apart differently stays behind in the index of words, and is never shown."""
    (tmp_path / "a.md").write_text("alpha")
    with open_index("docs", tmp_path / "indexes") as index:
        index.add(tmp_path / "a.md")
        follow(index)
        index.connection.execute(
            "INSERT INTO words (rowid, path, title, body) VALUES (2, '', '', 'alpha alpha')"
        )
        assert [found.placed.id for found in search(index, "alpha", None, None)] == [1]
        (tmp_path / "a.md").write_text("beta and more")
        follow(index)
        (found,) = search(index, "beta", None, None)
        assert found.placed.id > 1


def test_a_source_that_is_away_is_kept(tmp_path: Path) -> None:
    """A disk that is not mounted takes no vectors along; odd names and files that vanish end nothing."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("alpha")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.md")).write_text("alpha")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.md").symlink_to(folder / "none")
    with open_index("docs", tmp_path) as index:
        index.add(folder)
        assert follow(index).read == 1
        folder.rename(tmp_path / "away")
        done = follow(index)
        assert (done.read, done.gone, index.counts()["passages"]) == (0, 0, 1)
        assert done.faults[0][1].startswith("is not there")
        (tmp_path / "away").rename(folder)
        assert follow(index) == Followed(0, 0, (), ())
        many = " ".join(f"w{at}x" for at in range(3_000))
        assert search(index, f"alpha {many}", None, None)[0].placed.name == "docs/a.md"


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """It may hold vectors that were paid for: it is neither used nor removed."""
    other = sqlite3.connect(tmp_path / "docs.sqlite3")
    other.execute("CREATE TABLE t (x)")
    other.close()
    before = (tmp_path / "docs.sqlite3").read_bytes()
    with pytest.raises(LedgerError), open_index("docs", tmp_path):
        pass
    assert (tmp_path / "docs.sqlite3").read_bytes() == before
    assert parts("alphaBeta") == ["alpha", "beta", "alphabeta"]
