from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from grn.hw.lease import GIB, Card, Leases, read_cards, visible
from grn.kit.errors import BudgetError, UsageError

HOLDER = Path(__file__).with_name("lease_holder.py")
CROWD = Path(__file__).with_name("lease_crowd.py")


def start(folder: Path, total: int, n_bytes: int, hold_s: float, rounds: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, str(HOLDER), str(folder), str(total), str(n_bytes), str(hold_s), str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_until_held(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().startswith("held")


def test_what_is_taken_is_not_free(tmp_path: Path) -> None:
    """Leases add up, and come back at the end of their block, also after an error."""
    leases = Leases("card", 8 * GIB, folder=tmp_path)
    with leases.take(3 * GIB, "a sweep") as one, leases.take(4 * GIB, "another"):
        assert [(x.pid, x.n_bytes, x.what) for x in leases.held()] == [
            (os.getpid(), 3 * GIB, "a sweep"), (os.getpid(), 4 * GIB, "another")
        ]  # fmt: skip
        assert one in leases.held()
        assert leases.free() == GIB
    assert leases.free() == 8 * GIB
    with pytest.raises(RuntimeError), leases.take(GIB, "a sweep"):
        raise RuntimeError
    assert leases.held() == []


def test_too_much_is_refused_and_says_who_holds_what(tmp_path: Path) -> None:
    """At once by default, with every holder's process, purpose and size."""
    leases = Leases("card", 8 * GIB, folder=tmp_path)
    with (
        leases.take(6 * GIB, "a large sweep"),
        pytest.raises(BudgetError) as caught,
        leases.take(3 * GIB, "a screening"),
    ):
        pass
    assert "a screening needs 3 GiB, and 2 GiB of the card are free" in str(caught.value)
    assert f"process {os.getpid()} (a large sweep): 6 GiB" in str(caught.value)


def test_more_than_the_card_has_is_never_waited_for(tmp_path: Path) -> None:
    """Nobody could ever give it back."""
    leases = Leases("card", 8 * GIB, folder=tmp_path)
    with pytest.raises(BudgetError, match="of a card that has 8 GiB"), leases.take(9 * GIB, "x", wait_s=60):
        pass


def test_cards_are_leased_one_by_one(tmp_path: Path) -> None:
    """What is taken of one is free on the other; a name may hold any characters."""
    one, other = Leases("GPU-1/..", GIB, folder=tmp_path), Leases("GPU-2", GIB, folder=tmp_path)
    with one.take(GIB, "x"):
        assert (one.free(), other.free()) == (0, GIB)
    assert {p.parent for p in tmp_path.rglob("*.json")} == {tmp_path}


def test_a_killed_process_gives_back_what_it_held(tmp_path: Path) -> None:
    """SIGKILL: the next who looks removes its lease."""
    leases = Leases("card", 10, folder=tmp_path)
    with start(tmp_path, 10, 7, hold_s=60) as holder:
        wait_until_held(holder)
        assert leases.free() == 3
        with pytest.raises(BudgetError, match=rf"process {holder.pid} \(a test\)"), leases.take(5, "mine"):
            pass
        holder.kill()
        # Also while nobody has collected the dead process (a zombie).
        deadline = time.monotonic() + 30
        while leases.free() != 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert leases.free() == 10
    with leases.take(10, "mine"):
        assert leases.free() == 0


def test_one_can_wait_for_another(tmp_path: Path) -> None:
    """A lease that comes back within the time is taken."""
    with start(tmp_path, 10, 7, hold_s=0.3) as holder:
        wait_until_held(holder)
        with Leases("card", 10, folder=tmp_path).take(5, "mine", wait_s=60) as lease:
            assert lease.n_bytes == 5


def test_many_processes_never_take_more_than_there_is(tmp_path: Path) -> None:
    """Six processes, five leases each, of a card that holds two of them at a time."""
    holders = [start(tmp_path, 10, 4, hold_s=0.01, rounds=5) for _ in range(6)]
    said = [holder.communicate(timeout=120)[0].splitlines() for holder in holders]
    assert [holder.returncode for holder in holders] == [0] * 6
    sums = [int(line.split()[1]) for lines in said for line in lines]
    assert len(sums) == 30
    assert max(sums) <= 10
    assert Leases("card", 10, folder=tmp_path).held() == []


def test_a_crowd_under_random_kills_never_takes_more_than_there_is(tmp_path: Path) -> None:
    """32 processes, half of them killed at random moments: never two leases too many, and nothing leaked.

    The count does not come from the leases themselves: locks of the kernel stand for what fits on the card.
    """
    draw = random.Random(20261123)
    command = [sys.executable, str(CROWD), str(tmp_path), "10", "3", "3"]
    crowd = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(32)
    ]
    doomed = draw.sample(crowd, 16)
    try:
        for victim in doomed:
            time.sleep(draw.uniform(0, 0.2))
            victim.kill()
        spared = [process for process in crowd if process not in doomed]
        said = [process.communicate(timeout=60)[0] for process in spared]
    finally:
        for process in crowd:
            process.kill()
            process.communicate()
    assert {process.returncode for process in spared} == {0}
    assert "held" in "".join(said)
    assert "over" not in "".join(said)
    leases = Leases("card", 10, folder=tmp_path)
    assert leases.held() == []
    with leases.take(10, "everything"):
        assert leases.free() == 0


def test_what_is_kept_is_held_until_the_process_ends(tmp_path: Path) -> None:
    """Also when the process goes on as another program: it has the same number and the same start."""
    code = (
        "import os, sys; from pathlib import Path; from grn.hw.lease import Leases;"
        "Leases('card', 10, folder=Path(sys.argv[1])).keep(7, 'mine');"
        "os.execv(sys.executable, [sys.executable, '-c', 'print(1, flush=True); input()'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "1\n"
        leases = Leases("card", 10, folder=tmp_path)
        assert [lease.pid for lease in leases.held()] == [holder.pid]
        holder.communicate("")
        assert leases.held() == []


def test_what_a_command_was_started_with_is_not_taken_twice(tmp_path: Path) -> None:
    """`grn hw lease gpu` becomes its command: the command's own wish is met by that lease, or made up to."""
    leases = Leases("card", 10, folder=tmp_path)
    started_with = leases.keep(6, "grn hw lease")
    assert leases.reach(5, "mine") is None
    more = leases.reach(8, "mine")
    assert more is not None
    assert (more.n_bytes, leases.ours(), leases.free()) == (2, 8, 2)
    with start(tmp_path, 10, 2, hold_s=60) as other:
        wait_until_held(other)
        try:
            assert leases.ours() == 8
            with pytest.raises(BudgetError, match="mine needs"):
                leases.reach(9, "mine")
        finally:
            other.kill()
    for lease in (started_with, more):
        leases.give_back(lease)
    assert leases.held() == []


def test_only_cards_that_are_shown_are_there() -> None:
    """Numbers and beginnings of UUIDs, up to the first that names none (CUDA's own rule)."""
    one, two = Card("GPU-1a", "A", 8), Card("GPU-2b", "B", 8)

    def shown(named: str) -> tuple[Card, ...]:
        return visible((one, two), {"CUDA_VISIBLE_DEVICES": named})

    assert visible((one, two), {}) == (one, two)
    assert shown("1,0") == (two, one)
    assert shown("GPU-2") == (two,)
    assert shown("1,7,0") == (two,)
    assert shown("") == shown("-1") == shown("GPU-") == ()


def test_a_number_given_again_is_another_process(tmp_path: Path) -> None:
    """A lease under this process's number, of another start or another boot, is nobody's."""
    leases = Leases("card", 10, folder=tmp_path)
    with leases.take(4, "mine") as mine:
        (file,) = tmp_path.glob("*.json")
        entry = json.loads(file.read_text())[0]
        old = [
            {**entry, "token": "a", "started": entry["started"] - 1},
            {**entry, "token": "b", "boot": "other"},
        ]
        file.write_text(json.dumps([*old, entry]))
        assert leases.held() == [mine]


def test_without_proc_a_living_number_is_enough(tmp_path: Path) -> None:
    """Other systems do not tell when a process was started: its number has to do."""
    leases = Leases("card", 10, folder=tmp_path / "l", proc=tmp_path / "nowhere")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    with leases.take(4, "mine") as mine:
        assert (mine.started, mine.boot) == (None, None)
        (file,) = (tmp_path / "l").glob("*.json")
        entry = json.loads(file.read_text())[0]
        file.write_text(json.dumps([{**entry, "pid": gone.pid}, entry]))
        assert leases.held() == [mine]


@pytest.mark.parametrize("text", ["", "nonsense", "{}", '[{"pid": 1}]', "[1]"])
def test_a_damaged_file_holds_nothing(tmp_path: Path, text: str) -> None:
    """A card must not be lost to a file that somebody spoilt: the driver still refuses what is not there."""
    leases = Leases("card", 10, folder=tmp_path)
    (tmp_path / "card.json").write_text(text)
    assert leases.held() == []
    with leases.take(10, "mine"):
        assert leases.free() == 0


def test_leases_lie_in_the_home_of_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default all processes of a person meet in one place."""
    monkeypatch.setenv("GRN_HOME", str(tmp_path))
    with Leases("card", 10).take(1, "mine"):
        assert (tmp_path / "leases" / "card.json").exists()


def test_sizes_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    """Nothing, less than nothing, and a card of less than nothing."""
    for n_bytes in (0, -1):
        with pytest.raises(UsageError), Leases("card", 10, folder=tmp_path).take(n_bytes, "x"):
            pass
    with pytest.raises(UsageError):
        Leases("card", -1, folder=tmp_path)


def test_cards_are_read_from_the_driver() -> None:
    """Names with commas, several cards; a sentence in place of a card, or no driver, is no card."""

    def answer(text: str) -> tuple[Card, ...]:
        return read_cards(lambda _: text)

    def fail(_: Sequence[str]) -> str:
        raise FileNotFoundError("nvidia-smi")

    listed = "GPU-1, NVIDIA GeForce RTX 4070 Laptop GPU, 8188\nGPU-2, Card, with comma, 24564\n"
    assert answer(listed) == (
        Card("GPU-1", "NVIDIA GeForce RTX 4070 Laptop GPU", 8188 << 20),
        Card("GPU-2", "Card, with comma", 24564 << 20),
    )
    assert answer("No devices were found\n") == ()
    assert read_cards(fail) == ()
