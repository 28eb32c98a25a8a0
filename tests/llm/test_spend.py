from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from grn.kit.clock import FixedClock
from grn.kit.errors import BudgetError, LedgerError, UsageError
from grn.llm.money import PICO
from grn.llm.prices import FREE, Price, Rates
from grn.llm.spend import Bill, Book, Cap, Intent, Standing, owner, pace
from grn.llm.spend.views import add_up
from grn.llm.usage import Usage
from tests.conftest import NIGHTLY
from tests.llm.spend_writer import DIED, NOW_NS

ROOT = Path(__file__).parents[2]


def intent(amount: int, provider: str = "anthropic", project: str = "") -> Intent:
    return Intent(provider, "asked", "sent", project, "complete", amount, Price(FREE))


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book.open(tmp_path, FixedClock(NOW_NS))


def test_the_specification_s_caps_hold_from_the_start(book: Book) -> None:
    """$20.00 for Anthropic, $19.99 for Google whose funding counts as free until told, none for Voyage."""
    assert book.cap("anthropic") == Cap("anthropic", 20 * PICO, "prepaid")
    assert book.cap("google") == Cap("google", 19_990_000_000_000, "free")
    assert book.cap("voyage").cap_pusd is None


def test_a_reservation_counts_until_it_is_settled(book: Book) -> None:
    """Reserved money is not spent and not free either; the bill takes its place."""
    call = book.reserve(intent(12 * PICO))
    assert (book.standing("anthropic").open_pusd, book.standing("anthropic").spent_pusd) == (12 * PICO, 0)
    with pytest.raises(BudgetError) as caught:
        book.reserve(intent(8 * PICO + 1))
    assert "$12.00 reserved of $20.00 in 2026-11" in caught.value.what
    assert caught.value.exit_code == 4
    book.settle(call, Bill("reported", 3 * PICO))
    assert (book.standing("anthropic").open_pusd, book.standing("anthropic").spent_pusd) == (0, 3 * PICO)
    book.reserve(intent(17 * PICO))
    book.check()


def test_one_call_may_pass_the_cap_when_told_so(book: Book) -> None:
    """The override is for this call; it counts, so the next one is refused."""
    book.reserve(intent(25 * PICO), over_budget=True)
    with pytest.raises(BudgetError):
        book.reserve(intent(1))


def test_a_cap_can_be_set_and_lifted(book: Book) -> None:
    """The newest row holds; the old ones stay."""
    book.set_cap("anthropic", 1 * PICO, "invoice")
    with pytest.raises(BudgetError):
        book.reserve(intent(2 * PICO))
    book.set_cap("anthropic", None, "invoice")
    book.reserve(intent(2_000 * PICO))


def test_every_month_begins_anew(tmp_path: Path) -> None:
    """Months are UTC; a call is billed to the month in which it was reserved."""
    clock = FixedClock(NOW_NS)
    with Book.open(tmp_path, clock) as book:
        call = book.reserve(intent(20 * PICO))
        clock.advance(10 * 86_400)
        book.reserve(intent(20 * PICO))
        book.settle(call, Bill("reported", 5))
        assert book.standing("anthropic", "2026-11").spent_pusd == 5
        assert book.standing("anthropic").open_pusd == 20 * PICO
        book.check()


def test_a_call_is_billed_once(book: Book) -> None:
    """Settling twice, or what was never reserved, is an error and changes nothing."""
    call = book.reserve(intent(10))
    book.settle(call, Bill("reported", 4))
    with pytest.raises(LedgerError, match="settled already"):
        book.settle(call, Bill("reported", 4))
    with pytest.raises(LedgerError, match="no reservation"):
        book.settle("nobody", Bill("reported", 4))
    assert book.standing("anthropic").spent_pusd == 4
    book.check()


def test_the_book_keeps_what_was_billed(tmp_path: Path) -> None:
    """Four classes of tokens, thinking, tier, request id, latency, served model, price, tape, note."""
    price = Price(Rates(1, 2, 3, 4, 5), ((100, Rates(6, 7, 8, 9, 10)),), "a list")
    usage = Usage(1, 2, 3, 4, 5, 2)
    with Book.open(tmp_path, FixedClock(NOW_NS), name=lambda: "call-1") as book:
        book.reserve(Intent("google", "flash", "gemini-3.8-flash", "thesis", "complete", 99, price))
        book.settle(
            "call-1",
            Bill("reported", 50, "gemini-3.9", "req-7", usage, 100, 2, 12, 345, "abc", "other"),
        )
        (row,) = book.calls()
    assert (row.asked, row.sent, row.served, row.project) == (
        "flash",
        "gemini-3.8-flash",
        "gemini-3.9",
        "thesis",
    )
    assert (row.usage, row.tier_over, row.attempts, row.request_id) == (usage, 100, 2, "req-7")
    assert (row.first_ms, row.total_ms, row.tape, row.note) == (12, 345, "abc", "other")
    assert row.price == price.plain()


def test_records_cannot_be_changed(tmp_path: Path) -> None:
    """The file refuses updates, deletions and replacements, whoever opens it."""
    with Book.open(tmp_path, FixedClock(NOW_NS), name=lambda: "c") as book:
        book.settle(book.reserve(intent(10)), Bill("reported", 4))
    file = sqlite3.connect(tmp_path / "calls.sqlite3")
    for change in (
        "UPDATE settlements SET cost_pusd = 0",
        "DELETE FROM reservations",
        "INSERT OR REPLACE INTO settlements SELECT * FROM settlements",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            file.execute(change)


def test_a_changed_total_is_noticed(tmp_path: Path) -> None:
    """The running totals are a sum over records, and can be added up again."""
    with Book.open(tmp_path, FixedClock(NOW_NS)) as book:
        book.settle(book.reserve(intent(10)), Bill("reported", 4))
        file = sqlite3.connect(tmp_path / "calls.sqlite3", isolation_level=None)
        file.execute("UPDATE totals SET spent_pusd = 3")
        with pytest.raises(LedgerError, match="not the sums"):
            book.check()


def test_another_program_s_file_is_left_alone(tmp_path: Path) -> None:
    """Neither a foreign file nor a newer version is touched."""
    file = sqlite3.connect(tmp_path / "calls.sqlite3")
    file.execute("CREATE TABLE mine (x)")
    file.commit()
    with pytest.raises(LedgerError, match="another program"):
        Book.open(tmp_path)
    newer = tmp_path / "newer"
    Book.open(newer).close()
    file = sqlite3.connect(newer / "calls.sqlite3")
    file.execute("PRAGMA user_version = 9")
    with pytest.raises(LedgerError, match="newer grn"):
        Book.open(newer)


def test_64_callers_share_a_cap_to_the_last_picodollar(book: Book) -> None:
    """Threads that all want the same money get exactly as much as there is."""
    book.set_cap("anthropic", 100, "prepaid")

    def reserve(_: int) -> str | None:
        try:
            return book.reserve(intent(3))
        except BudgetError:
            return None

    with ThreadPoolExecutor(64) as pool:
        calls = [call for call in pool.map(reserve, range(200)) if call]
    assert len(calls) == len(set(calls)) == 33
    assert book.standing("anthropic").open_pusd == 99
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda call: book.settle(call, Bill("reported", 2)), calls))
    assert book.standing("anthropic") == Standing("anthropic", "2026-11", 66, 0, book.cap("anthropic"))
    book.check()


def call_until_dead(folder: Path, account: Path, seed: int) -> int:
    """Run one caller of up to 60 calls; returns how it ended."""
    command = [sys.executable, "-m", "tests.llm.spend_writer", str(folder), str(account), "60", str(seed)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def test_crashes_lose_no_reservation_and_the_sums_are_the_provider_s(tmp_path: Path) -> None:
    """Processes that refuse, settle, and die between reserving and settling: never is more than the cap
    taken, no reservation is lost, and when the unsettled ones are corrected by the provider's own account,
    both agree to the picodollar. 64 callers and 10,000 calls in the nightly run, 8 and 800 otherwise.
    """
    callers, calls = (64, 10_000) if NIGHTLY else (8, 800)
    folder, account = tmp_path / "book", tmp_path / "account"
    account.touch()
    cap = calls * 10**9 // 3
    with Book.open(folder, FixedClock(NOW_NS)) as book:
        book.set_cap("anthropic", cap, "prepaid")
    with ThreadPoolExecutor(callers) as pool:
        codes = list(pool.map(lambda seed: call_until_dead(folder, account, seed), range(calls // 50)))
    assert set(codes) == {0, DIED}
    with Book.open(folder, FixedClock(NOW_NS)) as book:
        book.check()
        before = book.standing("anthropic")
        assert before.open_pusd > 0
        assert before.spent_pusd + before.open_pusd <= cap
        assert len(book.calls()) >= calls * 3 // 4  # the last ones found the month's money taken
        orphans = book.reconcile()
        assert len(orphans) == codes.count(DIED)
        after = book.standing("anthropic")
        assert (after.open_pusd, after.spent_pusd) == (0, before.spent_pusd + before.open_pusd)
        told = {name: int(cost) for name, cost in (line.split() for line in account.read_text().splitlines())}
        for call in orphans:
            book.correct(call, told.get(call, 0), "the server's own count")
        assert book.standing("anthropic").spent_pusd == sum(told.values())
        book.check()


def test_a_living_caller_keeps_its_reservation(book: Book) -> None:
    """Only what nobody can settle any more is taken as spent, and only once."""
    book.reserve(intent(10))
    assert book.reconcile() == []
    assert owner.is_alive(owner.this_process())
    assert not owner.is_alive("another-boot:1:1")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not owner.is_alive(owner.this_process().split(":")[0] + f":{ended.pid}:1")


def test_a_correction_needs_a_settled_call(book: Book) -> None:
    """An open call has its own bill coming."""
    call = book.reserve(intent(10))
    with pytest.raises(UsageError, match="no settled call"):
        book.correct(call, 1, "invoice")


def test_calls_add_up_by_what_they_have_in_common(book: Book) -> None:
    """By project, provider, day and month the same total; estimates are counted."""
    for project, cost in (("a", 3), ("b", 5), ("a", 7)):
        book.settle(
            book.reserve(intent(10, project=project)), Bill("estimated", cost, usage=Usage(input=cost))
        )
    book.reserve(intent(4))
    by_project = {found.name: found for found in add_up(book.calls(), "project")}
    assert {name: found.cost_pusd for name, found in by_project.items()} == {"(none)": 0, "a": 10, "b": 5}
    assert (by_project["(none)"].open_pusd, by_project["a"].unsure, by_project["a"].usage.input) == (4, 2, 10)
    for by in ("model", "provider", "day", "month"):
        (found,) = add_up(book.calls(), by)  # type: ignore[arg-type]
        assert (found.cost_pusd, found.calls) == (15, 4)


@pytest.mark.parametrize(
    ("spent", "day", "forecast", "spent_on"),
    [
        (10, 23, 13_636_363_636_363, None),
        (16, 23, 21_818_181_818_181, date(2026, 11, 28)),
        (20, 19, 33_333_333_333_333, date(2026, 11, 19)),
        (0, 23, None, None),
    ],
)
def test_a_month_is_carried_on_in_a_straight_line(
    spent: int, day: int, forecast: int | None, spent_on: date | None
) -> None:
    """Whole days gone by: 22 of 30 with $16 means $21.82 in the end, and $20 after 27.5 days, on the 28th."""
    from datetime import UTC, datetime

    now_ns = int(datetime(2026, 11, day, tzinfo=UTC).timestamp()) * 10**9
    standing = Standing("anthropic", "2026-11", spent * PICO, 0, Cap("anthropic", 20 * PICO, "prepaid"))
    found = pace(standing, now_ns)
    assert (found.forecast_pusd, found.spent_on) == (forecast, spent_on)
