from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grn.kit.errors import UsageError
from grn.llm.attach import files_below
from grn.llm.tokens.count import counter_of
from grn.llm.tokens.pack.chunks import cut
from grn.llm.tokens.pack.entries import read_all, read_entries
from grn.llm.tokens.pack.folder import list_files
from grn.llm.tokens.pack.index import open_index, side_of
from grn.llm.tokens.pack.languages import BY_SUFFIX
from grn.llm.tokens.pack.meaning import by_meaning
from grn.llm.tokens.pack.pack import Packed, pack
from grn.llm.tokens.pack.rank import rank
from grn.llm.tokens.pack.words import clauses_of, parts, read_question

CASES = 3_000 if os.environ.get("GRN_NIGHTLY") else 25
EXACT = counter_of("o200k")

SOURCES = {
    "bank/account.py": """\
'''Accounts.'''
import decimal

LIMIT = 3

class Account:
    '''Holds money.'''

    def __init__(self, owner):
        self.owner = owner
        self.balance = 0

    @property
    def empty(self):
        return self.balance == 0

    def withdraw_money(self, amount):
        check_funds(self.balance, amount)
        self.balance -= amount
""",
    "bank/funds.py": """\
def check_funds(balance, amount):
    if amount > balance:
        raise ValueError("not enough")


def unrelated(values):
    return [value for value in values if value]
""",
    "tests/test_account.py": """\
def test_withdraw_money():
    account.withdraw_money(3)
""",
    "web/pay.ts": """\
export function payBill(total: number): void {
  send(total);
}

export const refund = (n: number) => {
  return -n;
};
""",
    "native/sum.cpp": """\
namespace n {
template <class T>
T add_up(T a, T b) {
  return a + b;
}
class Box {
 public:
  int open() { return 1; }
};
}
""",
    "README.md": """\
# Bank

Words.

## Withdrawing

Money leaves.

```sh
# no heading
```
""",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        file = tmp_path / "repository" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "repository"


def packed(folder: Path, question: str, budget: int = 400, cache: Path | None = None) -> Packed:
    with open_index(folder, cache or folder.parent / "cache") as index:
        return pack(index, question, budget, lambda text: EXACT.count(text).most)


@pytest.mark.parametrize(
    ("path", "pieces"),
    [
        ("bank/account.py", ["", "Account", "Account.__init__", "Account.empty", "Account.withdraw_money"]),
        ("bank/funds.py", ["check_funds", "", "unrelated"]),
        ("web/pay.ts", ["payBill", "", "refund"]),
        ("native/sum.cpp", ["", "add_up", "Box", "Box.open"]),
        ("README.md", ["Bank", "Withdrawing"]),
    ],
)
def test_files_are_cut_at_definitions(path: str, pieces: list[str]) -> None:
    """Functions, classes without them, what is left of the module; each line in one piece, heads inside."""
    chunks = cut(path, SOURCES[path])
    assert [chunk.name for chunk in chunks] == pieces
    every = sorted(line for chunk in chunks for line in chunk.lines)
    assert every == list(range(1, len(SOURCES[path].splitlines()) + 1))
    assert all(set(chunk.signature) <= set(chunk.lines) for chunk in chunks)


@pytest.mark.parametrize("suffix", sorted(BY_SUFFIX))
@settings(max_examples=max(CASES // 20, 3), deadline=None)
@given(
    st.lists(
        st.sampled_from(["def f(a):", "  x", "class A {", "}", "fn b() {", "\f", "\r", "é", "((", "", "/*"])
    )
)
def test_every_line_is_in_one_piece(suffix: str, lines: list[str]) -> None:
    """Whatever is written there, in every language: what does not parse is cut as far as it does."""
    text = "\n".join(lines)
    found = sorted(line for chunk in cut(f"x{suffix}", text) for line in chunk.lines)
    assert found == list(range(1, (len(text.splitlines()) or 1) + 1))


def test_words_are_taken_apart() -> None:
    """Identifiers in parts and whole, words of grammar left out; a question's names, places and paths."""
    assert parts("parseHTTPHeader_v2 = if") == ["parse", "http", "header", "parsehttpheaderv2"]
    asked = read_question(
        'why does `Account.withdraw_money` fail?\n  File "/x/bank/funds.py", line 3, in check_funds'
    )
    assert asked.names == ("Account.withdraw_money", "check_funds")
    assert asked.places == (("/x/bank/funds.py", 3),)


def test_what_answers_comes_first(repository: Path) -> None:
    """Words, then what is called from there; a place in a traceback before all; tests come later."""
    with open_index(repository, repository.parent / "cache") as index:
        names = [one.piece.chunk.name for one in rank(index, "how is money withdrawn from an account?")]
        assert names[0] == "Account.withdraw_money"
        assert "check_funds" in names
        assert names.index("test_withdraw_money") > 0
        pointed = rank(index, 'File "/srv/x/bank/funds.py", line 6, in unrelated')
        assert (pointed[0].piece.chunk.name, pointed[0].reason) == ("unrelated", "/srv/x/bank/funds.py:6")
        assert rank(index, "xyzzy") == []


def test_a_question_may_ask_for_several_things() -> None:
    """Points and paragraphs are clauses; headings are none, and addresses say nothing."""
    asked = read_question(
        "Fixes\n-----\n\n- Money is lost in ``Bank.close()``, see https://example.org/money/4\n"
        "- Funds are not checked twice\n\n.. _issue: https://example.org/other"
    )
    assert asked.clauses == (("money", "lost", "bank", "close", "see"), ("funds", "checked", "twice"))
    assert asked.names == ("Bank.close",)
    assert not {"https", "example", "other"} & set(asked.words)
    assert read_question("money").clauses == (("money",),)


def test_names_in_the_question_decide(tmp_path: Path) -> None:
    """Of many functions of one name, that of the class that is named; then its file before others."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(9):
        lines = f"class Part{number}:\n    def close(self):\n        return close_all({number})\n"
        (folder / f"part_{number}.py").write_text(lines)
    with open_index(folder, tmp_path / "cache") as index:
        first = rank(index, "a leak when `Part7.close` is called")[0]
        assert (first.piece.path, first.piece.chunk.name) == ("part_7.py", "Part7.close")
        assert rank(index, "close all in part_3.py")[0].piece.path == "part_3.py"


def test_tests_and_texts_follow_the_code(tmp_path: Path) -> None:
    """They speak of everything; a question that asks for them has them first."""
    folder = tmp_path / "repository"
    for name, text in {
        "bank.py": "def lend(amount):\n    return money(amount)\n",
        "tests/test_bank.py": "def test_lend_money():\n    money = lend(3)\n    assert money\n",
        "docs/money.md": "# Lend money\n\nMoney to lend, and how money is lent.\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert [side_of(name) for name in ("bank.py", "tests/test_bank.py", "docs/money.md", "a/notes.txt")] == [
        "code", "test", "text", "text",
    ]  # fmt: skip
    with open_index(folder, tmp_path / "cache") as index:
        assert rank(index, "lend money")[0].piece.path == "bank.py"
        assert rank(index, "which tests lend money")[0].piece.path == "tests/test_bank.py"
        assert rank(index, "is it documented how to lend money")[0].piece.path == "docs/money.md"


def test_heads_come_from_many_files(tmp_path: Path) -> None:
    """What is left of a budget shows a head of each file that is not there yet, before second ones."""
    folder = tmp_path / "wide"
    folder.mkdir()
    for number in range(12):
        body = "".join(f"    money += {n}\n" for n in range(40))
        lines = "".join(f"def money_{number}_{n}(money):\n{body}    return money\n\n" for n in range(3))
        (folder / f"file_{number}.py").write_text(lines)
    found = packed(folder, "money", 600)
    assert found.whole == 0 or found.heads > found.whole
    assert len(found.files) == 12


def test_definitions_below_statements_are_found() -> None:
    """In branches, handlers, loops and blocks: only what defines nothing is passed over."""
    text = (
        "if a:\n    def one():\n        pass\nelse:\n    class Two:\n        x = f(lambda: 0)\n"
        "        def three(self): return 1\ntry:\n    import b\nexcept E:\n    async def four(): pass\n"
        "with c() as d:\n    @e\n    def five(): pass\n"
    )
    names = {chunk.name for chunk in cut("x.py", text)}
    assert names == {"", "one", "Two", "Two.three", "four", "five"}


def test_an_index_of_an_earlier_version_is_read_anew(repository: Path) -> None:
    """Nothing is asked and nothing is kept: it is computed from the folder."""
    cache = repository.parent / "cache"
    first = packed(repository, "money").text
    (file,) = cache.glob("*.sqlite3")
    with closing(sqlite3.connect(file)) as old:
        for column in ("side", "letters"):
            old.execute(f"ALTER TABLE chunks DROP COLUMN {column}")
        old.execute("PRAGMA user_version = 1")
        old.commit()
    assert packed(repository, "money").text == first


def test_lines_carry_file_and_number(repository: Path) -> None:
    """Each line that is shown stands in that file at that number; gaps are marked."""
    found = packed(repository, "withdraw money check funds")
    path = ""
    for line in found.text.splitlines():
        number, _, text = line.partition(" ")
        if number.isdigit():
            assert SOURCES[path].splitlines()[int(number) - 1].rstrip() == text
        elif line and line != "…":
            path = line
    assert "17     def withdraw_money(self, amount):" in found.text
    assert found.files[0] == "bank/account.py"


@settings(max_examples=CASES, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 700))
def test_a_budget_is_never_exceeded(tmp_path_factory: pytest.TempPathFactory, seed: int, budget: int) -> None:
    """Over random repositories, questions and budgets, counted exactly; the same bytes again."""
    rng = random.Random(seed)
    words = ["money", "account", "fund", "parse", "Größe", "x", "read", "write", "令", "value"]
    folder = tmp_path_factory.mktemp("random") / "repository"
    folder.mkdir()
    for number in range(rng.randint(1, 5)):
        body = "".join(
            f"def {rng.choice(words)}_{n}(a):\n" + "".join(
                f"    {rng.choice(words)} = {rng.choice(words)}_{rng.randint(0, 9)}({rng.random()})\n"
                for _ in range(rng.randint(1, 12))
            ) for n in range(rng.randint(1, 8))
        )  # fmt: skip
        (folder / f"{rng.choice(words)}{number}.{rng.choice(['py', 'txt', 'md', 'go'])}").write_text(body)
    question = " ".join(rng.choices(words, k=3))
    try:
        found = packed(folder, question, budget)
    except UsageError:
        return
    assert EXACT.count(found.text).most == found.tokens <= budget
    assert packed(folder, question, budget, folder.parent / "other").text == found.text


def test_the_index_follows_the_folder(repository: Path) -> None:
    """After changes, new files and removals it gives what a fresh one does; nothing is read twice."""
    cache = repository.parent / "cache"
    packed(repository, "money")
    (repository / "bank" / "funds.py").write_text("def check_money(amount):\n    return amount > 0\n")
    (repository / "bank" / "new.py").write_text("def money_of(account):\n    return account.balance\n")
    shutil.rmtree(repository / "web")
    with open_index(repository, cache) as index:
        assert index.follow() == 0
    fresh = packed(repository, "money account funds", 300, repository.parent / "fresh")
    assert packed(repository, "money account funds", 300).text == fresh.text
    assert "check_money" in fresh.text
    assert "check_funds(balance" not in fresh.text


def test_bad_input_is_left_out_or_said(repository: Path) -> None:
    """Binary, huge, not UTF-8, cyclic links, secrets, keys in code; no question, folder, room."""
    (repository / "a.py").write_bytes(b"\0money")
    (repository / "b.py").write_bytes("# Größe money".encode("latin-1"))
    (repository / "c.py").write_text("money = 1\n" * 200_000)
    (repository / ".env").write_text("MONEY=1")
    (repository / "server.pem").write_text("money")
    (repository / "circle").symlink_to(repository)
    (repository / "gone.py").symlink_to(repository / "nowhere.py")
    (repository / "key.py").write_text("money_key = 'sk-ant-api03-planted-secret-planted-secret'\n")
    found = packed(repository, "money", 5000)
    assert not {"a.py", "b.py", "c.py", ".env", "server.pem", "gone.py"} & set(found.files)
    assert "money_key = '[key]'" in found.text
    for question, budget in (("  ", 400), ("money", 3)):
        with pytest.raises(UsageError):
            packed(repository, question, budget)
    with pytest.raises(UsageError):
        packed(repository / "nowhere", "money")


def test_a_damaged_index_is_made_anew(repository: Path) -> None:
    """It can be computed again, so nobody is bothered with it."""
    first = packed(repository, "money")
    (file,) = (repository.parent / "cache").glob("*.sqlite3")
    file.write_bytes(b"no database at all" * 100)
    assert packed(repository, "money").text == first.text


def contents(cache: Path) -> dict[str, list[tuple[object, ...]]]:
    """Read every table of the one index there, also those in which words are kept."""
    (file,) = cache.glob("*.sqlite3")
    with closing(sqlite3.connect(file)) as index:
        names = [row[0] for row in index.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: index.execute(f"SELECT * FROM {name}").fetchall() for name in names if name != "words"}


def test_any_number_of_processes_makes_the_same_index(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes of every table are the same, also those of words; changes are followed as by one process."""
    monkeypatch.setattr("grn.llm.tokens.pack.index._MANY", 1)
    (repository / "key.py").write_text("money_key = 'sk-ant-api03-planted-secret-planted-secret'\n")
    alone, together = repository.parent / "alone", repository.parent / "together"
    for number in range(3):
        (repository / f"more_{number}.py").write_text(f"def more_{number}(money):\n    return {number}\n")
        for cache, processes in ((alone, 1), (together, 2)):
            with open_index(repository, cache, processes):
                pass
        assert contents(together) == contents(alone)


def test_processes_that_are_killed_cost_nothing_but_time() -> None:
    """What they did not read is read by this one; nothing is left out, and the order stays."""
    texts = [(f"part_{number}.py", f"def part_{number}():\n    pass\n") for number in range(400)]

    def handed_out() -> Iterator[tuple[str, str]]:
        for number, one in enumerate(texts):
            if number == 200:
                for process in multiprocessing.active_children():
                    process.kill()
            yield one

    read = list(read_all(handed_out(), 2))
    assert read == [(path, text, read_entries(path, text)) for path, text in texts]


@pytest.mark.parametrize("with_git", [False, True])
def test_files_are_those_that_are_attached(repository: Path, *, with_git: bool) -> None:
    """In a folder of Git and in another one: nothing hidden or ignored, no cycles, sizes as they are."""
    (repository / ".hidden").mkdir()
    (repository / ".hidden" / "a.py").write_text("a = 1\n")
    (repository / ".gitignore").write_text("*.log\n")
    (repository / "bank" / "run.log").write_text("money\n")
    (repository / "bank" / "round").symlink_to(repository)
    (repository / "bank" / "same.py").symlink_to(repository / "bank" / "funds.py")
    if with_git:
        subprocess.run(["git", "init", "-q", repository], check=True)
    listed = list_files(repository)
    assert set(listed) == {path.as_posix() for path in files_below(repository)}
    assert all((repository / path).stat().st_size == n_bytes for path, (n_bytes, _) in listed.items())
    assert ("bank/run.log" in listed) is not with_git


def test_a_name_that_is_no_text_is_left_out(repository: Path) -> None:
    """It could be neither kept nor shown."""
    (repository / os.fsdecode(b"money_\xff.py")).write_text("money = 1\n")
    assert packed(repository, "money").files[0] == "bank/account.py"


def test_quoted_words_are_looked_for_as_they_stand(tmp_path: Path) -> None:
    """A piece that has them in a row comes before one that has each of them; a person's name is no word."""
    folder = tmp_path / "said"
    folder.mkdir()
    apart = "index_of = 1\n    lookup_table = list_all(unnecessary_things)\n    index = lookup = list"
    (folder / "a.py").write_text(f"def apart():\n    {apart}\n")
    (folder / "b.py").write_text("def said(node):\n    report(node, 'unnecessary-list-index-lookup')\n")
    asked = read_question("A crash in ``unnecessary-list-index-lookup`` -- by :user:`somebody`")
    assert ("unnecessary", "list", "index", "lookup") in asked.spans
    assert "somebody" not in asked.words
    with open_index(folder, tmp_path / "cache") as index:
        assert index.saying(asked.spans[0], "code", 5)[0].chunk.name == "said"
        assert rank(index, "a crash in ``unnecessary-list-index-lookup``")[0].piece.chunk.name == "said"


def test_a_line_that_follows_every_point_is_read_once() -> None:
    """What is said below every point is about none of them; clauses can be had as they are written."""
    points = ("Money is lost when closing", "Accounts are never closed")
    text = "".join(f"- {point}\n\n  *Related funds*\n\n" for point in points)
    assert read_question(text).clauses[1] == ("accounts", "never", "closed")
    assert [clause.partition("\n")[0] for clause in clauses_of(text)] == list(points)


def test_meaning_moves_what_is_near(repository: Path) -> None:
    """With a double of an encoder that knows one synonym; a place stays first; nothing is encoded twice."""
    (repository / "vault.py").write_text("def put(account, cash):\n    account.cash = cash\n")
    (repository / "xsum.py").write_text("def total(account, x):\n    account.total = x\n")
    encoded: list[str] = []

    def encode(text: str) -> tuple[float, float]:
        encoded.append(text)
        return (1.0, 0.0) if {"cash", "banknotes"} & set(parts(text)) else (0.0, 1.0)

    def order(question: str) -> list[str]:
        with open_index(repository, repository.parent / "cache") as index:
            ranked = by_meaning(index, question, rank(index, question), encode)
        return [one.piece.chunk.name for one in ranked]

    names = order("account of banknotes")
    assert names.index("put") < names.index("total")
    assert names[0] == "put"
    n_encoded = len(encoded)
    assert order("account of banknotes") == names
    assert len(encoded) == n_encoded + 1  # the question
    assert order('File "bank/funds.py", line 6, in unrelated account')[0] == "unrelated"
