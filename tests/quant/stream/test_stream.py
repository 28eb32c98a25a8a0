from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit import files
from grn.kit.errors import BudgetError, DataError, LedgerError, OutputError, StrategyError, UsageError
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.replay import replay
from grn.quant.schema import load_bars
from grn.quant.strategy.cross import rank
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import roc
from grn.quant.strategy.weights import Weights
from grn.quant.strategy.words import close
from grn.quant.stream import chunks
from grn.quant.stream.folder import locked
from grn.quant.stream.result import StreamResult
from tests.quant.markets import cross, two_walks

DATA = load_bars(two_walks(), ("open", "close"))
WIDE = cross(range(2, 8), range(4, 14))
"""60 points, 45 combinations: with 5 points per chunk some chunks are cut by `where`, none is empty."""


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger.open(tmp_path / "ledger") as book:
        yield book


def stream(folder: Path, ledger: Ledger, **options: Any) -> StreamResult:
    return grn.stream_sweep(
        options.pop("strategy", WIDE), options.pop("data", DATA), folder, ledger=ledger,
        **{"chunk": 5, "engine": "reference", **options},
    )  # fmt: skip


def bytes_of(folder: Path) -> dict[str, bytes]:
    """All files but the one that names the run."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != "run.json"}


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("symbol", "fast", "slow")


def test_a_streamed_sweep_has_the_numbers_of_a_sweep(tmp_path: Path, ledger: Ledger) -> None:
    """Same rows, bit for bit, in parts; same trials, each counted once."""
    whole = grn.sweep(WIDE, DATA, engine="reference", ledger=ledger)
    before = ledger.count_trials([b.identity for b in DATA]).n
    streamed = stream(tmp_path / "s", ledger)
    assert streamed.complete
    assert streamed.chunks == (12, 12)
    assert len(streamed) == len(whole) == 2 * len(whole.grid)
    assert in_order(streamed.frame.collect()).equals(in_order(whole.frame), null_equal=True)
    # The same trials as those of the sweep: none is new.
    assert ledger.count_trials([b.identity for b in DATA]).n == before
    entry = ledger.show(str(streamed.run))
    assert entry.n_trials == len(whole)
    assert len(entry.trials) == 2 * 12
    assert entry.outcome is not None
    assert (entry.outcome.exit_code, entry.outcome.result_key) == (0, streamed.result_key)
    assert entry.outcome.outputs["rows"] == len(whole)


def test_a_chunk_of_another_size_changes_the_parts_and_not_the_numbers(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Cut at one, seven or a hundred points: the same rows."""
    found = [in_order(stream(tmp_path / str(n), ledger, chunk=n).frame.collect()) for n in (1, 7, 100)]
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])


def test_target_weights_stream_too(tmp_path: Path, ledger: Ledger) -> None:
    """One account for all symbols: a row per combination."""
    n = param("n", [3, 5, 8, 13, 21])
    strategy = Weights(rank(roc(close, n)) - 1, name="rotation")
    data = two_walks(80)
    whole = grn.sweep(strategy, data, engine="reference", ledger=ledger)
    streamed = stream(tmp_path / "s", ledger, strategy=strategy, data=data, chunk=2)
    assert streamed.accounts == ("rotation",)
    assert streamed.frame.collect().equals(whole.frame)


def test_chunks_that_where_leaves_empty_have_no_file(tmp_path: Path, ledger: Ledger) -> None:
    """They are counted as done, and the numbers are those of a sweep."""
    strategy = cross(range(2, 12), range(2, 12))
    streamed = stream(tmp_path / "s", ledger, strategy=strategy, chunk=2)
    whole = grn.sweep(strategy, DATA, engine="reference", ledger=ledger)
    assert streamed.chunks == (50, 50)
    assert len(list((tmp_path / "s").glob("*.parquet"))) < 50
    assert in_order(streamed.frame.collect()).equals(in_order(whole.frame))


def test_where_that_leaves_nothing_is_said(tmp_path: Path, ledger: Ledger) -> None:
    """As in a sweep; the run stays open in the ledger, without trials."""
    with pytest.raises(StrategyError, match="no parameter combination is left"):
        stream(tmp_path / "s", ledger, strategy=cross(range(8, 11), range(2, 5)))
    (entry,) = ledger.invocations()
    assert entry.outcome is None


def test_the_best_rows_are_exact(tmp_path: Path, ledger: Ledger) -> None:
    """Whatever the metric's direction and the cut: the rows that sorting everything gives."""
    whole = grn.sweep(WIDE, DATA, engine="reference", ledger=ledger, metrics="all")
    streamed = stream(tmp_path / "s", ledger, metrics="all")
    for by, falling in (("sharpe", True), ("volatility", False), ("total_return", True)):
        everything = whole.frame.filter(pl.col("trades") >= 1, pl.col(by).is_not_nan())
        expected = everything.sort(by, descending=falling, maintain_order=True)
        for n in (1, 7, 1_000):
            assert streamed.top(n, by).equals(expected.head(n)), (by, n)
    best = streamed.top(1)
    assert best.row(0, named=True) == whole.row(whole.best())
    few = streamed.top(1_000, "sharpe", min_trades=4)
    assert few["trades"].min() >= 4  # type: ignore[operator]


def test_of_equals_the_first_account_and_combination_come_first(tmp_path: Path, ledger: Ledger) -> None:
    """Two symbols with the same data tie everywhere: as in `SweepResult.best` the first symbol wins."""
    one = two_walks().filter(pl.col("symbol") == "A")
    twins = pl.concat([one, one.with_columns(symbol=pl.lit("B"))])
    streamed = stream(tmp_path / "s", ledger, data=twins, chunk=3)
    whole = grn.sweep(WIDE, twins, engine="reference", ledger=ledger)
    assert streamed.top(1).row(0, named=True) == whole.row(whole.best())
    expected = whole.frame.filter(pl.col("trades") >= 1).sort("sharpe", descending=True, maintain_order=True)
    assert streamed.top(20).equals(expected.head(20))


def test_quantiles_are_exact(tmp_path: Path, ledger: Ledger) -> None:
    """Those of the whole column, missing values left out."""
    streamed = stream(tmp_path / "s", ledger)
    column = streamed.frame.select("sharpe").collect()["sharpe"].to_numpy()
    shares = (0.0, 0.1, 0.5, 0.95, 1.0)
    expected = np.quantile(column[~np.isnan(column)], shares, method="inverted_cdf")
    assert streamed.quantiles("sharpe", shares) == dict(zip(shares, expected.tolist(), strict=True))


def test_the_same_again_changes_nothing(tmp_path: Path, ledger: Ledger) -> None:
    """A finished folder is answered from: no chunk is computed, no trial recorded."""
    first = stream(tmp_path / "s", ledger)
    before, mark = bytes_of(tmp_path / "s"), ledger.watermark()
    asked: list[int] = []
    again = stream(tmp_path / "s", ledger, expect=asked.append)
    assert (again.run, asked) == (first.run, [0])
    assert bytes_of(tmp_path / "s") == before
    assert ledger.watermark() == mark
    assert len(ledger.invocations()) == 1


def test_two_folders_of_the_same_run_have_the_same_bytes(tmp_path: Path, ledger: Ledger) -> None:
    """Every file but the one that names the run."""
    stream(tmp_path / "one", ledger)
    stream(tmp_path / "other", ledger)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")


def test_threads_and_engine_change_no_byte(tmp_path: Path, ledger: Ledger) -> None:
    """The reference engine and the compiled one, with one thread and two."""
    stream(tmp_path / "one", ledger, engine="reference")
    stream(tmp_path / "two", ledger, engine="cpu", threads=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_progress_ends_at_what_was_expected(tmp_path: Path, ledger: Ledger) -> None:
    """Combinations that `where` excludes are counted as done, for each account."""
    asked: list[int] = []
    steps: list[int] = []
    stream(tmp_path / "s", ledger, expect=asked.append, progress=steps.append)
    assert asked == [120]
    assert sum(steps) == 120


def test_a_folder_of_another_run_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """The message says what differs; nothing is touched."""
    stream(tmp_path / "s", ledger)
    before = bytes_of(tmp_path / "s")
    for change, says in (
        ({"chunk": 6}, "other grid"),
        ({"fill": "close"}, "other rules"),
        ({"metrics": "sharpe"}, "other metrics"),
        ({"strategy": cross()}, "other strategy"),
        ({"data": two_walks(100)}, "other data"),
    ):
        with pytest.raises(OutputError, match=f"another run.*{says}"):
            stream(tmp_path / "s", ledger, **change)
    assert bytes_of(tmp_path / "s") == before


def test_a_folder_begun_with_other_versions_is_refused(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of two versions would not be one result."""
    stream(tmp_path / "s", ledger)
    changed = {**record.versions(), "numba": "0.0"}
    monkeypatch.setattr("grn.quant.record.versions", lambda: changed)
    monkeypatch.setattr("grn.quant.stream.plan.versions", lambda: changed)
    with pytest.raises(OutputError, match="other numba"):
        stream(tmp_path / "s", ledger)


def test_a_folder_with_other_files_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """What is in it is not ours to mix with."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"not empty.*thesis.txt"):
        stream(tmp_path / "s", ledger)
    assert ledger.invocations() == []


def test_a_second_writer_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """While a process writes, another one is told so at once."""
    with locked(tmp_path / "s"), pytest.raises(OutputError, match="another process is writing"):
        stream(tmp_path / "s", ledger)


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """The folder cannot be made."""
    (tmp_path / "s").write_text("a file")
    with pytest.raises(OutputError):
        stream(tmp_path / "s", ledger)


def test_another_ledger_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """The trials of finished chunks are in the ledger that they were begun with."""
    stream(tmp_path / "s", ledger)
    with Ledger.open(tmp_path / "elsewhere") as other, pytest.raises(LedgerError, match="not in this ledger"):
        stream(tmp_path / "s", other)


def test_a_folder_without_its_run_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """Begun anew, its finished chunks would be counted twice."""
    stream(tmp_path / "s", ledger)
    (tmp_path / "s" / "run.json").unlink()
    with pytest.raises(LedgerError, match="lost the name of its run"):
        stream(tmp_path / "s", ledger)


@pytest.mark.parametrize("hurt", ["missing", "cut", "changed"])
def test_a_damaged_part_is_computed_again(tmp_path: Path, ledger: Ledger, hurt: str) -> None:
    """Every part is held against its hash; what is not whole is made anew, with the same bytes."""
    stream(tmp_path / "s", ledger)
    before, mark = bytes_of(tmp_path / "s"), ledger.watermark()
    part = tmp_path / "s" / "part-000003.parquet"
    data = part.read_bytes()
    if hurt == "missing":
        part.unlink()
    else:
        part.write_bytes(data[:-9] if hurt == "cut" else data[:50] + bytes([data[50] ^ 1]) + data[51:])
    stream(tmp_path / "s", ledger)
    assert bytes_of(tmp_path / "s") == before
    assert ledger.watermark() == mark


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path, ledger: Ledger) -> None:
    """An unfinished file and half a line: both go, and the rest is written as if they had not been."""
    stream(tmp_path / "whole", ledger)
    stream(tmp_path / "s", ledger)
    log = tmp_path / "s" / "parts.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:7]) + lines[7][:20])
    (tmp_path / "s" / ".grn-0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / "s" / "part-000011.parquet").unlink()
    opened = grn.open_sweep(tmp_path / "s")
    assert (opened.complete, opened.chunks) == (False, (7, 12))
    # The run has an outcome already: what is missing is computed, and nothing is recorded twice.
    with pytest.raises(LedgerError):
        ledger.finish(str(opened.run), exit_code=0)
    stream(tmp_path / "s", ledger)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("name", ["manifest.json", "parts.jsonl", "run.json"])
def test_damaged_books_of_a_folder_are_said(tmp_path: Path, ledger: Ledger, name: str) -> None:
    """A manifest, list or name that does not read: the file is named."""
    stream(tmp_path / "s", ledger)
    (tmp_path / "s" / name).write_text("{}\n" if name == "parts.jsonl" else "nonsense")
    with pytest.raises(DataError, match=f"{name} is damaged"):
        stream(tmp_path / "s", ledger)


def test_a_folder_of_a_later_format_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """What this version does not know it does not guess at."""
    stream(tmp_path / "s", ledger)
    manifest = tmp_path / "s" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": "grn.stream.2"}))
    with pytest.raises(DataError, match=r"grn\.stream\.2"):
        grn.open_sweep(tmp_path / "s")


def test_a_full_disk_keeps_what_is_finished(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says how much is kept; with space again the same call goes on to the same bytes."""
    stream(tmp_path / "whole", ledger)
    plain = os.fsync
    writes = 0

    def fill(descriptor: int) -> None:
        nonlocal writes
        writes += 1
        if writes > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(descriptor)

    monkeypatch.setattr(files.os, "fsync", fill)
    with pytest.raises(OutputError, match="no space left") as caught:
        stream(tmp_path / "s", ledger)
    monkeypatch.undo()
    done = grn.open_sweep(tmp_path / "s").chunks[0]
    assert 0 < done < 12
    assert f"{done} of 12 chunks are kept" in str(caught.value.hint)
    run = str(stream(tmp_path / "s", ledger).run)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")
    assert len(ledger.show(run).trials) == 24


def test_an_interrupted_run_goes_on(tmp_path: Path, ledger: Ledger) -> None:
    """Ctrl-C between two steps: the run has no outcome yet, and gets one when it is finished."""
    stream(tmp_path / "whole", ledger)
    steps = 0

    def stop(_: int) -> None:
        nonlocal steps
        steps += 1
        if steps == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(tmp_path / "s", ledger, progress=stop)
    begun = grn.open_sweep(tmp_path / "s")
    assert not begun.complete
    assert ledger.show(str(begun.run)).outcome is None
    assert begun.top(3).height == 3
    done = stream(tmp_path / "s", ledger)
    assert done.run == begun.run
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")
    entry = ledger.show(str(done.run))
    assert entry.outcome is not None
    assert len(entry.trials) == 24


def test_a_streamed_run_replays_and_is_judged(tmp_path: Path, ledger: Ledger) -> None:
    """From the ledger alone, the folder gone: the same numbers, and a verdict on them."""
    streamed = stream(tmp_path / "s", ledger, strategy=cross(range(2, 9), range(2, 9)), chunk=2)
    again = replay(ledger, str(streamed.run))
    assert again.same
    assert in_order(again.result.frame).equals(in_order(streamed.frame.collect()))
    assert again.result.trials is not None
    assert again.result.trials.n == len(streamed)
    verdict = grn.validate(again.result, shuffles=2)
    assert verdict.decision in ("pass", "weak", "reject")


def test_the_price_is_that_of_a_chunk(tmp_path: Path, ledger: Ledger) -> None:
    """A grid above the budget streams; a chunk above it is refused before anything is made."""
    strategy = cross(range(1, 2001), range(1, 2001))
    with pytest.raises(BudgetError):
        grn.sweep(strategy, DATA, ledger=ledger, memory_gib=0.05)
    with pytest.raises(BudgetError, match="the sweep needs"):
        stream(tmp_path / "s", ledger, strategy=strategy, chunk=1_000_000, memory_gib=0.05)
    assert not (tmp_path / "s").exists()
    steps: list[int] = []

    def stop(n: int) -> None:
        steps.append(n)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(tmp_path / "s", ledger, strategy=strategy, chunk=5, memory_gib=0.05, progress=stop)
    assert steps


@pytest.mark.parametrize("chunk", [0, -1, 2.5, True, "many"])
def test_a_chunk_is_a_whole_number(tmp_path: Path, ledger: Ledger, chunk: Any) -> None:
    """Anything else is refused before the folder is made."""
    with pytest.raises(UsageError, match="chunk must be a whole number"):
        stream(tmp_path / "s", ledger, chunk=chunk)
    assert not (tmp_path / "s").exists()


def test_chunks_follow_from_the_number_of_accounts() -> None:
    """131,072 rows per part, whatever the machine: a part's bytes must not depend on it."""
    assert chunks.chunk_size(None, 1) == 131_072
    assert chunks.chunk_size(None, 3) == 43_690
    assert chunks.chunk_size(None, 10**6) == 1


def test_a_folder_without_a_sweep_says_so(tmp_path: Path) -> None:
    """Reading what is not there names the command that makes it."""
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no streamed sweep") as caught:
            grn.open_sweep(path)
        assert "--to" in str(caught.value.hint)


def test_questions_that_make_no_sense_are_refused(tmp_path: Path, ledger: Ledger) -> None:
    """Unknown metrics, shares outside 0 to 1, no rows at all."""
    streamed = stream(tmp_path / "s", ledger)
    with pytest.raises(UsageError, match="no such metric") as caught:
        streamed.top(3, "sharp")
    assert "sharpe" in str(caught.value.hint)
    with pytest.raises(UsageError, match="shares between 0 and 1"):
        streamed.quantiles("sharpe", [2.0])
    with pytest.raises(UsageError, match="at least 1"):
        streamed.top(0)
    assert "12 of 12 chunks" in repr(streamed)
