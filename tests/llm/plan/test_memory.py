"""What a planner knows, from one command to the next."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given

from grn.kit.errors import OutputError
from grn.llm.plan import memory
from grn.llm.plan.cache import simulate
from grn.llm.plan.memory import recall, remembering
from grn.llm.plan.planner import Planner
from grn.llm.plan.prompt import Prompt
from tests.llm.plan.prompts import MINUTE, OFFERS, prompt, system, text, traces


@given(traces(most=8, names=3))
def test_a_planner_that_is_put_away_after_each_request_decides_the_same(trace: list[Prompt]) -> None:
    """Split equals whole: a command for each request or one for all, or told afterwards of its marks."""
    planner, told = Planner(OFFERS), Planner(OFFERS)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        for one in trace:
            with remembering(path, OFFERS) as lent:
                decision = planner.decide(one)
                assert lent.decide(one) == decision == told.decide(one, decision.marks)
        assert memory.plain(recall(path, OFFERS)) == memory.plain(planner)


def test_a_plan_writes_nothing_down(tmp_path: Path) -> None:
    """Asking what would be done leaves the file as it is, and it holds hashes and counts alone."""
    path = tmp_path / "plan.json"
    one = prompt(0, system("secret words", 5000), text("question", 10))
    with remembering(path, OFFERS) as planner:
        planner.decide(one)
    before = path.read_bytes()
    recall(path, OFFERS).decide(prompt(MINUTE, system("other words", 5000)))
    assert path.read_bytes() == before
    assert b"words" not in before
    assert b"question" not in before


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"format": 2}', b'{"format": 1}', b"\xff\xfe", b"null"]
)
def test_a_damaged_file_is_begun_anew(damage: bytes, tmp_path: Path) -> None:
    """Nothing in it is worth an error: beliefs take its place, and the next request is remembered."""
    path = tmp_path / "plan.json"
    path.write_bytes(damage)
    with remembering(path, OFFERS) as planner:
        planner.decide(prompt(0, text("a", 2000)))
    assert json.loads(path.read_bytes())["format"] == 1
    assert len(recall(path, OFFERS).habits.known) == 1


def test_old_prefixes_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays small: what was seen last is kept, what came back is not old."""
    monkeypatch.setattr(memory, "PREFIXES_MOST", 3)
    path = tmp_path / "plan.json"
    trace = [prompt(n * MINUTE, text(name, 2000)) for n, name in enumerate("abcad")]
    for one in trace:
        with remembering(path, OFFERS) as planner:
            planner.decide(one)
    kept = list(recall(path, OFFERS).habits.known)
    assert kept == [one.prefixes[0] for one in (trace[2], trace[3], trace[4])]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """An error of ours, which a call survives."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), remembering(tmp_path / "file" / "plan.json", OFFERS):
        pass


def test_what_is_lent_and_fails_is_not_kept(tmp_path: Path) -> None:
    """A request that could not be placed has taught nothing."""
    path = tmp_path / "plan.json"
    with pytest.raises(KeyError), remembering(path, OFFERS) as planner:
        simulate([Prompt(0, "unknown", (text("a", 1),))], planner, OFFERS)
    assert not path.exists()
