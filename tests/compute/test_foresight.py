"""A recipe as a job: which cards, how long, and where it ends first."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.compute.clusters import Cluster
from grn.compute.foresight import STARTING_MIN, foresee
from grn.fit.card import GIB, Place, named_card
from grn.kit.errors import MissingError, UsageError
from tests.compute.cluster import Loopback
from tests.compute.tiny import write_model, write_recipe

LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096,
    "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
"""The published config of Llama 3.1 8B, as far as sizes go."""
LAPTOP = named_card("RTX 4070 Laptop")
TUI = Cluster("login", environment="/envs/grn", cards={"a100": "A100-SXM4-40GB", "a100l": "A100-SXM4-80GB"})


def write_run(folder: Path, *, tuning: str = "", steps: str = "epochs = 3.0\nbatch = 2") -> Path:
    """A recipe for 8 billion parameters on 4,000 examples of 3,000 bytes."""
    (folder / "llama").mkdir(exist_ok=True)
    (folder / "llama" / "config.json").write_text(json.dumps(LLAMA_8B))
    line = json.dumps({"text": "x" * (3000 - len('{"text": ""}'))})
    (folder / "train.jsonl").write_text(f"{line}\n" * 4000)
    (folder / "tune.toml").write_text(
        f'[model]\npath = "llama"\n[data]\ntrain = "train.jsonl"\n[tuning]\n{tuning}\n[steps]\n{steps}\n'
    )
    return folder / "tune.toml"


def test_cards_and_walltime_follow_from_the_recipe(tmp_path: Path) -> None:
    """3 × 4,000 examples of 1,000 tokens at the predicted speed; twice that and a quarter of an hour in all.

    Both types of cards can hold it, each also in attempts of an hour where that is much shorter.
    """
    found = foresee(write_run(tmp_path), TUI, LAPTOP)
    assert "12,000 examples × 1,000 tokens" in found.reasons[0]
    shapes = found.job.every_shape()
    assert {shape.gpu_type for shape in shapes} == {"a100", "a100l"}
    speed = float(found.reasons[0].rpartition(" / ")[2].partition(" tokens/s")[0].replace(",", ""))
    work_min = 12_000_000 / speed / 60
    assert shapes[0].run_min == pytest.approx(work_min + STARTING_MIN, rel=1e-3)
    assert shapes[0].walltime_min == pytest.approx(2 * work_min + STARTING_MIN, abs=2)
    # Of an hour, 15 minutes for starting, 5 for the checkpoint and one for an early signal are no work.
    starts = math.ceil(work_min / 39)
    assert shapes[1].walltime_min == 60
    assert shapes[1].run_min == pytest.approx(work_min + starts * STARTING_MIN, rel=1e-3)
    assert found.job.command == "grn compute train tune.toml --out $GRN_OUT/run"
    assert found.job.lock is None
    assert set(found.job.files) == {"tune.toml", "llama", "train.jsonl"}


def test_here_is_one_of_the_shapes(tmp_path: Path) -> None:
    """A card that holds it has an end; one that does not, and a processor without a known speed, say why."""
    run = write_run(tmp_path, steps="most = 10\nbatch = 2")
    here = foresee(run, TUI, named_card("RTX 4090")).here
    assert here.end_s is not None
    speed = float(here.reason.rpartition(" / ")[2].partition(" tokens/s")[0].replace(",", ""))
    assert here.end_s == pytest.approx(20 * 1000 / speed, rel=0.01)
    assert "20 examples × 1,000 tokens" in here.reason
    small = foresee(run, TUI, replace(LAPTOP, memory=2.0 * GIB)).here
    assert (small.end_s, small.reason.startswith("does not fit")) == (None, True)
    processor = foresee(run, TUI, Place("a processor", 32.0 * GIB, None, None, None, False)).here
    assert (processor.end_s, processor.reason) == (None, "its speed is not known")


def test_what_no_card_holds_is_refused(tmp_path: Path) -> None:
    """All 8 billion weights in full: every card with its figures, and where a cheaper way is asked for."""
    run = write_run(tmp_path, tuning='method = "full"')
    with pytest.raises(UsageError, match="no single card is enough") as caught:
        foresee(run, TUI, LAPTOP)
    assert "A100-SXM4-80GB: " in str(caught.value.seen)
    (tmp_path / "train.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="no example"):
        foresee(run, TUI, LAPTOP)


def test_an_environment_is_named_or_made(tmp_path: Path) -> None:
    """From a lock file beside the recipe; without one, and without an environment there, it is refused."""
    run, plain = write_run(tmp_path, steps="most = 10"), Cluster("login")
    with pytest.raises(MissingError, match="needs an environment"):
        foresee(run, plain, LAPTOP)
    (tmp_path / "requirements.lock").write_text("")
    assert foresee(run, plain, LAPTOP).job.lock == "requirements.lock"


@pytest.fixture
def folder(loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's folder and home; the cluster has an environment: this one."""
    # Not pytest's own folder: a socket's path has to be short.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(loopback.folder / "run"))
    monkeypatch.setenv("GRN_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config = loopback.cluster()
    (tmp_path / "clusters.toml").write_text(
        f'[loop]\nhost = "loop"\nfolder = "{config.folder}"\nssh_config = "{config.ssh_config}"\n'
        f'environment = "{sys.prefix}"\ncards = {{ a100 = "A100-SXM4-40GB", h200 = "H200" }}\n'
    )
    return tmp_path


def test_a_recipe_is_asked_for(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The queue is asked for each shape; what it would refuse stands last, and this machine in its place.

    The node has one card, of one type, which nothing computes on: the refusals are Slurm's own.
    """
    write_run(folder)
    assert main(["compute", "submit", "tune.toml", "--dry-run", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert {shape["shape"]["gpu_type"] for shape in told["shapes"]} == {"a100", "h200"}
    assert told["shapes"][0]["shape"]["gpu_type"] == "a100"
    assert told["shapes"][0]["end_s"] > 0
    h200 = [shape for shape in told["shapes"] if shape["shape"]["gpu_type"] == "h200"]
    assert all(shape["refused"] for shape in h200)
    assert told["shapes"][-1]["shape"]["gpu_type"] == "h200"
    assert main(["compute", "submit", "tune.toml", "--dry-run"]) == 0
    out, err = capfd.readouterr()
    assert "here: " in out
    assert "tokens/s" in err


@pytest.mark.skipif(
    not os.environ.get("GRN_NIGHTLY") or find_spec("torch") is None, reason="a process that imports torch"
)
def test_a_recipe_there_and_back(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Submitted as it is, without a word on resources: it trains, and its adapter comes home."""
    write_model(folder / "model")
    write_recipe(folder)
    assert main(["compute", "submit", "recipe.toml"]) == 0
    out, err = capfd.readouterr()
    run = out.strip()
    assert "1 × a100, 4 cpu, 9 GiB, 16 min at a time" in err
    deadline = time.monotonic() + 200
    while main(["compute", "jobs", run, "--json"]) == 0:
        (found,) = json.loads(capfd.readouterr().out)
        if found["state"] == "done":
            break
        assert found["state"] in ("waiting", "running"), found
        assert time.monotonic() < deadline
        time.sleep(1)
    assert main(["compute", "fetch", run, "--to", "got"]) == 0
    assert (folder / "got" / "run" / "adapter" / "adapter_model.safetensors").exists()
