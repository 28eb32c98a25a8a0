"""Training a module of one's own and a classifier, and trained models for llama.cpp."""

from __future__ import annotations

import json
import os
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from grn.cli.main import main
from grn.compute.train.llama import check_exportable, write_gguf
from grn.compute.train.material import read_labelled
from grn.compute.train.outcome import Exports
from grn.compute.train.recipe import read_recipe
from grn.compute.train.run import train
from grn.compute.train.watermark import Took, Watermark
from grn.fit.training import GIB
from grn.kit.errors import GrnError, MissingError, UnsupportedError, UsageError
from grn.ledger import Ledger
from grn.llm.local.engine import Engine, load
from tests.compute.tiny import write_model

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
MISSING = [
    name for name in ("bitsandbytes", "gguf", "peft", "torch", "transformers") if find_spec(name) is None
]
pytestmark = pytest.mark.skipif(bool(MISSING), reason="needs the extra train")

CAP = 8 * GIB
NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.GELU(), nn.Dropout(0.1), nn.Linear(32, 1))
    def forward(self, x, y):
        return {"loss": nn.functional.mse_loss(self.body(x).squeeze(-1), y)}
"""


def write_own(
    folder: Path, steps: str = "epochs = 4\nrate = 0.05", model: str = 'module = "own_net:Net"'
) -> Path:
    """A network of one's own, 64 examples of it, 16 held out; returns the recipe."""
    import numpy as np

    draw = np.random.default_rng(20261123)
    x = draw.normal(size=(80, 4)).astype(np.float32)
    y = (x @ np.array([1, -2, 3, 0.5], np.float32)).astype(np.float32)
    np.savez(folder / "train.npz", x=x[:64], y=y[:64])
    np.savez(folder / "held_out.npz", x=x[64:], y=y[64:])
    (folder / "own_net.py").write_text(NET)
    recipe = folder / "own.toml"
    recipe.write_text(
        f'[model]\n{model}\n[data]\ntrain = "train.npz"\nevaluate = "held_out.npz"\n'
        f'[tuning]\nmethod = "full"\nmixed = true\n[steps]\nbatch = 8\nsave_every = 10\n{steps}\n'
    )
    return recipe


def test_the_command_trains_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In mixed precision: its loss falls, its weights load; facts on stdout, what happens on stderr, and in
    the ledger what it took beside what was foreseen.
    """
    import torch
    from safetensors.torch import load_file

    from grn.fit.module import make_module

    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
    recipe, out = write_own(tmp_path), tmp_path / "out"
    assert main(["compute", "train", str(recipe), "--out", str(out), "--json", "--threads", "1"]) == 0
    told, err = capsys.readouterr()
    said = json.loads(told)
    assert (said["steps"], said["tokens"], said["correct"]) == (32, 0, None)
    assert said["evaluated"][1] < 0.5 * said["evaluated"][0]
    assert "data: 64 examples of x float32[4], y float32[]" in err
    assert "longest batch: 8 went through" in err
    assert "foreseen (traced)" in err
    weights = load_file(out / "model" / "weights.safetensors")
    net = make_module("own_net:Net", tmp_path)
    net.load_state_dict(weights)
    assert {each.dtype for each in weights.values()} == {torch.float32}
    with Ledger.open(tmp_path / "home" / "ledger") as book:
        (entered,) = book.invocations(5)
    assert entered.outcome is not None
    outputs = entered.outcome.outputs
    assert (entered.command, outputs["steps"], outputs["method"]) == ("compute train", 32, "full, mixed")
    assert outputs["predicted_bytes"] == said["took"]["predicted_bytes"] > 0
    assert outputs["actual_bytes"] == said["took"]["actual_bytes"]
    assert "actual_bytes" not in (out / "result.json").read_text()


def test_the_same_bytes(tmp_path: Path) -> None:
    """Twice the same recipe, the same weights; its file is part of the recipe: another net, another key."""
    recipe = read_recipe(write_own(tmp_path, "most = 4"))
    made = []
    for name in ("one", "two"):
        train(recipe, tmp_path / name, cap_bytes=CAP, threads=1)
        made.append((tmp_path / name / "model" / "weights.safetensors").read_bytes())
    assert made[0] == made[1]
    key = recipe.key()
    (tmp_path / "own_net.py").write_text(NET + "# changed\n")
    assert recipe.key() != key


def test_a_loss_that_is_no_number(tmp_path: Path) -> None:
    """It stops there, and says at which step; nothing is written."""
    wild = read_recipe(write_own(tmp_path, "most = 6\nrate = 1e30\nwarmup = 0.0"))
    with pytest.raises(GrnError, match="no number any more"):
        train(wild, tmp_path / "out", cap_bytes=CAP, threads=1)
    assert not (tmp_path / "out" / "model").exists()


def test_a_classifier_learns(tmp_path: Path) -> None:
    """An encoder as BERT, in mixed precision, names all that is held out; a label that is none is refused."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    write_model(tmp_path / "llama")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "llama")
    config = BertConfig(
        vocab_size=260, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    lines = [json.dumps({"text": ("up ", "down ")[n % 2] * (1 + n % 5), "label": n % 2}) for n in range(48)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines[:32]))
    (tmp_path / "held_out.jsonl").write_text("\n".join(lines[32:]))
    (tmp_path / "r.toml").write_text(
        '[model]\npath = "bert"\ntask = "classify"\n[data]\ntrain = "train.jsonl"\n'
        'evaluate = "held_out.jsonl"\nseq = 64\n[tuning]\nmethod = "full"\nmixed = true\n'
        "[steps]\nbatch = 16\nepochs = 12\nrate = 0.005\n"
    )
    said: list[str] = []
    trained = train(
        read_recipe(tmp_path / "r.toml"), tmp_path / "out", cap_bytes=CAP, threads=1, notify=said.append
    )
    assert trained.correct is not None
    assert trained.correct[1] == 1.0
    assert any("2 classes" in line for line in said)
    loaded = BertForSequenceClassification.from_pretrained(tmp_path / "out" / "model")
    assert loaded.config.num_labels == 2
    for line in ('{"text": "a"}', '{"text": "a", "label": -1}', '{"text": "a", "label": true}'):
        (tmp_path / "bad.jsonl").write_text(f"{lines[0]}\n{line}\n")
        with pytest.raises(UsageError, match=r"bad\.jsonl, line 2 is no labelled example"):
            read_labelled(tmp_path / "bad.jsonl", tokenizer, 64)


def complete(engine: Engine, tokens: list[int]) -> Any:
    """Twelve tokens as numbers, by llama.cpp's own endpoint: a stream holds halves of letters back."""
    asked = {
        "prompt": tokens, "n_predict": 12, "temperature": 0.0, "cache_prompt": False, "ignore_eos": True,
        "return_tokens": True, "n_probs": 1,
    }  # fmt: skip
    headers = {"content-type": "application/json", "authorization": f"Bearer {engine.key}"}
    request = urllib.request.Request(f"{engine.address}/completion", json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_llama_cpp_goes_on_as_the_model_does(tmp_path: Path) -> None:
    """All weights trained, written as GGUF: twelve tokens after each of four prompts, always the likeliest,
    are those of transformers, and so is the first one's probability.
    """
    pytest.importorskip("xllamacpp", reason="needs the extra local")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tests.compute.tiny import write_recipe

    write_model(tmp_path / "model")
    recipe = read_recipe(write_recipe(tmp_path, tuning='method = "full"', steps="most = 2"))
    train(recipe, tmp_path / "out", cap_bytes=CAP, threads=1, exports=Exports(gguf=True))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out" / "model")
    engine = load(str(tmp_path / "out" / "model.gguf"), 1)
    texts, misses = set(), []
    for prompt in ("7 and 7 is ", "once upon", "zz top", "3"):
        tokens = tokenizer(prompt)["input_ids"]
        with torch.no_grad():
            said = model.generate(
                torch.tensor([tokens]), max_new_tokens=12, min_new_tokens=12, do_sample=False,
                pad_token_id=258,
            )  # fmt: skip
        expected = said[0, len(tokens) :].tolist()
        got = complete(engine, tokens)
        assert got["tokens"] == expected
        texts.add(tuple(expected))
        seen = got["completion_probabilities"][0]
        if seen["id"] == expected[0]:  # half a letter is told with its other half
            with torch.no_grad():
                first = model(torch.tensor([tokens])).logits[0, -1].log_softmax(-1)[expected[0]].item()
            misses.append(abs(seen["logprob"] - first))
    assert len(texts) > 1
    assert 0 < max(misses) < 0.01


def test_what_llama_cpp_has_no_form_for(tmp_path: Path) -> None:
    """Refused before the first step: a module, another architecture, another tokenizer, other positions."""
    own = read_recipe(write_own(tmp_path))
    with pytest.raises(UnsupportedError, match="only models that write"):
        train(own, tmp_path / "out", cap_bytes=CAP, exports=Exports(gguf=True))
    from tests.compute.tiny import write_recipe

    write_model(tmp_path / "model")
    recipe = read_recipe(write_recipe(tmp_path))
    check_exportable(recipe)
    config, tokenizer = tmp_path / "model" / "config.json", tmp_path / "model" / "tokenizer.json"
    for file, changed, says in (
        (config, {"model_type": "gemma3"}, "this architecture is not written"),
        (config, {"rope_parameters": {"rope_type": "yarn"}}, "this scaling of positions is not written"),
        (tokenizer, {"pre_tokenizer": {"type": "Metaspace"}}, "this tokenizer is not written"),
    ):
        before = file.read_text()
        file.write_text(json.dumps({**json.loads(before), **changed}))
        with pytest.raises(UnsupportedError, match=says):
            check_exportable(recipe)
        file.write_text(before)
    write_gguf(tmp_path / "model", tmp_path / "m.gguf")
    assert (tmp_path / "m.gguf").read_bytes()[:4] == b"GGUF"


@pytest.mark.parametrize(
    ("model", "method", "says"),
    [
        ('module = "own_net:Net"\npath = "x"', "full", "names one model"),
        ("hub = false", "full", "names one model"),
        ('module = "own_net"', "full", "no import path"),
        ('module = "own_net:Net"', "lora", "is trained in full"),
    ],
)
def test_recipes_of_modules_that_make_no_sense(tmp_path: Path, model: str, method: str, says: str) -> None:
    """Refused by name before anything is imported."""
    recipe = write_own(tmp_path, model=model)
    recipe.write_text(recipe.read_text().replace('"full"', f'"{method}"'))
    with pytest.raises(UsageError, match=says):
        read_recipe(recipe)


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    """The error names the Python module, and how one is written."""
    recipe = read_recipe(write_own(tmp_path, model='module = "own_nowhere:Net"'))
    with pytest.raises(MissingError, match="no Python module own_nowhere"):
        train(recipe, tmp_path / "out", cap_bytes=CAP)


def test_the_watermark_sees_what_a_process_takes() -> None:
    """64 MiB that are written to and given back are the peak, within 16 MiB: the kernel counts, not we."""
    mark = Watermark("cpu")
    bytearray(b"x") * (64 << 20)
    peak = mark.bytes()
    assert peak is not None
    assert abs(peak - (64 << 20)) < 16 << 20
    assert Took("x", "lora", None, peak, None).actual_bytes == peak
