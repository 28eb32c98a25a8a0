from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.hw.test_pin import GRN, grn

TWO_CARDS = "GPU-1, NVIDIA GeForce RTX 4070 Laptop GPU, 8188\nGPU-2, NVIDIA L4, 23034\n"


@pytest.fixture
def cards(tmp_path: Path) -> dict[str, str]:
    """A double of nvidia-smi that lists two cards, as the environment that finds it."""
    double = tmp_path / "bin" / "nvidia-smi"
    double.parent.mkdir()
    double.write_text(f"#!/bin/sh\nprintf '{TWO_CARDS}'\n")
    double.chmod(0o755)
    return {"PATH": f"{double.parent}:{os.environ['PATH']}"}


def test_a_leased_command_sees_its_card_alone(tmp_path: Path, cards: dict[str, str]) -> None:
    """By number or by UUID; the lease is gone with the command."""
    show = [sys.executable, "-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"]
    for card, uuid in (("0", "GPU-1"), ("GPU-2", "GPU-2")):
        done = grn(tmp_path, "hw", "lease", "gpu", "--gib", "3", "--card", card, "--", *show, **cards)
        assert (done.returncode, done.stdout) == (0, f"{uuid}\n"), done.stderr
    assert json.loads(grn(tmp_path, "hw", "lease", "ls", "--json", **cards).stdout) == []


def test_who_holds_a_card_is_listed_and_in_the_way(tmp_path: Path, cards: dict[str, str]) -> None:
    """A second command that needs too much is refused with the holder's name; it may after a kill."""
    environ = {**os.environ, **cards, "GRN_HOME": str(tmp_path)}
    wait = [sys.executable, "-c", "print(1, flush=True); input()"]
    command = [*GRN, "hw", "lease", "gpu", "--gib", "6", "--", *wait]
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "1\n"
        listed = json.loads(grn(tmp_path, "hw", "lease", "ls", "--json", **cards).stdout)
        assert [(row["pid"], row["gib"], row["card"]) for row in listed] == [(holder.pid, 6, "GPU-1")]
        refused = grn(tmp_path, "hw", "lease", "gpu", "--gib", "3", "--", "true", **cards)
        assert (refused.returncode, f"process {holder.pid}" in refused.stderr) == (4, True)
        holder.kill()
    assert grn(tmp_path, "hw", "lease", "gpu", "--gib", "3", "--", "true", **cards).returncode == 0


def test_what_cannot_be_leased_says_what_to_do(tmp_path: Path, cards: dict[str, str]) -> None:
    """No card, no such card, no such command, more than there is, nothing at all."""
    none = grn(tmp_path, "hw", "lease", "gpu", "--gib", "3", "--", "true", PATH="/usr/bin:/bin")
    if "no NVIDIA card answers here" in none.stderr:  # a machine with a card has one at this point
        assert none.returncode == 3
    other = grn(tmp_path, "hw", "lease", "gpu", "--gib", "3", "--card", "7", "--", "true", **cards)
    assert (other.returncode, "1: NVIDIA L4 (GPU-2)" in other.stderr) == (2, True)
    assert grn(tmp_path, "hw", "lease", "gpu", "--gib", "3", "--", "no-such", **cards).returncode == 3
    assert grn(tmp_path, "hw", "lease", "gpu", "--gib", "9", "--", "true", **cards).returncode == 4
    assert grn(tmp_path, "hw", "lease", "gpu", "--gib", "0", "--", "true", **cards).returncode == 2
