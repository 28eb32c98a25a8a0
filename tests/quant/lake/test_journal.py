from __future__ import annotations

import os
from pathlib import Path

import pytest

from grn.kit.errors import OutputError
from grn.quant.lake.journal import Journal, find_journals, read_journal

RECORDS = [["trade", 10**18 + number, None, str(number), 1.5, 0.1, "buy"] for number in range(5)]


def write(folder: Path) -> Path:
    journal = Journal(folder, 1)
    for record in RECORDS:
        journal.append(record)
    journal.close()
    return journal.path


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    """Numbers of nanoseconds, nulls and texts included; journals are listed in their order."""
    path = write(tmp_path)
    assert list(read_journal(path)) == RECORDS
    second = Journal(tmp_path, 12)
    second.append([1])
    assert find_journals(tmp_path) == [path, second.path]
    second.close()


def test_cut_at_any_byte_it_ends_with_a_whole_record(tmp_path: Path) -> None:
    """A line that was never finished is dropped, nothing before it is."""
    path = write(tmp_path)
    whole = path.read_bytes()
    ends = [number + 1 for number, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = sum(end <= size for end in ends)
        assert list(read_journal(path)) == RECORDS[:complete]


def test_damage_in_the_middle_is_told(tmp_path: Path) -> None:
    """A line whose bytes are not those that were written is a None between its neighbours."""
    path = write(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"buy", b"bUy")
    path.write_bytes(b"".join(lines))
    assert list(read_journal(path)) == [*RECORDS[:2], None, *RECORDS[3:]]


def test_a_full_disk_leaves_whole_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half way is taken back and reported; the journal can still be read and closed."""
    journal = Journal(tmp_path, 1)
    journal.append(RECORDS[0])
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) > 5:
            return real(descriptor, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="No space left"):
        journal.append(RECORDS[1])
    monkeypatch.undo()
    journal.close()
    assert list(read_journal(journal.path)) == RECORDS[:1]


def test_an_empty_journal_leaves_no_file(tmp_path: Path) -> None:
    """A recording that heard nothing has nothing to take in."""
    Journal(tmp_path, 1).close()
    assert find_journals(tmp_path) == []
