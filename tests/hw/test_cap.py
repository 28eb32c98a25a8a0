from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from grn.hw.cap import Cap, plan_cap
from grn.kit.errors import UsageError

USER = {"XDG_RUNTIME_DIR": "/run/user/1000"}
CHILD = """
import sys
from grn.hw.cap import plan_cap
plan_cap(int(sys.argv[1]), environ={}).limit_process()
try:
    bytearray(int(sys.argv[2]))
except MemoryError:
    print("refused")
else:
    print("taken")
"""


def run_capped(limit: int, wanted: int) -> str:
    command = [sys.executable, "-c", CHILD, str(limit), str(wanted)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_cannot_take_more_than_its_limit() -> None:
    """The real limit on a real process: 512 MiB are refused under 256, and taken under 1,024."""
    assert run_capped(256 << 20, 512 << 20) == "refused"
    assert run_capped(1 << 30, 512 << 20) == "taken"


def test_a_control_group_is_taken_where_the_user_has_one() -> None:
    """The very command that is going to run is tried with `true` in its place."""
    tried: list[Sequence[str]] = []

    def succeeds(command: Sequence[str]) -> bool:
        tried.append(command)
        return True

    cap = plan_cap(24 << 30, environ=USER, succeeds=succeeds)
    assert cap.prefix[:3] == ("systemd-run", "--user", "--scope")
    assert {"--property=MemoryMax=25769803776", "--property=MemorySwapMax=0"} <= set(cap.prefix)
    assert tried == [(*cap.prefix, "true")]
    assert "by a control group" in cap.reason


@pytest.mark.parametrize(("environ", "why"), [({}, "no service manager"), (USER, "does not work here")])
def test_limits_take_over_with_a_reason(environ: dict[str, str], why: str) -> None:
    """No session bus, or one that refuses: a limit for each process, and the sentence says so."""
    cap = plan_cap(1 << 30, environ=environ, succeeds=lambda _: False)
    assert cap == Cap(1 << 30, (), cap.reason)
    assert why in cap.reason
    assert "for each process" in cap.reason


def test_no_memory_is_no_limit() -> None:
    """Nothing runs in no memory."""
    with pytest.raises(UsageError):
        plan_cap(0)


BLOCK = """
import numpy as np
from grn.hw.cap import capped
from grn.kit.errors import BudgetError
wanted = 3 << 30
try:
    with capped(2 << 30):
        np.empty(1 << 30, np.uint8)
        print("a part of it taken")
        np.empty(wanted, np.uint8)
except BudgetError as error:
    print(error)
np.empty(wanted, np.uint8)
print("taken afterwards")
try:
    with capped(1):
        np.empty(1 << 29, np.uint8)
        print("libraries run")
        np.empty(wanted, np.uint8)
except BudgetError:
    print("refused")
"""


def test_a_job_cannot_take_more_than_it_may() -> None:
    """The real limit for the length of a block, said as a budget; afterwards it is lifted."""
    done = subprocess.run([sys.executable, "-c", BLOCK], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert "more than the 2 GiB that a job may take" in said.pop(1)
    assert said == ["a part of it taken", "taken afterwards", "libraries run", "refused"]
