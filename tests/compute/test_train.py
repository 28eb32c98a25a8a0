"""Real fine-tuning on the processor, in 4 bits: a tiny model, its loss, its checkpoints, its adapter."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from grn.compute.bundle import gather
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.job import Job
from grn.compute.results import fetch
from grn.compute.submission import submit
from grn.compute.train.examples import NO_LOSS, collate, longest_batch, read_examples
from grn.compute.train.material import read_material
from grn.compute.train.outcome import Exports, Trained
from grn.compute.train.place import choose_place, price
from grn.compute.train.recipe import Recipe, read_recipe
from grn.compute.train.run import train
from grn.compute.train.weights import load_tokenizer
from grn.hw.lease import GIB, Card, Leases
from grn.kit.errors import BudgetError, MissingError, UsageError
from tests.compute.cluster import Loopback
from tests.compute.test_runs import until
from tests.compute.tiny import write_model, write_recipe

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
CAP = 8 * GIB
HOLDER = Path(__file__).parents[1] / "hw" / "lease_holder.py"
MISSING = [name for name in ("bitsandbytes", "peft", "torch", "transformers") if find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason="needs the extra train")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    write_model(folder / "model")
    return folder


@pytest.fixture(scope="module")
def recipe(room: Path) -> Recipe:
    return read_recipe(write_recipe(room))


@pytest.fixture(scope="module")
def whole(recipe: Recipe, room: Path) -> tuple[Path, Trained]:
    """A run that nobody stopped."""
    return room / "whole", train(
        recipe, room / "whole", cap_bytes=CAP, threads=1, exports=Exports(merged=True)
    )


def stopping(at: int) -> object:
    """A callback that sends this process USR1 in the middle of a step, as a scheduler would."""
    from transformers import TrainerCallback

    class Stopping(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):  # type: ignore[no-untyped-def]
            if state.global_step == at:
                os.kill(os.getpid(), signal.SIGUSR1)

    return Stopping()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "merged" not in path.parts
    }


def test_the_loss_falls(whole: tuple[Path, Trained]) -> None:
    """In training and on what is held out; the losses of every step are written down."""
    out, trained = whole
    assert trained.finished
    assert trained.steps == 12
    assert trained.last_loss < 0.95 * trained.first_loss
    assert trained.evaluated is not None
    assert trained.evaluated[1] < 0.95 * trained.evaluated[0]
    lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert not (out / "checkpoints").exists()


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    whole: tuple[Path, Trained], room: Path, tmp_path: Path
) -> None:
    """Stopped twice, once at the end of an epoch, beside half-written checkpoints: every file is the same.

    With dropout, evaluations in between and a moving rate, in 4 bits; and in another folder.
    """
    shutil.copytree(room / "model", tmp_path / "model")
    recipe = read_recipe(write_recipe(tmp_path))
    out, said = tmp_path / "stopped", []
    for at in (2, 9):
        part = train(recipe, out, cap_bytes=CAP, threads=1, callbacks=[stopping(at)])
        assert (part.finished, part.steps) == (False, at + 1)
        half = out / "checkpoints" / f"checkpoint-{at + 2}"
        shutil.copytree(out / "checkpoints" / f"checkpoint-{at + 1}", half)
        (half / "whole").unlink()
    last = train(recipe, out, cap_bytes=CAP, threads=1, notify=said.append)
    assert "going on from checkpoint-10" in said
    assert last == whole[1]
    assert files(out) == files(whole[0])


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of names that peft still uses
def test_the_adapter_loads(whole: tuple[Path, Trained], room: Path) -> None:
    """Peft puts it beside the model; folded in, the model says the same; both differ from the model alone."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tokens = torch.arange(40).reshape(2, 20)

    def say(model: torch.nn.Module) -> torch.Tensor:
        with torch.no_grad():
            return torch.as_tensor(model.eval()(input_ids=tokens).logits)

    base = AutoModelForCausalLM.from_pretrained(room / "model")
    alone = say(base)
    merged = say(AutoModelForCausalLM.from_pretrained(whole[0] / "merged"))
    beside = say(PeftModel.from_pretrained(base, str(whole[0] / "adapter")))
    assert torch.allclose(beside, merged, atol=1e-4)
    assert not torch.allclose(beside, alone, atol=1e-2)


def test_a_folder_belongs_to_one_run(recipe: Recipe, whole: tuple[Path, Trained]) -> None:
    """Neither another recipe nor the same once more writes into it."""
    with pytest.raises(UsageError, match="this run is done"):
        train(recipe, whole[0], cap_bytes=CAP)
    other = replace(recipe, steps=replace(recipe.steps, seed=1))
    with pytest.raises(UsageError, match="another run in it"):
        train(other, whole[0], cap_bytes=CAP)


def test_examples(room: Path, tmp_path: Path) -> None:
    """What is learnt of each kind, what is cut, which batch is the longest, and how one is filled up."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(room / "model")
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "abc"}\n\n{"prompt": "ab", "completion": "c"}\n{"text": "' + "z" * 50 + '"}\n')
    examples, scan = read_examples(file, tokenizer, 10)
    assert (scan.examples, scan.tokens, scan.longest, scan.cut) == (3, 20, 52, 1)
    text, pair, cut = examples
    assert text.tokens == pair.tokens
    assert text.labels == (NO_LOSS, *text.tokens[1:])
    assert pair.labels == (NO_LOSS, NO_LOSS, NO_LOSS, *text.tokens[3:])
    assert longest_batch(examples, 1) == [cut]
    batch = collate([text, cut], pad=258)
    assert batch["input_ids"].shape == (2, 10)
    assert batch["attention_mask"].sum().item() == 15
    assert (batch["labels"][0, 5:] == NO_LOSS).all()
    for line, what in (
        ("{", "is no JSON"),
        ('{"txt": "a"}', "is no example"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "is no example"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "no template"),
        ('{"prompt": "' + "a" * 20 + '", "completion": "b"}', "nothing is left to learn"),
    ):
        file.write_text(f'{{"text": "abc"}}\n{line}\n')
        with pytest.raises(UsageError, match=what) as caught:
            read_examples(file, tokenizer, 10)
        assert "line 2" in f"{caught.value} {caught.value.seen}"
    file.write_text("\n")
    with pytest.raises(UsageError, match="there is no example"):
        read_examples(file, tokenizer, 10)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[model]\npath = "x"\n', "lacks train"),
        ('[model]\npath = "x"\n[data]\ntrain = "y"\n[tuning]\nmethod = "dora"\n', "is not known"),
        ('[model]\npath = "x"\n[data]\ntrain = "y"\n[steps]\nrate = 0\n', "must be positive"),
        ('[model]\npath = "x"\n[data]\ntrain = "y"\n[steps]\nbatch = 0\n', "at least 1"),
        ('[model]\npath = "x"\n[data]\ntrain = "y"\n[tuning]\ndropout = 1.0\n', "a share"),
        ('[models]\npath = "x"\n', "unknown table"),
    ],
)
def test_recipes_that_make_no_sense(tmp_path: Path, text: str, what: str) -> None:
    """Refused by name before anything is loaded."""
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(UsageError, match=what):
        read_recipe(tmp_path / "r.toml")


def test_a_model_that_is_not_there(room: Path, recipe: Recipe, tmp_path: Path) -> None:
    """No folder, and a folder that is no model: an error that says what one holds; nothing asks a network."""
    (room / "empty").mkdir(exist_ok=True)
    for name, what in (("nowhere", "is not there"), ("empty", "cannot be loaded")):
        wrong = replace(recipe, model=replace(recipe.model, path=name))
        with pytest.raises(MissingError, match=what):
            train(wrong, tmp_path / name, cap_bytes=CAP)


def test_a_card_is_taken_on_lease(recipe: Recipe, tmp_path: Path) -> None:
    """As much as is foreseen, of the card with the most room; or refused. Cards are doubles."""
    foreseen = price(recipe, read_material(recipe, load_tokenizer(recipe)), on_card=True)
    assert foreseen is not None
    cards = (Card("GPU-0", "small", 6 * GIB), Card("GPU-1", "large", 8 * GIB))
    environ: dict[str, str] = {}
    taken = choose_place(foreseen, cards, CAP, folder=tmp_path, environ=environ)
    assert (taken.device, taken.n_bytes) == ("cuda:0", foreseen.n_bytes)
    assert environ == {"CUDA_VISIBLE_DEVICES": "GPU-1"}
    (held,) = Leases("GPU-1", 8 * GIB, folder=tmp_path).held()
    assert (held.pid, held.n_bytes) == (os.getpid(), foreseen.n_bytes)
    full = Leases("GPU-1", 8 * GIB, folder=tmp_path)
    full.give_back(held)
    sweep = [sys.executable, HOLDER, tmp_path, str(8 * GIB), str(8 * GIB), "60", "1", "GPU-1"]
    with subprocess.Popen(sweep, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().startswith(b"held")
        with pytest.raises(BudgetError, match="of the card are free"):
            choose_place(foreseen, cards[1:], CAP, folder=tmp_path, environ=environ)
        other.kill()


def test_the_memory_cap_is_obeyed(recipe: Recipe, room: Path, tmp_path: Path) -> None:
    """What is foreseen above memory_gib is refused before anything is loaded."""
    with pytest.raises(BudgetError, match="that a job may take"):
        train(recipe, tmp_path / "out", cap_bytes=100_000)


@pytest.mark.skipif(not NIGHTLY, reason="two processes that import torch")
def test_on_a_cluster_through_its_walltime_to_the_same_bytes(
    loopback: Loopback, connection: Connection, cluster: Cluster, room: Path, tmp_path: Path
) -> None:
    """The same recipe as a job: signalled, saved, queued again, resumed, fetched: the bytes of a run here."""
    write_recipe(room, steps="most = 150\nepochs = 100")
    grn = Path(sys.executable).with_name("grn")
    command = f"{grn} compute train recipe.toml --out $GRN_OUT/run --threads 1"
    job = Job(
        command, "tune", ("model", "*.jsonl", "recipe.toml"), signal_s=20, free_gib=0.0,
        variables={"HOME_OF_TEST": str(tmp_path)},
    )  # fmt: skip
    run = submit(connection, cluster, gather(job, room)).run
    task = Path(cluster.folder) / "runs" / run / "tasks" / "0"
    loopback.wait(lambda: "longest batch" in (task / "log").read_text() if (task / "log").exists() else False,
                  "training", 120)  # fmt: skip
    loopback.slurm("scancel", "--batch", "--signal=USR1", f"--name=grn-{run}")
    ended = until(connection, cluster, run, ("done", "failed"), 240)
    assert (ended.state, ended.tasks[0].restarts) == ("done", 1)
    assert "going on from checkpoint-" in (task / "log").read_text()
    fetch(connection, cluster, ended, tmp_path / "got")
    local = [grn, "compute", "train", "recipe.toml", "--out", tmp_path / "here"]
    subprocess.run([*local, "--threads", "1"], cwd=room, check=True)
    assert files(tmp_path / "got" / "run") == files(tmp_path / "here")
