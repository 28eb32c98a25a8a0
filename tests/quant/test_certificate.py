"""What a certificate says, and what breaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import grn
from grn.cli.main import main
from grn.kit.clock import FixedClock
from grn.kit.errors import LedgerError, UsageError
from grn.kit.paths import grn_home, ledger_dir
from grn.kit.signing import SigningKey, open_key
from grn.ledger import Ledger
from grn.quant.certificate import Certificate, certify, read_certificate
from grn.quant.holdout import lock, only_before, open_holdout, parse_moment
from grn.quant.samples import sample
from tests.quant.markets import cross

pytest.importorskip("cryptography", reason="the extra `certify` is not installed")

DAYS = sample("SP500").collect().with_columns(pl.col("ts").cast(pl.Datetime("ns")))
NOW_NS = 1_795_401_000_000_000_000  # 2026-11-23 02:30:00 UTC


CLOCK = FixedClock(NOW_NS)


@pytest.fixture
def book() -> Iterator[Ledger]:
    with Ledger.open(ledger_dir(), CLOCK) as opened:
        yield opened


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return open_key(tmp_path / "key")


def researched(book: Ledger) -> grn.SweepResult:
    """The whole way: lock, search before it, open it with one setting."""
    lock(DAYS, "2016-01-01", ledger=book)
    CLOCK.advance(60)
    with only_before("2016-01-01"):
        grn.sweep(cross(), DAYS, ledger=book)
    with open_holdout():
        return grn.backtest(cross(), DAYS, {"fast": 2, "slow": 5}, ledger=book)


def test_it_says_what_the_ledger_saw(book: Ledger, key: SigningKey) -> None:
    """Six settings searched before the lock, one that opened it: seven trials, an unseen hold-out."""
    locked_ns = CLOCK.now_ns()
    run = researched(book)
    claims = certify(book, run.run, key, clock=FixedClock(NOW_NS)).claims
    assert (claims["run"], claims["command"], claims["result_key"]) == (run.run, "backtest", run.result_key)
    assert claims["strategy"]["sha256"] == book.show(run.run).trials[0].strategy_key
    assert claims["space"]["pinned"] == {"fast": 2, "slow": 5}
    assert claims["trials"] == {"n": 7, "data_sets": 2, "watermark": 2}
    (data,) = claims["data"]
    assert (data["symbol"], data["identity"], data["bars"]) == ("SP500", run.bars[0].identity, len(DAYS))
    (one,) = claims["holdouts"]
    assert (one["from_ns"], one["locked_ns"]) == (parse_moment("2016-01-01"), locked_ns)
    assert (one["trials_that_had_seen_it"], one["fixed_before_looking"]) == (0, True)
    assert (one["locked_before_this_run"], one["opened_by_this_run"]) == (True, True)
    assert one["openings"] == [{"run": run.run, "opened_ns": locked_ns + 60 * 10**9, "trials": 1}]
    assert claims["ledger"]["head"] == book.check().head
    assert claims["issued_ns"] == NOW_NS


def test_the_same_ledger_gives_the_same_certificate(book: Ledger, key: SigningKey, tmp_path: Path) -> None:
    """Byte for byte, at the same moment; and it comes back from its file."""
    run = researched(book).run
    made = [certify(book, run, key, clock=FixedClock(NOW_NS)) for _ in range(2)]
    made[0].save(tmp_path / "a")
    made[1].save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = read_certificate(tmp_path / "a")
    assert again == made[0]
    assert again.valid


CHANGES = {
    "fewer trials": lambda claims: claims["trials"].update(n=1),
    "another strategy": lambda claims: claims["strategy"].update(sha256="0" * 64),
    "an opening less": lambda claims: claims["holdouts"][0].update(openings=[]),
    "an earlier lock": lambda claims: claims["holdouts"][0].update(locked_ns=0),
    "another kind": lambda claims: claims.update(kind="grn.certificate.0"),
    "a claim more": lambda claims: claims.update(verdict="pass"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_claim_breaks_it(name: str, book: Ledger, key: SigningKey) -> None:
    """Every claim is under the signature."""
    made = certify(book, researched(book).run, key)
    claims = json.loads(json.dumps(made.claims))
    CHANGES[name](claims)
    assert made.valid
    assert not Certificate(claims, made.public_key, made.signature).valid


def test_looks_before_the_lock_are_said(book: Ledger, key: SigningKey) -> None:
    """A hold-out that was locked after it had been swept is called by its name."""
    grn.sweep(cross(), DAYS, ledger=book)
    run = researched(book).run
    (one,) = certify(book, run, key).claims["holdouts"]
    assert (one["trials_that_had_seen_it"], one["fixed_before_looking"]) == (6, False)


def test_what_is_not_finished_or_not_whole_is_not_certified(book: Ledger, key: SigningKey) -> None:
    """Nothing is claimed that does not fit."""
    with pytest.raises(UsageError, match="no sweep or backtest"):
        certify(book, book.begin("ask", {}), key)
    unfinished = book.begin("sweep", {"strategy": {}, "grid": {}})
    with pytest.raises(LedgerError, match="did not finish"):
        certify(book, unfinished, key)
    run = grn.sweep(cross(), DAYS, ledger=book).run
    for path in (ledger_dir() / "blobs").glob("??/*.zst"):
        path.unlink()
    with pytest.raises(LedgerError, match="not whole"):
        certify(book, run, key)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"claims": 1, "public_key": "", "signature": ""}',
        '{"claims": {"run": "a", "run": "b"}, "public_key": "", "signature": ""}',
    ],
)
def test_other_files_are_no_certificates(content: str, tmp_path: Path) -> None:
    """Wrong usage, not a broken signature."""
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(UsageError, match="no certificate"):
        read_certificate(path)


def test_the_command_signs_and_verifies_anywhere(
    book: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code 0 here, on another machine and with the right key; code 1 for a changed file or another key."""
    run = researched(book).run
    path = tmp_path / "it.json"
    assert main(["quant", "certify", run, "-o", str(path)]) == 0
    captured = capsys.readouterr()
    secret = (grn_home() / "keys" / "certify.key").read_bytes().hex()
    assert secret not in captured.out + captured.err + path.read_text()
    assert "not seen before; opened" in captured.out
    assert main(["quant", "certify", "--verify", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is True
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "elsewhere"))
    assert main(["quant", "certify", "--verify", str(path), "--key", found["key"]]) == 0
    assert main(["quant", "certify", "--verify", str(path), "--key", "00" * 32]) == 1
    path.write_text(path.read_text().replace('"n": 7', '"n": 1'))
    capsys.readouterr()
    assert main(["quant", "certify", "--verify", str(path)]) == 1
    assert capsys.readouterr().out == "not valid: the claims are not the ones that were signed\n"
    assert not (tmp_path / "elsewhere").exists()
    assert main(["quant", "certify"]) == 2
    assert main(["quant", "certify", run, "--verify", str(path)]) == 2


def test_a_ledger_that_has_forgotten_does_not_verify(
    book: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is there, the head that was certified is not: somebody cut rows off."""
    import sqlite3

    run = researched(book).run
    path = tmp_path / "it.json"
    assert main(["quant", "certify", run, "-o", str(path)]) == 0
    connection = sqlite3.connect(ledger_dir() / "ledger.sqlite3", isolation_level=None)
    connection.execute("DROP TRIGGER links_no_delete")
    connection.execute("DELETE FROM links WHERE seq = (SELECT max(seq) FROM links)")
    connection.close()
    assert main(["quant", "certify", "--verify", str(path)]) == 1
    assert "does not go on from what was certified" in capsys.readouterr().out
