from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grn.kit.errors import MissingError, UsageError
from grn.maths.gate import sandbox as sandbox_module
from grn.maths.gate.judge import Gate, Judged, judge_all, load_proposals, receipts_of, suite_source
from grn.maths.gate.mutants import make_mutants
from grn.maths.gate.policy import refusal, shape
from grn.maths.gate.proposals import Proposal
from grn.maths.gate.sandbox import Sandbox
from tests.maths.gate.hostile import GOOD, SUBJECT, Hostile, read_hostile
from tests.maths.sandboxes import no_sandbox

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
HOSTILE = read_hostile()
QUICK = ("remove tree", "fork bomb", "memory bomb", "kill all", "numpy writes", "edit the source")
"""Run raw in CI; all of them nightly."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    if reason := no_sandbox():
        pytest.skip(reason)
    with Sandbox() as started:
        yield started


@pytest.fixture
def module(tmp_path: Path) -> Path:
    place = tmp_path / "halves.py"
    place.write_text(SUBJECT, encoding="utf-8")
    return place


def found_out_by_reading(hostile: Hostile) -> bool:
    return bool(refusal(hostile.source, "halves"))


def test_a_good_test_is_kept_and_kills(module: Path, sandbox: Sandbox) -> None:
    """It kills all but two mutants: one is equal (0 / 2 = 0), the other differs below 1 only."""
    judged = judge_all(module, [Proposal("test_half", "hand", GOOD)], sandbox)
    (receipt,) = judged.receipts
    assert receipt.accepted, receipt
    assert receipt.runs == 5
    assert {arc[0] for arc in receipt.arcs} == {8}
    assert [mutant.change for mutant in judged.alive] == [
        "-    if x < 0:\n+    if x <= 0:",
        "-    if x < 0:\n+    if x < 1:",
    ]
    assert module.read_text(encoding="utf-8") == SUBJECT


def test_the_batch_is_as_large_as_it_says() -> None:
    """At least 50 proposals that are after something, by at least ten different ways."""
    assert len(HOSTILE) >= 50
    assert len({hostile.after for hostile in HOSTILE}) >= 10


def test_hostile_proposals_are_found_out_by_reading() -> None:
    """Every proposal of the batch that its text gives away is refused before it runs, for its reason."""
    read = [hostile for hostile in HOSTILE if found_out_by_reading(hostile)]
    assert len(read) >= 50
    wrong = [
        (h.name, refusal(h.source, "halves")) for h in read if h.because not in refusal(h.source, "halves")
    ]
    assert not wrong
    assert refusal(GOOD, "halves") == ""
    assert refusal(GOOD + "#" * 20_000, "halves") == "larger than 20,000 characters"


def test_hostile_proposals_that_read_well_are_found_out_by_running(module: Path, sandbox: Sandbox) -> None:
    """Loops, bombs and tests that test nothing pass the reading and not the gate, each for its own reason."""
    left = [hostile for hostile in HOSTILE if not found_out_by_reading(hostile)]
    slow = ("endless", "slow memory", "huge")
    for hostile in left if NIGHTLY else [h for h in left if not h.name.startswith(slow)]:
        receipt = Gate(module, sandbox).judge(Proposal("test_half", "hostile", hostile.source))
        assert not receipt.accepted, hostile.name
        assert hostile.because in receipt.reason, (hostile.name, receipt.reason)


def test_the_sandbox_holds_what_was_not_read(module: Path, sandbox: Sandbox) -> None:
    """Run without being read, proposals that delete, write, fork and kill leave the machine as it was."""
    watched = [module, Path(sys.executable), Path(sandbox_module.__file__)]
    before = [hashlib.sha256(path.read_bytes()).hexdigest() for path in watched]
    tracked = (Path.home() / "was_here", Path("/usr/was_here"))
    for hostile in HOSTILE:
        if not hostile.raw or (not NIGHTLY and hostile.name not in QUICK):
            continue
        question = {"module": "halves", "source": SUBJECT, "test": hostile.source, "mutants": [], "runs": 1}
        answer = sandbox.ask({**question, "run_s": 3.0, "time_s": 12.0, "cpu_s": 10})
        harmless = answer.get("runs") == [""] or "ended" in answer or answer["fault"] or answer["runs"][-1]
        assert harmless, hostile.name
        assert not any(path.exists() for path in tracked), hostile.name
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in watched] == before
    good = sandbox.ask({"module": "halves", "source": SUBJECT, "test": GOOD, "mutants": [], "runs": 1})
    assert good["runs"] == [""]


def test_nothing_runs_without_a_sandbox(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel refuses, the gate does too, with the reason; there is no switch around it."""
    real = subprocess.Popen

    def refused(command: list[str], **options: object) -> object:
        said = (
            f"import sys; sys.stderr.write('namespaces: not permitted'); sys.exit({sandbox_module.REFUSED})"
        )
        return real([sys.executable, "-c", said], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(MissingError, match="no sandbox") as caught, Sandbox() as none:
        none.ask({"module": "halves", "source": SUBJECT, "test": GOOD, "mutants": [], "runs": 1})
    assert caught.value.seen == "namespaces: not permitted"


def test_what_a_test_sees(sandbox: Sandbox) -> None:
    """Inside there is no root, no home, no variable of ours, no network, nothing to write but its box."""
    test = """
import os, socket
import halves as subject

def test_half():
    seen = {"user": os.getuid(), "home": os.path.exists("HOME"), "variables": sorted(os.environ)}
    assert os.getuid() != 0 or "root" not in os.environ.get("USER", "")
    for place in ("/usr/x", "/x", "/etc/x", "PREFIX/x"):
        try:
            open(place, "w")
        except OSError:
            continue
        assert False, place
    assert not os.path.exists("SOURCES")
    assert "GRN_HOME" not in os.environ
    assert socket.if_nameindex() == [(1, "lo")]
    open("/tmp/x", "w").close()
"""
    test = test.replace("PREFIX", sys.prefix).replace("SOURCES", str(Path(sandbox_module.__file__)))
    asked = {"module": "halves", "source": SUBJECT, "test": test, "mutants": [], "runs": 1}
    assert sandbox.ask(asked)["runs"] == [""]


def test_duplicates_and_flaky_tests_are_rejected(module: Path, sandbox: Sandbox) -> None:
    """Another name and other variables are the same test; a test that depends on its order or run is none."""
    other = (
        GOOD.replace("test_half", "test_the_half")
        .replace("subject", "s")
        .replace("import halves as s", "import halves as s")
    )
    assert shape(other) == shape(GOOD)
    gate = Gate(module, sandbox)
    assert gate.judge(Proposal("test_half", "hand", GOOD)).accepted
    assert gate.judge(Proposal("test_the_half", "hand", other)).reason == "a duplicate of test_half"
    again = GOOD.replace("half(3) == 1.5", "half(5) == 2.5").replace("test_half", "test_five")
    assert gate.judge(Proposal("test_five", "hand", again)).reason == "kills no mutant that is left"
    flaky = """import pytest
import halves as subject

SEEN = []


@pytest.mark.parametrize("x", [1, 2, 3])
def test_order(x):
    SEEN.append(x)
    assert subject.half(x) == x / 2
    assert SEEN == sorted(SEEN)
"""
    reason = Gate(module, sandbox).judge(Proposal("test_order", "hand", flaky)).reason
    assert reason.startswith(("passes", "fails on the subject")), reason


def test_a_branch_that_is_left_must_be_taken(module: Path, sandbox: Sandbox) -> None:
    """A test that kills something and takes no new branch is rejected while the branch beside it is open."""
    gate = Gate(module, sandbox)
    one = GOOD.replace("    assert subject.half(-1) == 0\n", "")
    assert gate.judge(Proposal("test_half", "hand", one.replace("== 1.5", "> 1"))).accepted
    exact = gate.judge(Proposal("test_exact", "hand", one.replace("test_half", "test_exact")))
    assert exact.reason == "takes no new branch, and line 8 has one left"
    assert gate.judge(Proposal("test_both", "hand", GOOD.replace("test_half", "test_both"))).accepted


def test_the_suite_runs_as_one_file(module: Path, sandbox: Sandbox) -> None:
    """What was kept stands in one file, imports once, and passes where no gate is."""
    low = "import halves as subject\n\n\ndef test_low():\n    assert subject.half(-2) == 0\n"
    judged = judge_all(
        module, [Proposal("test_low", "hand", low), Proposal("test_half", "hand", GOOD)], sandbox
    )
    assert len(judged.kept) == 2
    suite = module.with_name("test_halves_gate.py")
    suite.write_text(suite_source(judged), encoding="utf-8")
    assert suite.read_text(encoding="utf-8").count("import halves") == 1
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", suite.name]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(command, cwd=suite.parent, env=alone, capture_output=True, text=True, check=False)
    assert "2 passed" in ran.stdout, ran.stdout
    told = receipts_of(judged, module)
    assert told["killed"] + len(told["alive"]) == told["mutants"]


def test_mutants_are_those_of_the_operators() -> None:
    """Numbers, signs, comparisons, arguments, assignments change one at a time; docstrings and types stay."""
    source = '''def f(x: int = 1) -> int:
    """Add 1."""
    y: float = abs(x) * 2
    return -y if x < 1 else g(x, k=3)
'''
    changes = {mutant.change.splitlines()[-1].strip("+ ") for mutant in make_mutants(source)}
    assert changes == {
        "y: float = None", "y: float = abs(x) / 2", "y: float = abs(x) * 3", "y: float = abs(None) * 2",
        "return -y if False else g(x, k=3)", "return -y if True else g(x, k=3)",
        "return y if x < 1 else g(x, k=3)", "return -y if x <= 1 else g(x, k=3)",
        "return -y if x < 2 else g(x, k=3)", "return -y if x < 1 else g(x, k=4)",
        "return -y if x < 1 else g(None, k=3)", "return -y if x < 1 else g(k=3)",
        "return -y if x < 1 else g(x, k=None)", "return -y if x < 1 else g(x)",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"name": "x"}]', '{"a": 1}'])
def test_files_that_are_no_proposals(tmp_path: Path, text: str) -> None:
    """A file of something else is an error of use."""
    (tmp_path / "proposals.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        load_proposals(tmp_path / "proposals.json")


def test_an_empty_module_has_nothing_to_kill() -> None:
    """No functions, no mutants: the score is 1, not a division by zero."""
    assert Judged("empty", make_mutants("X = 1\n")).score == 1.0
